"""What trained heads say of new sequences, whatever their tasks."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from torch import Tensor

from foldgraft.models.heads.build import reads
from foldgraft.models.trunk import Trunk
from foldgraft.models.trunk.fingerprint import TOLERANCE
from foldgraft.models.trunk.trunk import AROUND
from foldgraft.models.trunk.windows import block_residues
from foldgraft.predict.sequences import Candidate, portions
from foldgraft.records.files import sequence_sha256
from foldgraft.tasks.examples import Examples
from foldgraft.tasks.pair_features import Coevolution, expand
from foldgraft.tasks.pairs import Chain, PairExamples, distances
from foldgraft.tasks.seen import distance, warnings
from foldgraft.tasks.sequences import SequenceExamples
from foldgraft.tasks.trained import Trained
from foldgraft.tasks.tuned_pairs import TunedPairExamples
from foldgraft.tasks.vectors import TrunkVectors

AT_ONCE = 16_384
"""Residues whose embeddings are in memory together; fewer if many layers of them are read."""


@dataclass(frozen=True)
class Prediction:
    """What the members of one head say of one sequence; of each task a tensor (M, n, P).

    `warnings` say in what the sequence is unlike those that the head learnt from, or the trunk unlike the head's own.
    """

    head: Trained
    tasks: list[Tensor]
    warnings: list[str]


def predict(
    records: Iterable[Candidate], heads: Sequence[Trained], trunk: Trunk
) -> Iterator[tuple[Candidate, list[Prediction]]]:
    """Yield each record with what each head says of it, in their order; nothing for a rejected one.

    Memory does not grow with the number of records.
    """
    sources = {
        head.info.name: TrunkVectors(trunk, head.info.layers)
        for head in heads
        if head.info.layers and head.info.unfreeze == 0
    }
    differing = {head.info.name: _differing(head, trunk) for head in heads}
    kept = max((len(head.info.layers) for head in heads if _reads(head) == "residues"), default=0)
    for chunk in portions(records, min(AT_ONCE, block_residues(trunk.batch_tokens, kept))):
        good = [number for number, record in enumerate(chunk) if not record.reason]
        sequences = [chunk[number].sequence for number in good]
        found: list[list[Prediction]] = [[] for _ in chunk]
        for head in heads:
            vectors = sources.get(head.info.name)
            if vectors is not None:
                vectors.embed(sequences, residues=_reads(head) != "pooled")
            examples = _examples(head, sequences, trunk, vectors)
            for scored in examples.score(head.members, np.arange(len(sequences))):
                predicted = [head.predict(task, values) for task, values in enumerate(scored.outputs)]
                said = [*differing[head.info.name], *_warnings(head, sequences[scored.row], examples, scored.row)]
                found[good[scored.row]].append(Prediction(head, predicted, said))
        yield from zip(chunk, found, strict=True)


def readable(records: Iterable[Candidate], heads: Sequence[Trained], trunk: Trunk) -> Iterator[Candidate]:
    """Yield the records; one too long is rejected, if a head trained the trunk along, which then reads it as a
    whole."""
    places = trunk.network.architecture.max_tokens
    most = places - AROUND if places and any(head.info.unfreeze != 0 for head in heads) else None
    for record in records:
        length = len(record.sequence)
        if most is not None and length > most and not record.reason:
            record = record._replace(reason=f"{length} residues, more than the {most} that the trunk reads at once")
        yield record


def pair_scores(head: Trained, sequence: str, coevolution: Coevolution | None, trunk: Trunk) -> dict[str, np.ndarray]:
    """What a head of pairs says of one sequence, and of its coevolution if there is any: by experiment and task, the
    packed probabilities of contacts, the mean of the ensemble."""
    vectors = TrunkVectors(trunk, head.info.layers) if head.info.layers and head.info.unfreeze == 0 else None
    if vectors is not None:
        vectors.embed([sequence], residues=True)
    examples = _examples(head, [sequence], trunk, vectors, [coevolution] if coevolution else None)
    (scored,) = examples.score(head.members, np.arange(1))
    found = {}
    for number, (task, values) in enumerate(zip(head.info.tasks, scored.outputs, strict=True)):
        mean = task.target.mean(head.predict(number, values))
        contact = expand(mean[:, 0].numpy(), len(sequence), 0.0) if task.kind == "binary" else None
        name = head.info.name if len(head.info.tasks) == 1 else f"{head.info.name}_{task.name}"
        found[name] = distances(mean, len(sequence))["score"] if contact is None else contact
    return found


def _differing(head: Trained, trunk: Trunk) -> list[str]:
    """What is to be said of a trunk that computes something else than the head's own, within what was allowed."""
    if trunk.sha256 == head.info.trunk.sha256 or (apart := head.info.trunk.apart(trunk)) <= TOLERANCE:
        return []
    return [f"the trunk differs by {apart:.0%} from the one that the head was trained on"]


def _warnings(head: Trained, sequence: str, examples: Examples, row: int) -> list[str]:
    if head.info.seen is None:
        return []
    pooled = _reads(head) == "pooled"
    far = distance(examples.item(row), head.members[0].body.normalise) if pooled else None
    return warnings(sequence, head.info.seen, far)


def _reads(head: Trained) -> str:
    return "trunk" if head.info.unfreeze != 0 else reads(head.info.level, head.info.head)


def _examples(
    head: Trained,
    sequences: Sequence[str],
    trunk: Trunk,
    vectors: TrunkVectors | None,
    coevolution: Sequence[Coevolution] | None = None,
) -> Examples:
    info = head.info
    table = pd.DataFrame(
        {
            "id": [str(number) for number in range(len(sequences))],
            "sequence": list(sequences),
            "sequence_sha256": [sequence_sha256(sequence) for sequence in sequences],
            "fold": 0,
        }
    )
    if info.level == "pair":
        given = coevolution or [None] * len(table)
        rows = zip(table.itertuples(index=False), given, strict=True)
        chains = [Chain(*row, coevolution=evidence) for row, evidence in rows]
        if info.unfreeze != 0:
            return TunedPairExamples(info.tasks, chains, info.head, info.features, trunk, info.layers)
        return PairExamples(info.tasks, chains, info.head, info.features, trunk, vectors)
    unknown = [[np.empty((0, 1), dtype=np.float32)] * len(table) for _ in info.tasks]
    return SequenceExamples(info.tasks, table, unknown, _reads(head), vectors)

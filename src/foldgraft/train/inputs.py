"""What an experiment learns from: its proteins with their folds and truth, and what its head reads of them."""

import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from foldgraft.errors import FoldgraftError
from foldgraft.models.heads.build import reads
from foldgraft.models.trunk import Trunk
from foldgraft.models.trunk.trunk import AROUND
from foldgraft.progress import progress
from foldgraft.records import labels as label_records
from foldgraft.records.alignments import COEVOLUTION
from foldgraft.records.embeddings import Embeddings
from foldgraft.records.split import TEST_FOLD, VALID_FOLD
from foldgraft.records.tables import read_arrays, read_frames
from foldgraft.records.targets import SCHEMA as TARGETS
from foldgraft.records.targets import read_targets
from foldgraft.tasks.covariates import Covariates, encode
from foldgraft.tasks.labelled import labelled_proteins, placed, readable
from foldgraft.tasks.pair_features import Coevolution
from foldgraft.tasks.pairs import UNKNOWN, Chain, PairExamples
from foldgraft.tasks.sequences import SequenceExamples
from foldgraft.tasks.task import Task
from foldgraft.tasks.truth import TRUTH
from foldgraft.tasks.tuned_pairs import TunedPairExamples
from foldgraft.tasks.vectors import StoredVectors, layer_numbers, require_trunk
from foldgraft.train.settings import Experiment


@dataclass(frozen=True)
class Inputs:
    """Files that an experiment reads; those that its tasks and head do not need are empty."""

    split: Path
    trunk: Trunk
    labels: Sequence[Path] = ()
    targets: Sequence[Path] = ()
    coevolution: Sequence[Path] = ()
    embeddings: Sequence[Path] = ()


def sequence_examples(name: str, experiment: Experiment, tasks: Sequence[Task], inputs: Inputs) -> SequenceExamples:
    """Proteins of protein- and residue-level tasks.

    Raises
    ------
    FoldgraftError
        if none is left, the embeddings are another trunk's, or labels are of another length than their sequence.
    """
    read = "trunk" if experiment.unfreeze != 0 else reads(tasks[0].level, experiment.head)
    embeddings = None
    if read not in ("tokens", "trunk"):
        embeddings = Embeddings(inputs.embeddings)
        require_trunk(embeddings, inputs.trunk)
    if tasks[0].truth == "labels":
        table, truth = labelled_proteins(name, tasks[0], inputs.labels, inputs.split)
    else:
        table, truth = _from_targets(name, tasks, inputs)
    kept = readable(name, table, inputs.trunk) if read == "trunk" else np.ones(len(table), dtype=bool)
    if embeddings is not None:
        kept = table["sequence_sha256"].map(embeddings.__contains__).to_numpy(dtype=bool)
        if not kept.all():
            print(f"{name}: {int((~kept).sum())} of {len(table)} proteins left out, without embedding", file=sys.stderr)
    if not kept.any():
        raise FoldgraftError(f"{name}: no labelled protein has both a place in {inputs.split} and an embedding")
    vectors = None
    if embeddings is not None:
        vectors = StoredVectors(embeddings, layer_numbers(experiment.layers, inputs.trunk.layers))
        if read == "residues":
            vectors.check_residues()
    rows = np.flatnonzero(kept)
    table = table.iloc[rows].reset_index(drop=True)
    covariates = _covariates(experiment, table, inputs) if experiment.covariates else None
    return SequenceExamples(
        tasks, table, [[values[row] for row in rows] for values in truth], read, vectors, covariates
    )


def _covariates(experiment: Experiment, table: pd.DataFrame, inputs: Inputs) -> Covariates:
    known = label_records.read_description(inputs.labels).covariates
    absent = [name for name in experiment.covariates if name not in known]
    if absent:
        raise FoldgraftError(
            f"covariates: {absent[0]!r} is none of the table's columns.covariates ({', '.join(known) or 'none'})"
        )
    columns = [known.index(name) for name in experiment.covariates]
    return encode(experiment.covariates, [[row[column] for column in columns] for row in table["covariates"]])


def _from_targets(name: str, tasks: Sequence[Task], inputs: Inputs) -> tuple[pd.DataFrame, list[list[np.ndarray]]]:
    """Chains by their targets; of chains with one sequence the first by id serves, so that no protein counts twice."""
    rows, truth = [], []
    for path in progress(list(inputs.targets), f"{name}: shards of targets"):
        for chain in read_targets(path):
            rows.append((chain.id, chain.sequence, chain.sequence_sha256))
            truth.append([TRUTH[task.name](chain) for task in tasks])
    table = pd.DataFrame(rows, columns=["id", "sequence", "sequence_sha256"]).assign(number=range(len(rows)))
    chains = placed(name, table, inputs.split, "structures").sort_values("id", kind="stable")
    chains = chains.drop_duplicates("sequence_sha256", ignore_index=True)
    return chains, [[truth[number][task] for number in chains["number"]] for task in range(len(tasks))]


def pair_examples(
    name: str, experiment: Experiment, tasks: Sequence[Task], inputs: Inputs, spool: Path
) -> tuple[PairExamples, np.ndarray]:
    """Chains of pair-level tasks, and whether each trains or validates; the others are predicted alone.

    Raises
    ------
    FoldgraftError
        if there are too few chains, inputs that the features need are missing, or embeddings are another trunk's.
    """
    if experiment.reads("coevolution") and not inputs.coevolution:
        raise FoldgraftError("features: `coevolution` needs the msa stage's scores (--coevolution), and none are given")
    vectors, tuned = None, experiment.unfreeze != 0
    if experiment.reads("embedding") and not tuned:
        embeddings = Embeddings(inputs.embeddings)
        require_trunk(embeddings, inputs.trunk)
        vectors = StoredVectors(embeddings, layer_numbers(experiment.layers, inputs.trunk.layers))
        vectors.check_residues()
    table = _choose_chains(name, experiment, inputs)
    if vectors is not None:
        kept = table["sequence_sha256"].map(vectors.embeddings.__contains__).to_numpy(dtype=bool)
        if not kept.all():
            print(f"{name}: {int((~kept).sum())} of {len(kept)} chains left out, without embedding", file=sys.stderr)
        table = table[kept]
    chosen = table.set_index("id")[["fold", "learnt"]]
    coevolution = _coevolution(inputs.coevolution, set(table["sequence_sha256"]))
    chains = list(_chains(name, tasks, inputs, chosen["fold"].to_dict(), coevolution))
    chains.sort(key=lambda chain: chain.id)
    learnt = np.array([bool(chosen.at[chain.id, "learnt"]) for chain in chains])
    what = (tasks, chains, experiment.head, experiment.features, inputs.trunk)
    if tuned:
        return TunedPairExamples(*what, trunk_layers(experiment, inputs.trunk), experiment.seed), learnt
    return PairExamples(*what, vectors, spool, experiment.seed), learnt


def trunk_layers(experiment: Experiment, trunk: Trunk) -> list[int]:
    """Layers of a trunk that is trained along whose embeddings are read; of pairs, none without that feature."""
    if experiment.features is not None and not experiment.reads("embedding"):
        return []
    return layer_numbers(experiment.layers, trunk.layers)


def _choose_chains(name: str, experiment: Experiment, inputs: Inputs) -> pd.DataFrame:
    """Columns id, sequence_sha256, fold, learnt; of chains with one sequence one serves."""
    limits, max_tokens = experiment.pairs, inputs.trunk.network.architecture.max_tokens
    longest = limits.max_length
    if experiment.unfreeze != 0 and max_tokens:  # a trunk that is trained reads a chain as a whole
        longest = min(longest, max_tokens - AROUND)
    table = read_frames(inputs.targets, TARGETS, ["id", "sequence", "sequence_sha256"])
    table = table.assign(length=table["sequence"].str.len()).drop(columns="sequence")
    long = int((table["length"] > longest).sum())
    if long:
        print(f"{name}: {long} chains left out, longer than {longest} residues", file=sys.stderr)
    table = placed(name, table[table["length"] <= longest], inputs.split, "structures")
    rng = np.random.default_rng(experiment.seed)
    table = table.iloc[rng.permutation(len(table))].drop_duplicates("sequence_sha256", ignore_index=True)
    order = table.groupby("fold").cumcount()  # by the draw, within each fold
    if experiment.cross_validate:
        learns = np.ones(len(table), dtype=bool)
        predicted = order < limits.max_predicted
    else:
        learns = (table["fold"] != TEST_FOLD).to_numpy()
        predicted = table["fold"].isin([TEST_FOLD, VALID_FOLD]) & (order < limits.max_predicted)
    learnt = np.zeros(len(table), dtype=bool)
    learnt[np.flatnonzero(learns)[: limits.max_chains]] = True
    return table.assign(learnt=learnt)[learnt | predicted.to_numpy()]


def _chains(
    name: str, tasks: Sequence[Task], inputs: Inputs, folds: dict[str, int], coevolution: Mapping[str, Coevolution]
) -> Iterator[Chain]:
    """The chosen chains with their truth and coevolution; a chain that stands in two shards counts as of the first."""
    left = dict(folds)
    for shard in progress(list(inputs.targets), f"{name}: shards of targets"):
        for chain in read_targets(shard):
            if chain.id not in left:
                continue
            if inputs.coevolution and chain.sequence_sha256 not in coevolution:
                raise FoldgraftError(f"{shard}: {chain.id} has no coevolution scores; rerun the msa stage")
            truth = [TRUTH[task.name](chain)[:, 0] for task in tasks]
            yield Chain(
                id=chain.id,
                sequence=chain.sequence,
                sequence_sha256=chain.sequence_sha256,
                fold=left.pop(chain.id),
                truth=tuple(np.where(np.isnan(values), UNKNOWN, values).astype(np.uint8) for values in truth),
                coevolution=coevolution.get(chain.sequence_sha256),
            )


def _coevolution(paths: Iterable[Path], wanted: Collection[str]) -> dict[str, Coevolution]:
    """Of sequences by their sha256; a chain's may be in an earlier shard."""
    return {
        row["sequence_sha256"]: Coevolution(np.array(row["scores"], dtype=np.float32), row["neff"])
        for path in paths
        for row in read_arrays(path, COEVOLUTION, ["sequence_sha256", "neff", "scores"])
        if row["sequence_sha256"] in wanted
    }

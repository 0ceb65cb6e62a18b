"""Examples at the level of residue pairs: chains, of whose pairs some are sampled or a whole map is seen."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from foldgraft.metrics.contacts import LEAST_SEPARATION
from foldgraft.models.heads.layers import Head
from foldgraft.models.heads.pair import logistic_outputs, symmetric
from foldgraft.models.heads.settings import LogisticSettings, ResidualSettings
from foldgraft.models.trunk import Trunk
from foldgraft.records.pairs import triangle
from foldgraft.tasks.examples import Batch, Loading, Scored
from foldgraft.tasks.pair_batches import Rectangles
from foldgraft.tasks.pair_features import Coevolution, Layout, expand, pair_index
from foldgraft.tasks.sequences import drawn
from foldgraft.tasks.task import Task
from foldgraft.tasks.truth import bin_centres, share_in_contact
from foldgraft.tasks.vectors import Protein, StoredVectors, Vectors

UNKNOWN = 255
"""Truth of a pair that has none."""

NORMALISING = 256
"""Most chains whose embeddings say what mean and deviation are."""


@dataclass(frozen=True)
class Chain:
    """A chain whose pairs are predicted.

    Attributes
    ----------
    truth : tuple of arrays
        of each task, (P,) uint8, `UNKNOWN` where there is none; empty for new sequences.
    """

    id: str
    sequence: str
    sequence_sha256: str
    fold: int = 0
    truth: tuple[np.ndarray, ...] = ()
    coevolution: Coevolution | None = None


class PairExamples:
    """Pairs of chains; those nearer along the chain than six residues are not examples.

    Parameters
    ----------
    tasks : sequence of Task
    chains : sequence of Chain
    head : settings of a pair head
        a logistic head learns from sampled pairs, a residual one from rectangles of the map.
    features : sequence of str
        see `foldgraft.tasks.pair_features.Layout`.
    trunk : Trunk
    vectors : Vectors or None
        for the feature `embedding`.
    spool : Path or None
        folder for the features of whole maps, which a residual head goes through each epoch.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        chains: Sequence[Chain],
        head: LogisticSettings | ResidualSettings,
        features: Sequence[str],
        trunk: Trunk,
        vectors: Vectors | None,
        spool: Path | None = None,
        seed: int = 0,
    ):
        self.tasks, self.chains, self.head, self.trunk = list(tasks), list(chains), head, trunk
        self.layout, self.vectors, self.spool, self.seed = Layout(features, trunk), vectors, spool, seed
        self.table = pd.DataFrame(
            [(c.id, c.sequence, c.sequence_sha256, c.fold) for c in chains],
            columns=["id", "sequence", "sequence_sha256", "fold"],
        )
        self._sampled: dict[int, Batch] = {}

    @property
    def widths(self) -> tuple[int, int]:
        """Of the features of a pair, and of the residue embeddings beside them."""
        return self.layout.width, self.vectors.width if self.vectors is not None else 0

    def read(self) -> Iterator[bytes]:
        if isinstance(self.vectors, StoredVectors):
            yield self.vectors.digest().encode()
        for chain in self.chains:
            if chain.coevolution is not None:
                yield repr(chain.coevolution.neff).encode()
                yield chain.coevolution.scores.tobytes()

    def truth(self, row: int) -> list[Tensor]:
        chain = self.chains[row]
        packed = pair_index(len(chain.sequence)).packed
        return [truth_of(values[packed]) for values in chain.truth]

    def rates(self, rows: np.ndarray) -> list[Tensor]:
        parts = [self.truth(row) for row in rows]
        return [torch.cat(columns) for columns in zip(*parts, strict=True)]

    def prepare(self, head: Head, rows: np.ndarray, seed: int) -> None:
        if self.layout.width:
            head.body.normalise.fit(torch.cat([self.sampled(row).inputs[0] for row in rows]))
        if self.vectors is not None:
            chosen = drawn(rows, NORMALISING, seed)
            head.body.normalise_residues.fit(torch.from_numpy(np.vstack([self.residues(row) for row in chosen])))

    def residues(self, row: int) -> np.ndarray:
        """Residue embeddings of a chain, shape (L, D); D = 0 without."""
        chain = self.chains[row]
        if self.vectors is None:
            return np.zeros((len(chain.sequence), 0), dtype=np.float16)
        return self.vectors.residues(Protein(chain.sequence, chain.sequence_sha256))

    def draw(self, row: int) -> tuple[np.ndarray, float]:
        """Sampled pairs of a chain, the same each time, and their offset; see `sample_pairs`."""
        chain = self.chains[row]
        budget = self.head.pairs_per_chain if isinstance(self.head, LogisticSettings) else 1000
        rng = np.random.default_rng([self.seed, int(chain.sequence_sha256[:8], 16)])
        return sample_pairs(chain, budget, rng, even=any(task.kind != "binary" for task in self.tasks))

    def sampled(self, row: int) -> Batch:
        """Features of sampled pairs of a chain; kept in memory."""
        if row not in self._sampled:
            chain = self.chains[row]
            packed, offset = self.draw(row)
            features = self.layout.gather(self.trunk, chain.sequence, packed, chain.coevolution)
            self._sampled[row] = Batch(
                (torch.from_numpy(features),),
                tuple(truth_of(values[packed]) for values in chain.truth),
                offset=torch.full((len(packed), 1), offset),
            )
        return self._sampled[row]

    def matrix(self, rows: np.ndarray, most: int, seed: int) -> Batch:
        parts = [self.sampled(row) for row in rows]
        return Batch(
            (torch.cat([part.inputs[0] for part in parts]),),
            tuple(torch.cat(columns) for columns in zip(*(part.truth for part in parts), strict=True)),
            offset=torch.cat([part.offset for part in parts]),
        )

    def batches(
        self, rows: np.ndarray, loading: Loading, generator: torch.Generator | None = None
    ) -> Iterable[Batch | None]:
        """Rectangles of maps, one a batch, as many of a chain as cover its length once; in random order. Processes take
        turns with them."""
        return Rectangles(self, np.asarray(rows), generator, loading.share)

    def rectangle(self, row: int, top: int, left: int) -> Batch:
        """The pairs of `crop` residues from `top` on with as many from `left` on."""
        chain = self.chains[row]
        length = len(chain.sequence)
        i = np.arange(top, min(length, top + self.head.crop))
        j = np.arange(left, min(length, left + self.head.crop))
        packed = self.packed(row, i, j)
        near = (np.abs(i[:, None] - j) < LEAST_SEPARATION).ravel()
        truth = []
        for values in chain.truth:
            known = truth_of(values[packed.ravel()])
            known[torch.from_numpy(near)] = torch.nan
            truth.append(known)
        return Batch(self.read_rectangle(row, i, j), tuple(truth))

    def packed(self, row: int, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        """Packed indices of the pairs of the rows i and columns j of a chain's map, shape (I, J); 0 where i
        is j."""
        length = len(self.chains[row].sequence)
        low, high = np.minimum(i[:, None], j), np.maximum(i[:, None], j)
        return np.where(low == high, 0, low * length - low * (low + 1) // 2 + high - low - 1)

    def read_rectangle(self, row: int, i: np.ndarray, j: np.ndarray) -> tuple[Tensor, ...]:
        """What a body reads of the rows i and columns j of a chain's map."""
        packed = self.packed(row, i, j)
        features = np.empty((self.layout.width, packed.size), dtype=np.float32)
        if self.layout.width:
            features[:] = self._whole(row)[:, packed.ravel()]
            features[:, (i[:, None] == j).ravel()] = 0.0
        residues = torch.from_numpy(self.residues(row).astype(np.float32))
        return torch.from_numpy(features).unflatten(1, packed.shape), residues[i], residues[j]

    def _whole(self, row: int) -> np.ndarray:
        """Features of all pairs of a chain, shape (width, P), float16; written to disk when first asked for."""
        assert self.spool is not None
        chain, path = self.chains[row], self.spool / f"{row}.npy"
        if not path.exists():
            pairs = len(triangle(len(chain.sequence))[0])
            shape = (self.layout.width, pairs)
            written = np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=shape)
            for start, values in self.layout.blocks(self.trunk, chain.sequence, np.arange(pairs), chain.coevolution):
                written[start : start + len(values)] = values
            written.flush()
        return np.load(path, mmap_mode="r")

    def _blocks(self, row: int, packed: np.ndarray, device: torch.device) -> Iterator[tuple[int, Tensor]]:
        """Features of pairs of a chain some columns at a time: from disk where training left them, else the trunk."""
        chain = self.chains[row]
        if self.spool is not None and (self.spool / f"{row}.npy").exists():
            whole = self._whole(row)
            for start in range(0, len(whole), self.trunk.heads):
                yield start, torch.from_numpy(whole[start : start + self.trunk.heads][:, packed]).to(device).float()
            return
        for start, values in self.layout.blocks(self.trunk, chain.sequence, packed, chain.coevolution):
            yield start, torch.from_numpy(np.ascontiguousarray(values)).to(device)

    @torch.no_grad()
    def score(self, heads: Sequence[Head], rows: np.ndarray) -> Iterator[Scored]:
        for head in heads:
            head.eval()
        for row in rows:
            each = self._logistic if self.head.name == "logistic" else self._residual
            outputs = each(heads, int(row))
            yield Scored(int(row), [torch.stack(values).float().cpu() for values in zip(*outputs, strict=True)])

    def _logistic(self, heads: Sequence[Head], row: int) -> list[list[Tensor]]:
        index = pair_index(len(self.chains[row].sequence))
        device = next(heads[0].parameters()).device
        outputs = logistic_outputs(heads, self._blocks(row, index.packed, device))
        return [_expanded(values, len(index.packed)) for values in outputs]

    def _residual(self, heads: Sequence[Head], row: int) -> list[list[Tensor]]:
        length = len(self.chains[row].sequence)
        device = next(heads[0].parameters()).device
        i, j = triangle(length)
        packed = torch.from_numpy(pair_index(length).packed)
        residues = torch.from_numpy(self.residues(row).astype(np.float32)).to(device)
        totals = [head.body.first_bias(length) for head in heads]
        for start, values in self._blocks(row, np.arange(len(i)), device):
            square = torch.zeros(len(values), length, length, device=device)
            square[:, i, j] = values
            square[:, j, i] = values
            totals = [total + head.body.columns(start, square) for head, total in zip(heads, totals, strict=True)]
        packed_outputs = []
        for head, total in zip(heads, totals, strict=True):
            hidden = head.body.finish(total, residues, residues)
            outputs = symmetric([layer(hidden) for layer in head.out], length)
            packed_outputs.append([values[packed] for values in outputs])
        return packed_outputs


def sample_pairs(chain: Chain, budget: int, rng: np.random.Generator, even: bool) -> tuple[np.ndarray, float]:
    """Draw pairs of a chain: contacts up to half of the budget, others for the rest; or all evenly.

    Returns
    -------
    packed indices, sorted; offset. The offset is the log ratio of the two sampling rates: a head trained on
    its logit plus the offset predicts, without it, the probability among all pairs (case-control correction; Prentice
    and Pyke 1979, Biometrika 66:403).
    """
    packed = pair_index(len(chain.sequence)).packed
    known = np.all([values[packed] != UNKNOWN for values in chain.truth], axis=0)
    packed = packed[known]
    if even:
        return np.sort(rng.permutation(packed)[:budget]), 0.0
    truth = chain.truth[0][packed] == 1
    contacts, others = packed[truth], packed[~truth]
    taken = rng.permutation(contacts)[: budget // 2]
    rest = rng.permutation(others)[: budget - len(taken)]
    offset = 0.0
    if len(taken) and len(rest):
        offset = float(np.log(len(taken) / len(contacts)) - np.log(len(rest) / len(others)))
    elif len(rest):
        offset = float(-np.log(len(rest) / len(others)))
    return np.sort(np.concatenate([taken, rest])), offset


def truth_of(values: np.ndarray) -> Tensor:
    """Truth as targets take it: shape (N, 1), NaN where there is none."""
    return torch.from_numpy(np.where(values == UNKNOWN, np.nan, values).astype(np.float32))[:, None]


def _expanded(outputs: list[Tensor], count: int) -> list[Tensor]:
    """Outputs for every pair, also of a head without features, whose outputs are its bias."""
    return [values.expand(count, -1) if values.ndim == 1 else values for values in outputs]


def distances(probability: Tensor, length: int) -> dict[str, Any]:
    """Probability of a contact and expected distance of each pair, from the probabilities of the bins (S, 64)."""
    contact = probability.double().numpy() @ share_in_contact()
    distance = probability.double().numpy() @ bin_centres()
    return {
        "score": expand(contact.astype(np.float32), length, 0.0),
        "distance": expand(distance.astype(np.float32), length, np.nan),
    }

"""Examples of residue pairs for heads that train the trunk along: what is of the trunk, each head computes itself."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from foldgraft.models.heads.layers import Head
from foldgraft.models.heads.pair import symmetric
from foldgraft.models.heads.settings import HeadSettings
from foldgraft.models.trunk import Trunk, alphabet
from foldgraft.records.pairs import triangle
from foldgraft.tasks.examples import Batch, Loading, Scored
from foldgraft.tasks.pair_batches import SampledPairs
from foldgraft.tasks.pair_features import Layout, pair_index
from foldgraft.tasks.pairs import Chain, PairExamples, truth_of
from foldgraft.tasks.task import Task
from foldgraft.tasks.vectors import TrunkVectors


class TunedPairExamples(PairExamples):
    """Pairs of chains; parameters as for `PairExamples`.

    Parameters
    ----------
    layers : sequence of int
        whose embeddings are read; none without that feature.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        chains: Sequence[Chain],
        head: HeadSettings,
        features: Sequence[str],
        trunk: Trunk,
        layers: Sequence[int],
        seed: int = 0,
    ):
        vectors = TrunkVectors(trunk, layers) if layers else None
        super().__init__(tasks, chains, head, features, trunk, vectors, seed=seed)
        self.others = Layout([feature for feature in features if feature != "attention"], trunk)
        self.lengths = np.array([len(chain.sequence) for chain in chains], dtype=np.int64)

    def through_trunk(self, rows: np.ndarray) -> int:
        """Residues that an epoch on some chains sends through a trunk that is trained along."""
        times = 1 if self.head.name == "logistic" else -(-self.lengths[rows] // self.head.crop)
        return int((self.lengths[rows] * times).sum())

    def residues(self, row: int) -> np.ndarray:
        """Residue embeddings of a chain by the frozen trunk, which normalisation is fitted to."""
        if self.vectors is not None:
            self.vectors.embed([self.chains[row].sequence], residues=True)
        return super().residues(row)

    def batches(
        self, rows: np.ndarray, loading: Loading, generator: torch.Generator | None = None
    ) -> Iterable[Batch | None]:
        """Rectangles of maps for a residual head, the sampled pairs of a chain for a logistic one."""
        if self.head.name == "logistic":
            return SampledPairs(self, np.asarray(rows), generator, loading.share)
        return super().batches(rows, loading, generator)

    def pairs(self, row: int) -> Batch:
        """Sampled pairs of a chain."""
        chain, (packed, offset) = self.chains[row], self.draw(row)
        truth = tuple(truth_of(values[packed]) for values in chain.truth)
        return Batch(self._read_pairs(row, packed), truth, offset=torch.full((len(packed), 1), offset))

    def _read_pairs(self, row: int, packed: np.ndarray) -> tuple[Tensor, ...]:
        chain = self.chains[row]
        i, j = (torch.from_numpy(numbers[packed]) for numbers in triangle(len(chain.sequence)))
        others = self.others.gather(self.trunk, chain.sequence, packed, chain.coevolution)
        return _tokens(chain), i, j, torch.from_numpy(others.T.copy())

    def read_rectangle(self, row: int, i: np.ndarray, j: np.ndarray) -> tuple[Tensor, ...]:
        chain, packed = self.chains[row], self.packed(row, i, j)
        pairs = i[:, None] != j
        others = np.zeros((self.others.width, *packed.shape), dtype=np.float32)
        others[:, pairs] = self.others.gather(self.trunk, chain.sequence, packed[pairs], chain.coevolution).T
        return _tokens(chain), torch.from_numpy(i), torch.from_numpy(j), torch.from_numpy(others)

    @torch.no_grad()
    def score(self, heads: Sequence[Head], rows: np.ndarray) -> Iterator[Scored]:
        device = next(heads[0].parameters()).device
        for head in heads:
            head.eval()
        for row in map(int, rows):
            length = len(self.chains[row].sequence)
            packed, everything = pair_index(length).packed, np.arange(length)
            single = self.head.name == "logistic"
            inputs = self._read_pairs(row, packed) if single else self.read_rectangle(row, everything, everything)
            outputs = [head([tensor.to(device) for tensor in inputs]) for head in heads]
            if not single:
                outputs = [[values[packed] for values in symmetric(each, length)] for each in outputs]
            yield Scored(row, [torch.stack(values).float().cpu() for values in zip(*outputs, strict=True)])


def _tokens(chain: Chain) -> Tensor:
    return torch.from_numpy(alphabet.batch([alphabet.encode(chain.sequence)]))

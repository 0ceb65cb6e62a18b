"""What pair heads read of a residue pair: attention, coevolution, separation; assembled a block at a time.

Training gathers the blocks for sampled pairs, prediction streams them for all pairs of a chain; both take them from
here, so the two cannot disagree.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from foldgraft.errors import FoldgraftError
from foldgraft.metrics.contacts import LEAST_SEPARATION
from foldgraft.models.trunk import Trunk
from foldgraft.records.pairs import triangle

BINS = (6, 8, 10, 12, 16, 20, 24, 32, 48, 96)
"""Lower edges, in residues, of the separation classes that get a feature each."""


class Coevolution(NamedTuple):
    """Coevolution of one chain."""

    scores: np.ndarray  # (P,)
    neff: float


class PairIndex(NamedTuple):
    """The pairs of a chain that are predicted: their indices in the packed order, and their residues."""

    packed: np.ndarray  # (S,)
    i: np.ndarray  # (S,)
    j: np.ndarray  # (S,)


def pair_index(length: int) -> PairIndex:
    """All pairs of a chain of this length that are at least `LEAST_SEPARATION` apart: nearer ones are not
    predicted."""
    i, j = triangle(length)
    packed = np.flatnonzero(j - i >= LEAST_SEPARATION)
    return PairIndex(packed, i[packed], j[packed])


def expand(values: np.ndarray, length: int, near: float) -> np.ndarray:
    """Values of the predicted pairs of a chain among all its pairs, shape (S,) to (P,); `near` for the others."""
    full = np.full(length * (length - 1) // 2, near, dtype=np.float32)
    full[pair_index(length).packed] = values
    return full


class Layout:
    """Which columns of the feature matrix hold what.

    Parameters
    ----------
    features : sequence of str
        of attention, coevolution, separation, embedding; the last has no columns, since heads combine the embeddings
        of two residues themselves.
    trunk : Trunk
        whose attention maps are features.
    """

    def __init__(self, features: Sequence[str], trunk: Trunk):
        self.features = tuple(features)
        layers, heads = trunk.layers, trunk.heads
        self.names: list[str] = []
        if "attention" in features:
            self.names += [f"attention.{layer}.{head}" for layer in range(layers) for head in range(heads)]
        if "coevolution" in features:
            self.names += ["coevolution.z", "coevolution.z_log_neff"]
        if "separation" in features:
            self.names += ["separation.log", *(f"separation.{low}" for low in BINS)]

    @property
    def width(self) -> int:
        """Number of columns."""
        return len(self.names)

    def blocks(
        self, trunk: Trunk, sequence: str, packed: np.ndarray, coevolution: Coevolution | None
    ) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (first column, values of shape (columns, S)) for the pairs with the indices `packed`.

        A chain without coevolution gets zeros, like one whose alignment says nothing.
        """
        start = 0
        if "attention" in self.features:
            for values in trunk.attention(sequence, packed):
                yield start, values
                start += len(values)
        if "coevolution" in self.features:
            values = _coevolution(coevolution, len(sequence), packed)
            yield start, values
            start += len(values)
        if "separation" in self.features:
            yield start, _separation(len(sequence), packed)

    def gather(self, trunk: Trunk, sequence: str, packed: np.ndarray, coevolution: Coevolution | None) -> np.ndarray:
        """The features of the pairs with the indices `packed`; shape (S, width), float32."""
        matrix = np.empty((len(packed), self.width), dtype=np.float32)
        for start, values in self.blocks(trunk, sequence, packed, coevolution):
            matrix[:, start : start + len(values)] = values.T
        return matrix


def _coevolution(coevolution: Coevolution | None, length: int, packed: np.ndarray) -> np.ndarray:
    """Scores in standard deviations of the chain's predicted pairs, and the same times the log of Neff; (2, S)."""
    if coevolution is None:
        return np.zeros((2, len(packed)), dtype=np.float32)
    pairs = length * (length - 1) // 2
    if len(coevolution.scores) != pairs:
        raise FoldgraftError(
            f"a chain of {length} residues has {len(coevolution.scores)} coevolution scores, not {pairs}; "
            "rerun the msa stage"
        )
    among = coevolution.scores[pair_index(length).packed].astype(np.float64)
    spread = among.std()
    z = (coevolution.scores[packed] - among.mean()) / spread if spread > 0 else np.zeros(len(packed))
    return np.stack([z, z * np.log1p(max(coevolution.neff, 0.0))]).astype(np.float32)


def _separation(length: int, packed: np.ndarray) -> np.ndarray:
    """The log of |i - j|, and which of `BINS` it falls into; (1 + bins, S)."""
    i, j = triangle(length)
    apart = (j - i)[packed]
    member = np.searchsorted(BINS, apart, side="right") - 1
    return np.stack([np.log(apart), *(member == k for k in range(len(BINS)))]).astype(np.float32)

"""Batches of residue pairs: what of which chain comes when, in an order that all processes share."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from foldgraft.tasks.examples import Batch


class _Turns(ABC):
    """The batches of one epoch, in an order that is drawn again each time; processes take turns with them.

    Parameters
    ----------
    examples : PairExamples
    rows : array of int
        numbers of the chains that take part.
    generator : torch.Generator or None
        of the order; the same order each time by default.
    share : (int, int)
        which of how many processes this is.
    """

    def __init__(self, examples: Any, rows: np.ndarray, generator: torch.Generator | None, share: tuple[int, int]):
        self.examples, self.rows, self.share = examples, rows, share
        self.generator = generator or torch.Generator().manual_seed(0)

    def __len__(self) -> int:
        return sum(self.count(row) for row in self.rows)

    def __iter__(self) -> Iterator[Batch | None]:
        wanted = [int(row) for row in self.rows for _ in range(self.count(row))]
        process, processes = self.share
        for turn, number in enumerate(torch.randperm(len(wanted), generator=self.generator).tolist()):
            yield self.batch(wanted[number], turn % processes == process)

    @abstractmethod
    def count(self, row: int) -> int:
        """Batches of a chain."""

    @abstractmethod
    def batch(self, row: int, taken: bool) -> Batch | None:
        """The next batch of a chain; None where another process takes it."""


class Rectangles(_Turns):
    """Rectangles of maps at random positions, as many of a chain as cover its length once."""

    def count(self, row: int) -> int:
        return -(-len(self.examples.chains[row].sequence) // self.examples.head.crop)

    def batch(self, row: int, taken: bool) -> Batch | None:
        spare = max(0, len(self.examples.chains[row].sequence) - self.examples.head.crop)
        top, left = torch.randint(spare + 1, (2,), generator=self.generator).tolist()
        return self.examples.rectangle(row, top, left) if taken else None


class SampledPairs(_Turns):
    """The sampled pairs of a chain, one chain a batch."""

    def count(self, row: int) -> int:
        return 1

    def batch(self, row: int, taken: bool) -> Batch | None:
        return self.examples.pairs(row) if taken else None

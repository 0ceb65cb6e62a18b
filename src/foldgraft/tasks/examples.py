"""Examples as a head meets them: batches for training, a matrix for convex heads, outputs protein by protein."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from foldgraft.models.heads.layers import Head
from foldgraft.tasks.task import Task


class Batch(NamedTuple):
    """What a head is fitted to; N examples are proteins, residues or residue pairs."""

    inputs: tuple[Tensor, ...]  # the arguments of the head's body
    truth: tuple[Tensor, ...]  # of each task, (N, T), NaN where it is not known
    covariates: Tensor | None = None  # (N, C)
    offset: Tensor | None = None  # (N, 1), added to outputs in training only: the log of how unevenly they were drawn

    def to(self, device: torch.device) -> "Batch":
        """The batch on a device."""
        return Batch(
            tuple(tensor.to(device, non_blocking=True) for tensor in self.inputs),
            tuple(tensor.to(device, non_blocking=True) for tensor in self.truth),
            None if self.covariates is None else self.covariates.to(device),
            None if self.offset is None else self.offset.to(device),
        )

    def outputs(self, head: Head) -> list[Tensor]:
        """Outputs of a head for each task, shape (N, K), with the offset."""
        outputs = head(self.inputs, self.covariates)
        return outputs if self.offset is None else [values + self.offset for values in outputs]


class Scored(NamedTuple):
    """What an ensemble of M heads says of one protein."""

    row: int
    outputs: list[Tensor]  # of each task, (M, n, K)


class Loading(NamedTuple):
    """How batches are made.

    Attributes
    ----------
    batch_size : int
        proteins of a batch.
    workers : int
        processes that load beside this one.
    share : (int, int)
        which of how many training processes this is; each gets a part of every batch, or of the batches.
    """

    batch_size: int
    workers: int = 0
    share: tuple[int, int] = (0, 1)


class Examples(Protocol):
    """Proteins with what is known of them, at one level.

    Attributes
    ----------
    tasks : list of Task
    table : frame
        columns id, sequence, sequence_sha256, fold; rows are referred to by their number.
    """

    tasks: list[Task]
    table: pd.DataFrame

    def read(self) -> Iterator[bytes]:
        """What stored values heads read of these proteins, in some form that changes when one of them does."""

    def truth(self, row: int) -> list[Tensor]:
        """Of each task, shape (n, T): n is 1, the number of residues, or that of predicted pairs."""

    def rates(self, rows: np.ndarray) -> list[Tensor]:
        """Truth of each task of all examples of these proteins together, before any was drawn more often."""

    def prepare(self, head: Head, rows: np.ndarray, seed: int) -> None:
        """Fit the head's normalisation to training proteins."""

    def batches(
        self, rows: np.ndarray, loading: Loading, generator: torch.Generator | None = None
    ) -> Iterable[Batch | None]:
        """Training batches of one epoch, of like length; in a fixed order without a generator. None stands for one of
        which this process has no share."""

    def matrix(self, rows: np.ndarray, most: int, seed: int) -> Batch:
        """At most so many training examples at once, for convex heads."""

    def score(self, heads: Sequence[Head], rows: np.ndarray) -> Iterator[Scored]:
        """Outputs of each head for all examples of each protein, on the CPU."""

"""Examples at the level of proteins and of residues."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from foldgraft.models.heads.layers import Head
from foldgraft.models.heads.tokens import tokens
from foldgraft.models.trunk import alphabet
from foldgraft.models.trunk.windows import Window, batches
from foldgraft.tasks.covariates import Covariates
from foldgraft.tasks.examples import Batch, Loading, Scored
from foldgraft.tasks.task import Task
from foldgraft.tasks.vectors import Protein, StoredVectors, Vectors

POOL = 32
"""Batches whose proteins are sorted by length together."""

NORMALISING = {"pooled": 20_000, "residues": 512, "trunk": 256}
"""Most training proteins that say what mean and deviation are."""

NORMALISED = 16
"""Proteins whose embeddings are in memory together for that."""

SCORING = {"pooled": 64, "trunk": 8}
"""Proteins that are scored together, by what is read of them."""

SCORED_RESIDUES = 2048
"""Residues, padding included, that are scored together where all are read; or one protein."""


class SequenceExamples(Dataset[Batch]):
    """Proteins, of which each is an example, or each residue is.

    Parameters
    ----------
    tasks : sequence of Task
        of one level, protein or residue.
    table : frame
        columns id, sequence, sequence_sha256, fold.
    truth : sequence of lists of arrays
        for each task, of each protein, shape (n, T): n is 1, or the number of residues; empty where nothing is known.
    reads : one of pooled, residues, tokens, trunk
        what the head's body reads.
    vectors : Vectors or None
        embeddings; None for heads that read the sequence alone.
    covariates : Covariates or None
        of each protein.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        table: pd.DataFrame,
        truth: Sequence[Sequence[np.ndarray]],
        reads: str,
        vectors: Vectors | None,
        covariates: Covariates | None = None,
    ):
        self.tasks, self.table, self.reads = list(tasks), table, reads
        self.vectors, self.covariates = vectors, covariates
        self.per_residue = self.tasks[0].level == "residue"
        self.known = truth
        self._proteins = [Protein(*pair) for pair in zip(table["sequence"], table["sequence_sha256"], strict=True)]
        self.residues = np.array([len(protein.sequence) for protein in self._proteins], dtype=np.int64)
        self.lengths = np.ones(len(table), dtype=np.int64) if reads == "pooled" else self.residues

    def __len__(self) -> int:
        return len(self.table)

    def through_trunk(self, rows: np.ndarray) -> int:
        """Residues that an epoch on some proteins sends through a trunk that is trained along."""
        return int(self.residues[rows].sum())

    def item(self, row: int) -> np.ndarray:
        """What a body reads of one protein."""
        protein = self._proteins[row]
        if self.reads == "tokens":
            return tokens(protein.sequence)
        if self.reads == "trunk":
            return alphabet.encode(protein.sequence)
        assert self.vectors is not None
        return self.vectors.pooled(protein) if self.reads == "pooled" else self.vectors.residues(protein)

    def read(self) -> Iterator[bytes]:
        if isinstance(self.vectors, StoredVectors):
            yield self.vectors.digest().encode()
        if self.covariates is not None:
            yield self.covariates.values.tobytes()

    def truth(self, row: int) -> list[Tensor]:
        count = int(self.residues[row]) if self.per_residue else 1
        truths = []
        for task, rows in zip(self.tasks, self.known, strict=True):
            known = rows[row]
            if not len(known):
                known = np.full((count, task.target.width), np.nan, dtype=np.float32)
            truths.append(torch.from_numpy(known))
        return truths

    def rates(self, rows: np.ndarray) -> list[Tensor]:
        parts = [self.truth(row) for row in rows]
        return [torch.cat(columns) for columns in zip(*parts, strict=True)]

    def __getitem__(self, rows: list[int]) -> Batch | None:
        if not rows:
            return None
        items = [self.item(row) for row in rows]
        inputs = trunk_tokens(items) if self.reads == "trunk" else collate(items)
        covariates = None
        if self.covariates is not None:
            covariates = torch.from_numpy(self.covariates.values[rows])
        return Batch(inputs, tuple(self.rates(np.asarray(rows))), covariates)

    def prepare(self, head: Head, rows: np.ndarray, seed: int) -> None:
        if head.covariates is not None:
            head.covariates.fit(torch.from_numpy(self.covariates.values[rows]))
        if head.body.normalise is None:
            return
        chosen = drawn(rows, NORMALISING[self.reads], seed)
        if self.reads == "trunk":
            head.body.normalise.fit_parts(self._embedded(head, chosen))
            return
        parts = (chosen[start : start + NORMALISED] for start in range(0, len(chosen), NORMALISED))
        head.body.normalise.fit_parts(torch.from_numpy(np.vstack([self.item(row) for row in part])) for part in parts)

    @torch.no_grad()
    def _embedded(self, head: Head, rows: np.ndarray) -> Iterator[Tensor]:
        """What the untrained trunk within a head gives its body, an example a row, a few proteins at a time."""
        device = next(head.parameters()).device
        for numbers in LengthBuckets(rows, self.lengths, 8):
            batch = self[numbers].to(device)
            values = head.body.embeddings(*batch.inputs).cpu()
            yield values if values.ndim == 2 else values[batch.inputs[1].cpu()]

    def batches(
        self, rows: np.ndarray, loading: Loading, generator: torch.Generator | None = None
    ) -> Iterable[Batch | None]:
        workers = loading.workers
        return DataLoader(
            self,
            sampler=LengthBuckets(rows, self.lengths, loading.batch_size, generator, loading.share),
            batch_size=None,
            generator=torch.Generator(),  # else it draws from the one that dropout draws from
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=torch.cuda.is_available(),
        )

    def matrix(self, rows: np.ndarray, most: int, seed: int) -> Batch:
        if not self.per_residue:
            return self[drawn(rows, most, seed).tolist()]
        total = int(self.residues[rows].sum())
        rng = np.random.default_rng(seed)
        vectors, truth = [], []
        for row in rows:
            count = int(self.residues[row])
            kept = np.arange(count) if total <= most else np.flatnonzero(rng.random(count) < most / total)
            vectors.append(self.item(row)[kept])
            truth.append([values[kept] for values in self.truth(row)])
        inputs = torch.from_numpy(np.concatenate(vectors))
        return Batch((inputs,), tuple(torch.cat(columns) for columns in zip(*truth, strict=True)))

    @torch.no_grad()
    def score(self, heads: Sequence[Head], rows: np.ndarray) -> Iterator[Scored]:
        device = next(heads[0].parameters()).device
        for head in heads:
            head.eval()
        for numbers in self._scored_together(rows):
            batch = self[numbers].to(device)
            outputs = [head(batch.inputs, batch.covariates) for head in heads]  # (M, tasks)
            stacked = [torch.stack(values).float().cpu() for values in zip(*outputs, strict=True)]
            counts = [int(self.residues[row]) if self.per_residue else 1 for row in numbers]
            pieces = zip(*(values.split(counts, dim=1) for values in stacked), strict=True)
            for row, piece in zip(numbers, pieces, strict=True):
                yield Scored(row, list(piece))

    def _scored_together(self, rows: np.ndarray) -> Iterable[list[int]]:
        """Rows of like length, few enough for what is read of them to stay small."""
        if self.reads in SCORING:
            return LengthBuckets(rows, self.lengths, SCORING[self.reads])
        pieces = [Window(int(row), 0, int(self.lengths[row])) for row in rows]
        return ([piece.sequence for piece in batch] for batch in batches(pieces, SCORED_RESIDUES))


class LengthBuckets(Sampler[list[int]]):
    """Batches of proteins of like length, so that little is padding; shuffled again each epoch if given a generator.

    Parameters
    ----------
    rows : array of int
        row numbers that take part.
    lengths : array of int
        of all rows.
    share : (int, int)
        of each batch, which of how many parts; a part may be empty.
    """

    def __init__(
        self,
        rows: np.ndarray,
        lengths: np.ndarray,
        batch_size: int,
        generator: torch.Generator | None = None,
        share: tuple[int, int] = (0, 1),
    ):
        self.rows, self.lengths, self.size, self.generator = np.asarray(rows), lengths, batch_size, generator
        self.share = share

    def __len__(self) -> int:
        return -(-len(self.rows) // self.size)

    def __iter__(self) -> Iterator[list[int]]:
        number, parts = self.share
        return (batch[number::parts] for batch in self._batches())

    def _batches(self) -> Iterator[list[int]]:
        if self.generator is None:
            rows = self.rows[np.argsort(self.lengths[self.rows], kind="stable")]
            yield from (rows[start : start + self.size].tolist() for start in range(0, len(rows), self.size))
            return
        rows = self.rows[torch.randperm(len(self.rows), generator=self.generator).numpy()]
        batches = []
        for start in range(0, len(rows), POOL * self.size):
            pool = rows[start : start + POOL * self.size]
            pool = pool[np.argsort(self.lengths[pool], kind="stable")]
            batches += [pool[k : k + self.size].tolist() for k in range(0, len(pool), self.size)]
        for number in torch.randperm(len(batches), generator=self.generator).tolist():
            yield batches[number]


def collate(items: Sequence[np.ndarray]) -> tuple[Tensor, ...]:
    """Inputs of several proteins, padded to the longest among them.

    Parameters
    ----------
    items : sequence of arrays
        all of shape (F,) for pooled vectors, (L, F) for residue embeddings, or int64 (L,) for tokens.

    Returns
    -------
    vectors (B, F); or padded inputs (B, L, F) or (B, L), zero where padded, and their mask (B, L).
    """
    if items[0].dtype != np.int64 and items[0].ndim == 1:
        return (torch.from_numpy(np.stack(items).astype(np.float32)),)
    lengths = np.array([len(item) for item in items])
    kind = np.int64 if items[0].dtype == np.int64 else np.float32
    padded = np.zeros((len(items), lengths.max(), *items[0].shape[1:]), dtype=kind)
    for row, item in zip(padded, items, strict=True):
        row[: len(item)] = item
    mask = np.arange(lengths.max()) < lengths[:, None]
    return torch.from_numpy(padded), torch.from_numpy(mask)


def trunk_tokens(items: Sequence[np.ndarray]) -> tuple[Tensor, ...]:
    """Tokens of several proteins for the trunk, padded, (B, T), and the mask of their residues, (B, T - 2)."""
    lengths = np.array([len(item) for item in items])
    mask = np.arange(lengths.max()) < lengths[:, None]
    return torch.from_numpy(alphabet.batch(items)), torch.from_numpy(mask)


def drawn(rows: np.ndarray, most: int, seed: int) -> np.ndarray:
    """At most so many of the rows, drawn by the seed, in their order."""
    rows = np.asarray(rows)
    if len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))

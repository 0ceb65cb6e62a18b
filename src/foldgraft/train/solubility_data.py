"""Labelled proteins as batches: the table, the dataset, and batches of like length."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from foldgraft.errors import FoldgraftError
from foldgraft.models.features import Reads, collate, letters
from foldgraft.records import labels as label_records
from foldgraft.records.embeddings import Embeddings
from foldgraft.records.split import SPLIT
from foldgraft.records.tables import read_frame, read_frames
from foldgraft.train.loop import Batch

POOL = 32  # batches whose proteins are sorted by length together


def read_table(split: Path, labels: Sequence[Path], embeddings: Embeddings) -> pd.DataFrame:
    """Labelled proteins that have an embedding and a place in the split, sorted by id.

    Returns
    -------
    columns id, sequence, sequence_sha256, label, split, fold; proteins left out are counted on standard error.

    Raises
    ------
    FoldgraftError
        if none is left.
    """
    table = read_frames(labels, label_records.SCHEMA, ["id", "sequence", "sequence_sha256", "label"])
    places = read_frame(split, SPLIT, ["id", "set", "split", "fold"])
    places = places[places["set"] == "solubility"].drop(columns="set")
    found = table.merge(places, on="id", validate="one_to_one").sort_values("id", ignore_index=True)
    embedded = found["sequence_sha256"].map(embeddings.__contains__).astype(bool)
    for count, reason in ((len(table) - len(found), "not in the split"), (int((~embedded).sum()), "without embedding")):
        if count:
            print(f"labels: {count} of {len(table)} proteins left out, {reason}", file=sys.stderr)
    found = found[embedded].reset_index(drop=True)
    if found.empty:
        raise FoldgraftError(f"{split}: no labelled protein has both a place in the split and an embedding")
    return found


class Proteins(Dataset[Batch]):
    """Labelled proteins; indexed by a list of row numbers, it gives their batch.

    Parameters
    ----------
    table
        as `read_table` gives it.
    reads
        what the head reads: `pooled`, `residue` or `letters`.
    """

    def __init__(self, table: pd.DataFrame, embeddings: Embeddings, reads: Reads):
        self.table, self.embeddings, self.reads = table, embeddings, reads
        self.names, self.sequences = table["sequence_sha256"].tolist(), table["sequence"].tolist()
        self.labels = table["label"].to_numpy(dtype=np.float32)
        self.lengths = np.ones(len(table), int) if reads == "pooled" else table["sequence"].str.len().to_numpy()

    def __len__(self) -> int:
        return len(self.table)

    def item(self, row: int) -> np.ndarray:
        """What a head reads of the protein in this row."""
        if self.reads == "letters":
            return letters(self.sequences[row])
        if self.reads == "pooled":
            return self.embeddings.pooled([self.names[row]], [self.embeddings.depth])[0, 0]
        return self.embeddings.residues(self.names[row])[:, -1]

    def __getitem__(self, rows: list[int]) -> Batch:
        labels = torch.from_numpy(self.labels[rows])
        return Batch(collate([self.item(row) for row in rows]), labels, torch.zeros_like(labels))


class LengthBuckets(Sampler[list[int]]):
    """Batches of proteins of like length, so that little is padding; shuffled anew each epoch if given a generator.

    Parameters
    ----------
    rows
        row numbers of the dataset that take part.
    lengths
        of all rows of the dataset.
    """

    def __init__(
        self, rows: np.ndarray, lengths: np.ndarray, batch_size: int, generator: torch.Generator | None = None
    ):
        self.rows, self.lengths, self.size, self.generator = rows, lengths, batch_size, generator

    def __len__(self) -> int:
        return -(-len(self.rows) // self.size)

    def __iter__(self) -> Iterator[list[int]]:
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


def loader(
    proteins: Proteins,
    rows: np.ndarray,
    batch_size: int,
    generator: torch.Generator | None = None,
    workers: int = 0,
    device: torch.device | None = None,
) -> DataLoader[Batch]:
    """Batches of some rows; in a fixed order without a generator."""
    return DataLoader(
        proteins,
        sampler=LengthBuckets(rows, proteins.lengths, batch_size, generator),
        batch_size=None,
        generator=torch.Generator(),  # else it draws from the one that dropout draws from
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=device is not None and device.type == "cuda",
    )

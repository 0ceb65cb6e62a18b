"""A table of predicted solubilities, one row per record."""

import csv
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from foldgraft.models.features import collate, letters
from foldgraft.models.head_file import Trained
from foldgraft.models.heads import HEADS, logits
from foldgraft.models.trunk import Trunk
from foldgraft.predict.sequences import Candidate, chunks
from foldgraft.progress import progress
from foldgraft.records.files import atomic

CHUNK = 256  # sequences whose embeddings are in memory together
BATCH = 16


def write_table(path: Path, records: Iterable[Candidate], heads: Sequence[Trained], trunk: Trunk) -> None:
    """Write id, length, the mean over the members with their extremes for every head, and the reason of a rejection.

    The columns of a head are named after the task if it is the only one, else after its experiment. Memory does not
    grow with the number of records.
    """
    names = [head.info.name if len(heads) > 1 else head.info.task for head in heads]
    columns = [f"{name}{end}" for name in names for end in ("", "_low", "_high")]
    with atomic(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(["id", "length", *columns, "reason"])
        for record, values in progress(_predicted(records, heads, trunk), "sequences"):
            numbers = [f"{value:.6f}" if math.isfinite(value) else "" for value in values]
            writer.writerow([record.id, len(record.sequence), *numbers, record.reason])


def _predicted(
    records: Iterable[Candidate], heads: Sequence[Trained], trunk: Trunk
) -> Iterator[tuple[Candidate, np.ndarray]]:
    """Yield each record with its row of numbers, NaN where it was rejected."""
    for chunk in chunks(records, CHUNK):
        rows = np.full((len(chunk), 3 * len(heads)), np.nan)
        good = [number for number, record in enumerate(chunk) if not record.reason]
        if good:
            sequences = [chunk[number].sequence for number in good]
            rows[good] = np.hstack(predict(sequences, heads, trunk))
        yield from zip(chunk, rows, strict=True)


def predict(sequences: Sequence[str], heads: Sequence[Trained], trunk: Trunk) -> list[np.ndarray]:
    """Mean, lowest and highest probability over the members of each head; shape (N, 3) per head."""
    embedded = [np.empty(0)] * len(sequences)
    if any(HEADS[head.info.head].reads != "letters" for head in heads):
        embedded = list(trunk.embed(sequences))
    return [_head(head, sequences, embedded, trunk.device) for head in heads]


def _head(head: Trained, sequences: Sequence[str], embedded: Sequence[np.ndarray], device: torch.device) -> np.ndarray:
    reads = HEADS[head.info.head].reads
    found = np.empty((len(sequences), 3))
    order = sorted(range(len(sequences)), key=lambda number: len(sequences[number]))
    for batch in chunks(order, BATCH):
        items = [_item(reads, sequences[number], embedded[number]) for number in batch]
        inputs, mask = (tensor.to(device) for tensor in collate(items))
        p = head.probabilities(logits(head.members, inputs, mask))  # (M, B)
        found[batch] = torch.stack([p.mean(dim=0), p.amin(dim=0), p.amax(dim=0)], dim=1).cpu().numpy()
    return found


def _item(reads: str, sequence: str, embedded: np.ndarray) -> np.ndarray:
    """What a head reads, rounded as the cached embeddings are that it was trained on."""
    if reads == "letters":
        return letters(sequence)
    if reads == "pooled":
        return embedded.mean(axis=0).astype(np.float16)
    return embedded.astype(np.float16)

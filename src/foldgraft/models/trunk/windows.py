"""How sequences are cut into windows and gathered into batches before they meet the trunk."""

from collections.abc import Iterable, Iterator, Sequence
from math import ceil
from typing import NamedTuple

import numpy as np
import torch

from foldgraft.records.pairs import triangle

BATCHES_AT_ONCE = 16


class Window(NamedTuple):
    """Residues start to stop (exclusive) of the sequence with this number."""

    sequence: int
    start: int
    stop: int

    @property
    def length(self) -> int:
        return self.stop - self.start


def windows(length: int, longest: int) -> list[tuple[int, int]]:
    """(start, stop) of evenly spread windows that cover a sequence; neighbours overlap by half a window or more.

    A sequence no longer than `longest` is one window.
    """
    count = 1 + ceil(max(0, length - longest) / max(1, longest // 2))
    starts = np.linspace(0, max(0, length - longest), count).round().astype(int)
    return [(int(start), min(length, int(start) + longest)) for start in starts]


def block_residues(batch_tokens: int, layers: int) -> int:
    """Residues whose sequences are sorted by length together: fewer, the more layers of them are held in memory."""
    return batch_tokens * max(1, BATCHES_AT_ONCE // max(1, layers))


def blocks(sequences: Iterable[str], residues: int) -> Iterator[list[str]]:
    """Consecutive sequences in lists of at least this many residues, so that what is held at once is bounded."""
    block, total = [], 0
    for sequence in sequences:
        block.append(sequence)
        total += len(sequence)
        if total >= residues:
            yield block
            block, total = [], 0
    if block:
        yield block


def batches(pieces: Sequence[Window], tokens: int) -> Iterator[list[Window]]:
    """Windows of like length, longest first; a batch padded to its longest has at most `tokens` tokens, or one row."""
    batch: list[Window] = []
    for piece in sorted(pieces, key=lambda piece: (-piece.length, piece)):
        if batch and (batch[0].length + 2) * (len(batch) + 1) > tokens:
            yield batch
            batch = []
        batch.append(piece)
    if batch:
        yield batch


def pair_numbers(length: int, start: int, stop: int) -> np.ndarray:
    """Where a window's pairs stand among the packed pairs of the chain; (W * (W - 1) / 2,) for W = stop - start."""
    i, j = triangle(stop - start)
    i, j = i + start, j + start
    return i * length - i * (i + 1) // 2 + j - i - 1


def cover(length: int, spans: list[tuple[int, int]]) -> np.ndarray:
    """How many windows hold each residue; shape (L,)."""
    held = np.zeros(length, dtype=np.float32)
    for start, stop in spans:
        held[start:stop] += 1
    return held


def pairs_within(
    length: int, span: tuple[int, int], select: np.ndarray | None
) -> tuple[np.ndarray, torch.Tensor, torch.Tensor]:
    """The pairs of a window: their columns in the result, and both residues' numbers within the window."""
    start, stop = span
    if select is None:
        i, j = triangle(stop - start)
        columns = pair_numbers(length, start, stop) if stop - start < length else np.arange(len(i))
    else:
        i, j = (numbers[select] for numbers in triangle(length))
        columns = np.flatnonzero((i >= start) & (j < stop))
        i, j = i[columns] - start, j[columns] - start
    return columns, torch.from_numpy(i), torch.from_numpy(j)


def pair_cover(count: int, wanted: list[tuple[np.ndarray, torch.Tensor, torch.Tensor]]) -> np.ndarray:
    held = np.zeros(count, dtype=np.float32)
    for columns, _, _ in wanted:
        held[columns] += 1
    return held

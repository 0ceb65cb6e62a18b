"""What solubility heads read: pooled vectors, residue embeddings or letters, collated into padded batches."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from foldgraft.residues import AMINO_ACIDS

Reads = Literal["pooled", "residue", "letters"]

UNKNOWN = len(AMINO_ACIDS) + 1
LETTERS = len(AMINO_ACIDS) + 2
"""Size of the letter vocabulary: 0 is padding, 1 to 20 the amino acids, 21 any other letter."""

_NUMBER = np.full(256, UNKNOWN, dtype=np.int64)
_NUMBER[np.frombuffer(AMINO_ACIDS.encode(), dtype=np.uint8)] = np.arange(1, UNKNOWN)


def letters(sequence: str) -> np.ndarray:
    """Numbers of a sequence's letters; shape (L,), int64."""
    return _NUMBER[np.frombuffer(sequence.encode("latin-1", "replace"), dtype=np.uint8)]


def collate(items: Sequence[np.ndarray]) -> tuple[Tensor, Tensor]:
    """Pad the inputs of several proteins to the longest among them.

    Parameters
    ----------
    items
        all of shape (D,) for pooled vectors, (L, D) for residue embeddings, or int64 (L,) for letters.

    Returns
    -------
    inputs, shape (B, D), (B, L, D) or (B, L), zero where padded; mask, shape (B, L), true at residues, where pooled
    vectors count as one residue.
    """
    if items[0].dtype != np.int64 and items[0].ndim == 1:
        inputs = torch.from_numpy(np.stack(items).astype(np.float32))
        return inputs, torch.ones(len(items), 1, dtype=torch.bool)
    lengths = np.array([len(item) for item in items])
    kind = np.int64 if items[0].dtype == np.int64 else np.float32
    padded = np.zeros((len(items), lengths.max(), *items[0].shape[1:]), dtype=kind)
    for row, item in zip(padded, items, strict=True):
        row[: len(item)] = item
    mask = np.arange(lengths.max()) < lengths[:, None]
    return torch.from_numpy(padded), torch.from_numpy(mask)

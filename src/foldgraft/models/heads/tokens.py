"""Amino acids as numbers, for heads that read the sequence alone."""

import numpy as np

from foldgraft.residues import AMINO_ACIDS

UNKNOWN = len(AMINO_ACIDS) + 1
TOKENS = len(AMINO_ACIDS) + 2
"""Size of the vocabulary: 0 is padding, 1 to 20 the amino acids, 21 anything else."""

_NUMBER = np.full(256, UNKNOWN, dtype=np.int64)
_NUMBER[np.frombuffer(AMINO_ACIDS.encode(), dtype=np.uint8)] = np.arange(1, UNKNOWN)


def tokens(sequence: str) -> np.ndarray:
    """Numbers of a sequence's amino acids; shape (L,), int64."""
    return _NUMBER[np.frombuffer(sequence.encode("latin-1", "replace"), dtype=np.uint8)]

"""Symmetric matrices over the residue pairs of a chain, kept once per pair.

The order is that of `numpy.triu_indices(L, k=1)`: (0, 1), (0, 2), ... (0, L-1), (1, 2), ...
"""

from functools import lru_cache

import numpy as np


@lru_cache(maxsize=8)
def triangle(length: int) -> tuple[np.ndarray, np.ndarray]:
    """Row and column indices of the pairs i < j of a chain; each of shape (L * (L - 1) / 2,).

    The arrays are shared between callers: do not write to them.
    """
    return np.triu_indices(length, k=1)


def pack(matrix: np.ndarray) -> np.ndarray:
    """Upper triangle of a symmetric matrix, shape (..., L, L) to (..., L * (L - 1) / 2)."""
    return matrix[..., _upper(matrix.shape[-1])]


def unpack(values: np.ndarray, length: int, diagonal: float = 0) -> np.ndarray:
    """The symmetric matrix that `pack` packed; shape (L, L), `diagonal` on the diagonal."""
    matrix = np.full((length, length), diagonal, dtype=values.dtype)
    upper = _upper(length)
    matrix[upper] = values
    matrix.T[upper] = values
    return matrix


@lru_cache(maxsize=8)
def _upper(length: int) -> np.ndarray:
    """(L, L) bool; selecting by it keeps the order of `triangle`, and is faster than indices and smaller."""
    return np.triu(np.ones((length, length), dtype=bool), k=1)

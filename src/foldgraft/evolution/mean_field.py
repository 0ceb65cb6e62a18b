"""Coevolution by mean-field direct-coupling analysis (Morcos et al. 2011, doi 10.1073/pnas.1111471108).

With frequencies mixed as f = (1 - p) f_data + p / q (pseudocount p, q = 21 states) the covariance of the one-hot
columns is, on the subspace where the states of a column sum to zero,

    C = p / q I + U^T U,    U = [sqrt((1 - p) w_m) (x_m - mean);  sqrt(p (1 - p)) (mean - 1 / q)],

one row per sequence and one more. Its inverse on that subspace, the negative couplings, is in the zero-sum gauge as it
stands. For fewer sequences than columns Woodbury's identity needs only the (M + 1) x (M + 1) matrix U U^T; and the
letters that a position never shows differ in nothing, so that one column can stand for all of them. Both are exact.
"""

from collections.abc import Callable

import numpy as np
from scipy.linalg import cholesky, solve_triangular
from scipy.linalg.lapack import dpotrf, dpotri

from foldgraft.evolution.a3m import GAP

Rows = Callable[[int, int], np.ndarray]
"""Rows begin to end of a symmetric matrix, from column `begin` on."""

STATES = 21
PAIRS_IN_MEMORY = 8_000_000  # elements of a block of couplings, 64 MB
SHALLOW = 0.65  # rows per column below which Woodbury's identity is the cheaper way; from counting operations


def strengths(codes: np.ndarray, weights: np.ndarray, pseudocount: float, woodbury: bool | None = None) -> np.ndarray:
    """Frobenius norm of each pair's couplings in the zero-sum gauge, over the 20 amino acids (not the gap).

    Parameters
    ----------
    woodbury : bool, optional
        which of the two ways is taken; by default the cheaper one.

    Returns
    -------
    (L, L) float64, symmetric, zero on the diagonal.
    """
    factor, position, letter = _factor(codes, weights, pseudocount)
    ridge = pseudocount / STATES
    if woodbury is None:
        woodbury = len(factor) < SHALLOW * len(position)
    kept = position[letter]
    starts = np.flatnonzero(np.diff(kept, prepend=-1))  # first column of each position
    step = max(1, PAIRS_IN_MEMORY // (GAP * len(kept)))
    if woodbury:
        inner = factor @ factor.T / ridge
        inner[np.diag_indices_from(inner)] += 1.0
        half = solve_triangular(cholesky(inner, lower=True, overwrite_a=True), factor, lower=True, overwrite_b=True)
        half = half[:, letter] / ridge  # (M + 1, columns); couplings are half^T half off the diagonal blocks

        def rows(begin: int, end: int) -> np.ndarray:
            return half[:, begin:end].T @ half[:, begin:]
    else:
        inverse = _inverse(factor, ridge)[np.ix_(letter, letter)]

        def rows(begin: int, end: int) -> np.ndarray:
            return inverse[begin:end, begin:]

    return _norms(rows, starts, len(kept), step)


def _norms(rows: Rows, starts: np.ndarray, columns: int, step: int) -> np.ndarray:
    """Frobenius norms of the blocks of a symmetric matrix, a few positions' rows at a time."""
    length = len(starts)
    edges = np.append(starts, columns)
    squares = np.zeros((length, length))
    for first in range(0, length, step):
        last = min(first + step, length)
        begin = edges[first]
        block = rows(begin, edges[last]) ** 2
        block = np.add.reduceat(block, starts[first:] - begin, axis=1)
        squares[first:last, first:] = np.add.reduceat(block, starts[first:last] - begin, axis=0)
    squares = np.triu(squares, 1)
    return np.sqrt(squares + squares.T)


def _factor(codes: np.ndarray, weights: np.ndarray, pseudocount: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """U of the module's text with merged columns; the position of each column, and whether it is a letter.

    The k letters that a position never shows have equal columns; one column, longer by sqrt(k), replaces them.
    """
    length = codes.shape[1]
    seen = np.stack([(codes == state).any(axis=0) for state in range(STATES)], axis=1)  # (L, 21)
    unseen = GAP - seen[:, :GAP].sum(axis=1)
    # Slots of a position: its 20 letters, its gap, and the one that stands for the letters it never shows.
    slots = np.concatenate([seen[:, :GAP], np.ones((length, 1), bool), (unseen > 0)[:, None]], axis=1)  # (L, 22)
    position, slot = np.nonzero(slots)
    share = (weights / weights.sum())[:, None]
    factor = np.empty((len(codes) + 1, len(position)))
    factor[:-1] = codes[:, position] == slot
    mean = share[:, 0] @ factor[:-1]
    factor[:-1] -= mean
    factor[:-1] *= np.sqrt((1.0 - pseudocount) * share)
    stands_for = np.where(slot > GAP, unseen[position], 1)
    factor[-1] = np.sqrt(pseudocount * (1.0 - pseudocount) * stands_for) * (mean - 1.0 / STATES)
    return factor, position, slot != GAP


def _inverse(factor: np.ndarray, ridge: float) -> np.ndarray:
    """(ridge I + U^T U)^-1, by Cholesky decomposition."""
    matrix = factor.T @ factor
    matrix[np.diag_indices_from(matrix)] += ridge
    # LAPACK counts columns first: the upper triangle of its view is the lower one of ours.
    decomposed, _ = dpotrf(matrix.T, lower=1, overwrite_a=1)
    inverse, _ = dpotri(decomposed, lower=1, overwrite_c=1)
    inverse = np.tril(inverse)
    inverse += np.tril(inverse, -1).T
    return inverse

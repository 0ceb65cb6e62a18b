"""Weights of aligned sequences: relatives share one vote."""

import numpy as np

from foldgraft.evolution.a3m import GAP

BLOCK = 1024


def weights(codes: np.ndarray, identity: float = 0.8) -> np.ndarray:
    """One over the number of sequences within `identity` of each, itself included.

    The identity of two rows is the number of columns in which both have the same amino acid, over the number of amino
    acids in the row that has more of them; so a fragment is not taken for a copy of the whole, and shared gaps count
    for nothing. A row without an amino acid weighs nothing.

    Parameters
    ----------
    codes : (M, L) uint8, see `a3m.encode`

    Returns
    -------
    (M,) float64; their sum is the effective number of sequences. Morcos et al. 2011, doi 10.1073/pnas.1111471108.
    """
    count = len(codes)
    letters, onehot = letters_and_onehot(codes)
    need = identity * letters - 1e-6
    near = np.zeros(count, dtype=np.int64)
    for start in range(0, count, BLOCK):
        stop = min(start + BLOCK, count)
        same = onehot[start:stop] @ onehot[start:].T  # (block, M - start), exact: counts are small integers
        close = same >= np.maximum(need[start:stop, None], need[None, start:])
        near[start:stop] += close.sum(axis=1)
        near[stop:] += close[:, stop - start :].sum(axis=0)
    return np.where(letters > 0, 1.0 / near, 0.0)


def letters_and_onehot(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Amino acids of each row, (M,); and (M, 20 L) float32 with a one for each of them."""
    onehot = np.concatenate([codes == state for state in range(GAP)], axis=1).astype(np.float32)
    return (codes != GAP).sum(axis=1), onehot

"""Mutual information of pairs of columns, gaps left out: the oldest and cheapest measure of coevolution."""

import numpy as np

from foldgraft.evolution.a3m import GAP

BLOCK = 100  # positions at a time


def strengths(codes: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mutual information of each pair of positions, in nats, over the weighted rows with a letter at both.

    Parameters
    ----------
    codes : (M, L) uint8, see `a3m.encode`
    weights : (M,)

    Returns
    -------
    (L, L) float64, symmetric, zero on the diagonal.
    """
    length = codes.shape[1]
    onehot = (codes[:, :, None] == np.arange(GAP, dtype=np.uint8)).astype(np.float32)  # (M, L, 20)
    flat = onehot.reshape(len(codes), -1)
    weighted = (flat * weights[:, None].astype(np.float32)).T
    result = np.zeros((length, length))
    for start in range(0, length, BLOCK):
        stop = min(start + BLOCK, length)
        joint = (weighted[GAP * start : GAP * stop] @ flat).reshape(stop - start, GAP, length, GAP).astype(np.float64)
        joint /= np.maximum(joint.sum(axis=(1, 3), keepdims=True), 1e-30)
        chance = joint.sum(axis=3, keepdims=True) * joint.sum(axis=1, keepdims=True)
        ratio = np.divide(joint, chance, out=np.ones_like(joint), where=joint > 0)
        result[start:stop] = (joint * np.log(ratio)).sum(axis=(1, 3))
    np.fill_diagonal(result, 0.0)
    return (result + result.T) / 2

"""Percentile bootstrap over groups of rows, as integer weights, so that many resamples are measured at once."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import ArrayLike

from foldgraft.progress import progress

CELLS = 4_000_000  # weights held at a time: 32 MB as float64
LEAST_PROTEINS = 5
"""Proteins that a verdict needs. When all n differences have one sign, so has every resample, and the interval leaves
out zero; without any true difference that happens with probability 2^(1 - n), 1 in 8 for four proteins."""

Metrics = dict[str, np.ndarray]


def resampled_weights(groups: ArrayLike, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """Draw whole groups with replacement; a row's weight is how often its group was drawn.

    Parameters
    ----------
    groups : array, shape (n,)
        the group of each row (its cluster, or itself)
    resamples : int
    seed : int

    Yields
    ------
    float64 array, shape (b, n); the b add up to `resamples`.
    """
    names, index = np.unique(np.asarray(groups), return_inverse=True)
    rng = np.random.default_rng(seed)
    step = max(1, CELLS // max(1, len(index)))
    for start in range(0, resamples, step):
        count = min(step, resamples - start)
        drawn = rng.integers(0, len(names), size=(count, len(names)))
        drawn += np.arange(count)[:, None] * len(names)
        counts = np.bincount(drawn.ravel(), minlength=count * len(names)).reshape(count, len(names))
        yield counts[:, index].astype(np.float64)


def evaluate(
    metrics: Callable[[np.ndarray], Metrics], groups: ArrayLike, resamples: int, seed: int, what: str
) -> tuple[Metrics, Metrics]:
    """Values on the rows as they are, each of shape (1,), and on the resamples, each of shape (resamples,).

    `metrics` takes weights of shape (b, n) and gives an array of shape (b,) per metric, NaN where it is undefined.
    """
    groups = np.asarray(groups)
    value = metrics(np.ones((1, len(groups))))
    parts = [metrics(weights) for weights in progress(resampled_weights(groups, resamples, seed), what)]
    return value, {name: np.concatenate([part[name] for part in parts]) for name in value}


def interval(values: np.ndarray) -> tuple[float, float]:
    """2.5 and 97.5 percentiles of the defined values; NaN if none is defined."""
    values = values[np.isfinite(values)]
    if not len(values):
        return float("nan"), float("nan")
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def verdict(low: float, high: float, n: int, lower_is_better: bool = False) -> str:
    """In words, what the interval of a difference (experiment minus baseline) on n proteins says."""
    if not (np.isfinite(low) and np.isfinite(high)):
        return "undefined"
    if n < LEAST_PROTEINS:
        return "too few to tell"
    if lower_is_better:
        low, high = -high, -low
    return "better" if low > 0 else "worse" if high < 0 else "no clear difference"

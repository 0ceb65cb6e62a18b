"""Resampling of whole clusters: percentile bootstrap intervals, and permutation tests of paired differences."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from foldgraft.evaluate.summary import Metrics, Summary
from foldgraft.metrics.catalogue import describe
from foldgraft.progress import progress

CELLS = 4_000_000  # weights held at a time: 32 MB as float64
LEAST_CLUSTERS = 6
"""Clusters that a verdict needs. Of n clusters the two predictors can be exchanged in 2^n ways, and the least p-value
is 2 / 2^n: more than 0.05 for five."""
LEVEL = 0.05


def resampled_weights(groups: ArrayLike, resamples: int, seed: int, step: int = 0) -> Iterator[np.ndarray]:
    """Draw whole groups with replacement; a row's weight is how often its group was drawn.

    Parameters
    ----------
    groups : array, shape (n,)
        The group of each row (its cluster, or itself).
    resamples : int
    seed : int
    step : int
        Resamples at a time, by default as many as fit; it changes no weight.

    Yields
    ------
    float64 array, shape (b, n)
        The b add up to `resamples`.
    """
    names, index = np.unique(np.asarray(groups), return_inverse=True)
    rng = np.random.default_rng(seed)
    for count in _steps(resamples, step or max(1, CELLS // max(1, len(index)))):
        drawn = rng.integers(0, len(names), size=(count, len(names)))
        drawn += np.arange(count)[:, None] * len(names)
        counts = np.bincount(drawn.ravel(), minlength=count * len(names)).reshape(count, len(names))
        yield counts[:, index].astype(np.float64)


def exchanges(groups: ArrayLike, resamples: int, seed: int, step: int) -> Iterator[np.ndarray]:
    """Draw for each group whether two predictors change places on it; 0 or 1, shape (b, n), as `resampled_weights`."""
    names, index = np.unique(np.asarray(groups), return_inverse=True)
    rng = np.random.default_rng(seed)
    for count in _steps(resamples, step):
        yield rng.integers(0, 2, size=(count, len(names)))[:, index].astype(np.float64)


def resample(summary: Summary, groups: ArrayLike, resamples: int, seed: int, what: str) -> tuple[Metrics, Metrics]:
    """Metrics of the proteins as they are, each of shape (1,), and of resamples, each of shape (resamples,).

    Of one cluster every resample is the same, which says nothing of how far the metric varies: all are NaN then.
    """
    step = max(1, CELLS // max(1, summary.cells))
    value = summary.measure(np.ones((1, len(summary))))
    if len(np.unique(np.asarray(groups))) == 1:
        return value, {name: np.full(resamples, np.nan) for name in value}
    drawn = resampled_weights(groups, resamples, seed, step)
    parts = [summary.measure(weights) for weights in progress(drawn, what, -(-resamples // step))]
    return value, {name: np.concatenate([part[name] for part in parts]) for name in value}


def p_values(one: Summary, other: Summary, groups: ArrayLike, resamples: int, seed: int) -> dict[str, float]:
    """Two-sided p-values of the differences between two predictors on the same proteins.

    Null hypothesis: on every cluster of proteins it is chance which of the two made which predictions. Clusters change
    sides at random (a paired permutation test); where ranks matter, they are ranks among a predictor's own scores.

    Parameters
    ----------
    one, other : Summary
        Of the same proteins in the same order.
    groups : array, shape (n,)
        The cluster of each protein.

    Returns
    -------
    dict of str to float
        By metric: (1 + permutations with a difference at least as great) / (1 + permutations); NaN where the
        difference is not defined.
    """
    both, ones = one.beside(other), np.ones((1, len(one)))
    seen = {name: value[0] for name, value in _differences(both, ones).items()}
    step = max(1, CELLS // (2 * max(1, both.cells)))
    parts = [_differences(both, 1 - moved) for moved in exchanges(groups, resamples, seed, step)]
    values = {}
    for name, value in seen.items():
        drawn = np.concatenate([part[name] for part in parts])
        drawn = np.abs(drawn[np.isfinite(drawn)])
        extreme = int((drawn >= abs(value) - 1e-12).sum())
        values[name] = (1 + extreme) / (1 + len(drawn)) if np.isfinite(value) else float("nan")
    return values


def _differences(both: Summary, kept: np.ndarray) -> Metrics:
    """Metrics of the first predictor minus those of the second, who change places where `kept` is 0; shape (b, n)."""
    first = both.measure(np.concatenate([kept, 1 - kept], axis=1))
    second = both.measure(np.concatenate([1 - kept, kept], axis=1))
    return {name: first[name] - second[name] for name in first}


def holm(p: ArrayLike) -> np.ndarray:
    """P-values of a family of tests, corrected by the step-down method of Holm (1979, Scand. J. Stat. 6:65); NaN is
    left out of the family and stays NaN."""
    p = np.asarray(p, dtype=np.float64)
    known = np.flatnonzero(np.isfinite(p))
    order = known[np.argsort(p[known], kind="stable")]
    adjusted = p.copy()
    scaled = p[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return adjusted


def interval(values: np.ndarray) -> tuple[float, float]:
    """2.5 and 97.5 percentiles of the defined values; NaN if none is defined."""
    values = values[np.isfinite(values)]
    if not len(values):
        return float("nan"), float("nan")
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def verdict(metric: str, low: float, high: float, p: float, clusters: int) -> str:
    """In words, what a difference (experiment minus baseline) says.

    Parameters
    ----------
    metric : str
    low, high : float
        Its 95 % interval.
    p : float
        Its corrected p-value; NaN where none was asked for, and the interval decides alone.
    clusters : int
        How many clusters of proteins it stands on.
    """
    if clusters == 1:
        return "too few to tell"
    if not (np.isfinite(low) and np.isfinite(high)):
        return "undefined"
    if clusters < LEAST_CLUSTERS:
        return "too few to tell"
    if describe(metric).lower_is_better:
        low, high = -high, -low
    if p > LEVEL or low <= 0 <= high:
        return "no clear difference"
    return "better" if low > 0 else "worse"


def _steps(total: int, step: int) -> Iterator[int]:
    for start in range(0, total, step):
        yield min(step, total - start)

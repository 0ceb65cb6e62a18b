"""Whether predicted probabilities are frequencies: Brier score, expected calibration error, reliability."""

import numpy as np

from foldgraft.metrics.sums import ratio

Array = np.ndarray

Z95 = 1.959964


def score_bins(score: Array, bins: int) -> Array:
    """Bin of each score, cut at quantiles so that bins hold about as many rows each; equal scores share a bin.

    Returns
    -------
    int array, shape (n,), from 0; no bin is empty.
    """
    edges = np.unique(np.quantile(score, np.linspace(0, 1, bins + 1)[1:-1]))
    return np.unique(np.searchsorted(edges, score, side="right"), return_inverse=True)[1]


def calibration_rows(label: Array, score: Array, bin: Array, bins: int | None = None) -> Array:
    """Count, squared error and, in the column of its bin, label minus score; shape (n, 2 + bins).

    Parameters
    ----------
    label : array, shape (n,)
        0, 1 or a fraction.
    score : array, shape (n,)
        Predicted probability, or fraction.
    bin : int array, shape (n,)
        As `score_bins` gives it.
    bins : int, optional
        Number of bins, by default those that occur.
    """
    gaps = np.zeros((len(label), 2 + (int(np.max(bin)) + 1 if bins is None else bins)))
    gaps[:, 0], gaps[:, 1] = 1.0, (score - label) ** 2
    gaps[np.arange(len(label)), 2 + np.asarray(bin)] = label - score
    return gaps


def calibration(sums: Array) -> dict[str, Array]:
    """Brier score, and expected calibration error: the mean over bins, by weight, of |mean label - mean score|.

    Of sums of shape (b, 2 + bins); each of shape (b,).
    """
    return {"brier": ratio(sums[:, 1], sums[:, 0]), "ece": ratio(np.abs(sums[:, 2:]).sum(axis=1), sums[:, 0])}


def reliability(label: Array, score: Array, bin: Array) -> dict[str, Array]:
    """Points of the reliability curve; each of shape (bins,).

    Returns
    -------
    dict
        `score` and `fraction`, the means of score and label; `ci_low` and `ci_high`, Wilson's 95 % interval of the
        latter (too wide for fractions); `n`, rows of the bin.
    """
    n = np.bincount(bin)
    fraction = np.bincount(bin, weights=label) / n
    low, high = wilson(fraction, n)
    return {"score": np.bincount(bin, weights=score) / n, "fraction": fraction, "ci_low": low, "ci_high": high, "n": n}


def wilson(fraction: Array, n: Array) -> tuple[Array, Array]:
    """Wilson's 95 % score interval of fractions of n (Wilson 1927, doi 10.2307/2276774)."""
    centre = (fraction + Z95**2 / (2 * n)) / (1 + Z95**2 / n)
    half = Z95 / (1 + Z95**2 / n) * np.sqrt(fraction * (1 - fraction) / n + Z95**2 / (4 * n**2))
    return np.maximum(0.0, centre - half), np.minimum(1.0, centre + half)

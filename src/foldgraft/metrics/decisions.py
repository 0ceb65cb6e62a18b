"""Metrics of yes-or-no decisions, and the threshold that makes them out of scores."""

import numpy as np

from foldgraft.metrics.sums import ratio

Array = np.ndarray

MIDDLE = 0.5
"""A label of at least this counts as positive wherever two classes are needed of fractions."""


def decision_rows(truth: Array, called: Array) -> Array:
    """True positives, false positives, false negatives and true negatives; shapes (n,) and (n,), bool, to (n, 4)."""
    truth, called = np.asarray(truth, dtype=bool), np.asarray(called, dtype=bool)
    cells = (truth & called, ~truth & called, truth & ~called, ~truth & ~called)
    return np.stack(cells, axis=1).astype(np.float64)


def decisions(sums: Array) -> dict[str, Array]:
    """MCC, balanced accuracy, F1, precision, recall and accuracy of sums of shape (b, 4); each of shape (b,).

    MCC is 0 where its denominator is 0. Precision is 0 where nothing is called positive. Balanced accuracy is NaN where
    there is a single class; F1, precision and recall are NaN where there are no positives.
    """
    tp, fp, fn, tn = sums.T
    spread = np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    some = tp + fn > 0
    recall = ratio(tp, tp + fn)
    return {
        "mcc": ratio(tp * tn - fp * fn, spread, 0.0),
        "balanced_accuracy": (recall + ratio(tn, tn + fp)) / 2,
        "f1": np.where(some, ratio(2 * tp, 2 * tp + fp + fn, 0.0), np.nan),
        "precision": np.where(some, ratio(tp, tp + fp, 0.0), np.nan),
        "recall": recall,
        "accuracy": ratio(tp + tn, tp + fp + fn + tn),
    }


def best_threshold(truth: Array, score: Array) -> float:
    """The cut halfway between two neighbouring scores with the best MCC; a score at or above it is positive.

    Parameters
    ----------
    truth : bool array, shape (n,)
    score : array, shape (n,)

    Returns
    -------
    float
        Of cuts that are equally good, the one nearest 0.5. NaN where there is a single class or a single score.
    """
    truth = np.asarray(truth, dtype=bool)
    values = np.unique(score)
    if len(values) < 2 or truth.all() or not truth.any():
        return float("nan")
    cuts = values[:-1] + np.diff(values) / 2
    cuts = np.where(cuts > values[:-1], cuts, values[1:])  # neighbours with no number between them
    order = np.argsort(score, kind="stable")
    below = np.searchsorted(np.asarray(score)[order], cuts)  # rows that each cut calls negative
    fn = np.concatenate([[0], np.cumsum(truth[order])])[below].astype(np.float64)
    tn = below - fn
    tp, fp = truth.sum() - fn, (~truth).sum() - tn
    mcc = (tp * tn - fp * fn) / np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    best = cuts[mcc >= mcc.max() - 1e-12]
    return float(best[np.argmin(np.abs(best - MIDDLE))])

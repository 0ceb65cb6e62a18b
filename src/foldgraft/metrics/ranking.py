"""Metrics of the order that scores put rows in: ROC-AUC, PR-AUC and Spearman's correlation.

Shapes: truth and score (n,), weights (b, n), result (b,).
"""

import numpy as np

from foldgraft.metrics.sums import ratio

Array = np.ndarray


def roc_auc(truth: Array, score: Array, weights: Array | None = None) -> Array:
    """Area under the ROC curve: the chance that a positive scores above a negative, ties counted half.

    NaN where there is a single class.
    """
    return _roc_auc(*_class_weights(truth, score, weights))


def areas(truth: Array, score: Array, weights: Array | None = None) -> dict[str, Array]:
    """`roc_auc` as above and `pr_auc` of one sorting of the rows.

    `pr_auc` is the average precision: the sum over thresholds of precision times the gain in recall, without
    interpolation; NaN where there are no positives (scikit-learn says 0).
    """
    positive, negative = _class_weights(truth, score, weights)
    return {"roc_auc": _roc_auc(positive, negative), "pr_auc": _pr_auc(positive, negative)}


def spearman(truth: Array, score: Array, weights: Array | None = None) -> Array:
    """Spearman's rank correlation with mean ranks for ties; NaN where either side is constant."""
    weights = _ones(truth) if weights is None else weights
    x, y = mean_ranks(truth, weights), mean_ranks(score, weights)
    count = weights.sum(axis=1, keepdims=True)
    x = x - ratio((weights * x).sum(axis=1, keepdims=True), count)
    y = y - ratio((weights * y).sum(axis=1, keepdims=True), count)
    spread = np.sqrt((weights * x**2).sum(axis=1) * (weights * y**2).sum(axis=1))
    return ratio((weights * x * y).sum(axis=1), np.where(spread > 1e-9, spread, 0.0))


def mean_ranks(values: Array, weights: Array | None = None) -> Array:
    """Ranks from 1 of each row among the weighted rows, equal values sharing their mean rank; shape (b, n)."""
    weights = _ones(values) if weights is None else weights
    _, group = np.unique(values, return_inverse=True)
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    mass = np.add.reduceat(weights[:, order], starts, axis=1)  # (b, distinct values)
    return (mass.cumsum(axis=1) - (mass - 1) / 2)[:, group]


def _roc_auc(positive: Array, negative: Array) -> Array:
    above = positive.cumsum(axis=1) - positive / 2
    return ratio((negative * above).sum(axis=1), positive.sum(axis=1) * negative.sum(axis=1))


def _pr_auc(positive: Array, negative: Array) -> Array:
    true_positive = positive.cumsum(axis=1)
    precision = ratio(true_positive, true_positive + negative.cumsum(axis=1), 0.0)
    return ratio((positive * precision).sum(axis=1), positive.sum(axis=1))


def _class_weights(truth: Array, score: Array, weights: Array | None) -> tuple[Array, Array]:
    """Weight of positives and of negatives at each distinct score, the highest first; each of shape (b, distinct)."""
    truth = np.asarray(truth, dtype=bool)
    order = np.argsort(-np.asarray(score), kind="stable")
    starts = np.flatnonzero(np.diff(score[order], prepend=np.inf))
    ordered = (_ones(truth) if weights is None else weights)[:, order]
    if not len(starts):
        return np.zeros((len(ordered), 0)), np.zeros((len(ordered), 0))
    positive = np.add.reduceat(ordered * truth[order], starts, axis=1)
    return positive, np.add.reduceat(ordered, starts, axis=1) - positive


def _ones(values: Array) -> Array:
    return np.ones((1, len(values)))

"""Metrics of binary labels and of fractions, for many weightings of the same proteins at once.

Everywhere below `weights` has shape (b, n), `label` and `score` shape (n,), and a metric shape (b,). A weight says how
often a protein was drawn, so that a row of weights stands for a bootstrap resample; ones give the plain metric.
"""

from dataclasses import dataclass

import numpy as np

LOWER_IS_BETTER = {"brier", "ece"}
CUT = 0.5
"""A fraction of at least this counts as soluble wherever a metric needs two classes; Brier score and calibration need
none, and take the fraction itself."""


@dataclass(frozen=True)
class Scored:
    """Labels and predictions of n proteins.

    Attributes
    ----------
    label : (n,) float, 0 or 1 or a fraction
    score : (n,) float, predicted probability (or fraction)
    called : (n,) bool, whether the score reaches the threshold that validation chose
    bin : (n,) int, bin of the score for the calibration error
    """

    label: np.ndarray
    score: np.ndarray
    called: np.ndarray
    bin: np.ndarray

    @property
    def truth(self) -> np.ndarray:
        """The label as two classes; shape (n,), bool."""
        return self.label >= CUT

    @property
    def fractional(self) -> bool:
        """Whether any label is neither 0 nor 1."""
        return bool(np.any((self.label != 0) & (self.label != 1)))


def solubility_metrics(scored: Scored, weights: np.ndarray) -> dict[str, np.ndarray]:
    """All solubility metrics; NaN where one is undefined, as ROC-AUC is for a single class.

    MCC is 0 where its denominator is, precision and F1 are 0 where nothing is called soluble. Spearman's rho and R2 are
    added for labels that are fractions.
    """
    result = ranking(scored.truth, scored.score, weights) | decisions(scored.truth, scored.called, weights)
    total = weights.sum(axis=1)
    result["brier"] = weights @ (scored.score - scored.label) ** 2 / total
    result["ece"] = calibration_error(scored, weights)
    if scored.fractional:
        result["spearman"] = spearman(scored.label, scored.score, weights)
        result["r2"] = r_squared(scored.label, scored.score, weights)
    return result


def ranking(truth: np.ndarray, score: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    """ROC-AUC (ties count half) and PR-AUC (average precision: the step-wise sum that scikit-learn uses)."""
    order = np.argsort(-score, kind="stable")
    starts = np.flatnonzero(np.diff(score[order], prepend=np.inf))  # first of each run of equal scores
    ordered = weights[:, order]
    positive = np.add.reduceat(ordered * truth[order], starts, axis=1)  # (b, distinct scores)
    negative = np.add.reduceat(ordered * ~truth[order], starts, axis=1)
    true_positive, false_positive = positive.cumsum(axis=1), negative.cumsum(axis=1)
    positives, negatives = true_positive[:, -1], false_positive[:, -1]
    with np.errstate(invalid="ignore", divide="ignore"):
        area = np.sum(negative * (true_positive - positive / 2), axis=1) / (positives * negatives)
        reached = true_positive + false_positive
        precision = np.divide(true_positive, reached, out=np.zeros_like(reached), where=reached > 0)
        average = np.sum(positive * precision, axis=1) / positives
    return {"roc_auc": area, "pr_auc": average}


def decisions(truth: np.ndarray, called: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    """MCC, balanced accuracy, F1, precision, recall and accuracy of calls already made."""
    tp, fp = weights @ (truth & called), weights @ (~truth & called)
    fn, tn = weights @ (truth & ~called), weights @ (~truth & ~called)
    spread = np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    some = tp + fn > 0
    recall = _ratio(tp, tp + fn, np.nan)
    return {
        "mcc": _ratio(tp * tn - fp * fn, spread, 0.0),
        "balanced_accuracy": (recall + _ratio(tn, tn + fp, np.nan)) / 2,
        "f1": np.where(some, _ratio(2 * tp, 2 * tp + fp + fn, 0.0), np.nan),
        "precision": np.where(some, _ratio(tp, tp + fp, 0.0), np.nan),
        "recall": recall,
        "accuracy": _ratio(tp + tn, tp + fp + fn + tn, np.nan),
    }


def calibration_error(scored: Scored, weights: np.ndarray) -> np.ndarray:
    """Expected calibration error: the mean over bins, by weight, of |mean label - mean score|."""
    bins = np.eye(scored.bin.max() + 1)[scored.bin]  # (n, bins)
    gap = np.abs(weights @ (bins * (scored.label - scored.score)[:, None]))
    return gap.sum(axis=1) / weights.sum(axis=1)


def score_bins(score: np.ndarray, bins: int) -> np.ndarray:
    """Bins with about as many proteins each, cut at quantiles; equal scores share a bin. Shape (n,), int from 0."""
    edges = np.unique(np.quantile(score, np.linspace(0, 1, bins + 1)[1:-1]))
    found = np.searchsorted(edges, score, side="right")
    return np.unique(found, return_inverse=True)[1]


def spearman(label: np.ndarray, score: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Spearman's rho with mid-ranks; NaN where either side is constant."""
    return _correlation(_weighted_ranks(label, weights), _weighted_ranks(score, weights), weights)


def r_squared(label: np.ndarray, score: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """1 - residual / total sum of squares; negative where the mean would have predicted better."""
    mean = weights @ label / weights.sum(axis=1)
    spread = weights @ label**2 - weights.sum(axis=1) * mean**2
    return 1 - _ratio(weights @ (label - score) ** 2, np.where(spread > 1e-12, spread, 0), np.nan)


def best_threshold(truth: np.ndarray, score: np.ndarray) -> float:
    """The cut between scores with the greatest MCC (score >= cut is soluble); NaN if there is one class or one score.

    Of cuts that are equally good, the one nearest 0.5.
    """
    values = np.unique(score)
    if len(values) < 2 or truth.all() or not truth.any():
        return float("nan")
    cuts = (values[1:] + values[:-1]) / 2
    order = np.argsort(score, kind="stable")
    below = np.searchsorted(score[order], cuts)  # proteins that a cut calls insoluble
    fn = np.concatenate([[0], np.cumsum(truth[order])])[below].astype(np.float64)
    tn = below - fn
    tp, fp = truth.sum() - fn, (~truth).sum() - tn
    mcc = (tp * tn - fp * fn) / np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    best = cuts[mcc >= mcc.max() - 1e-12]
    return float(best[np.argmin(np.abs(best - CUT))])


def _weighted_ranks(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    _, group = np.unique(values, return_inverse=True)
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    mass = np.add.reduceat(weights[:, order], starts, axis=1)  # (b, distinct values)
    return (mass.cumsum(axis=1) - (mass - 1) / 2)[:, group]


def _correlation(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    total = weights.sum(axis=1, keepdims=True)
    x = x - (weights * x).sum(axis=1, keepdims=True) / total
    y = y - (weights * y).sum(axis=1, keepdims=True) / total
    spread = np.sqrt((weights * x**2).sum(axis=1) * (weights * y**2).sum(axis=1))
    return _ratio((weights * x * y).sum(axis=1), np.where(spread > 1e-9, spread, 0), np.nan)


def _ratio(top: np.ndarray, bottom: np.ndarray, otherwise: float) -> np.ndarray:
    return np.divide(top, bottom, out=np.full_like(bottom, otherwise, dtype=np.float64), where=bottom != 0)

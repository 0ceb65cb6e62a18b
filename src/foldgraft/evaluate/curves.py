"""Points of the curves that the report draws."""

import numpy as np
import pandas as pd

from foldgraft.evaluate.classification import Scored
from foldgraft.metrics import calibration

POINTS = 400  # of a curve; more cannot be told apart on a page

ROC = ["experiment", "threshold", "false_positive_rate", "true_positive_rate"]
PR = ["experiment", "threshold", "recall", "precision"]
RELIABILITY = ["experiment", "bin", "score", "fraction", "ci_low", "ci_high", "n"]


def roc_and_pr(name: str, scored: Scored) -> tuple[pd.DataFrame, pd.DataFrame]:
    """ROC and precision-recall points, one per distinct score and at most `POINTS`; empty for a single class."""
    truth = scored.truth
    if truth.all() or not truth.any():
        return pd.DataFrame(columns=ROC), pd.DataFrame(columns=PR)
    order = np.argsort(-scored.score, kind="stable")
    score = scored.score[order]
    last = np.flatnonzero(np.diff(score, append=-np.inf))  # of each run of equal scores
    tp, fp = np.cumsum(truth[order])[last], np.cumsum(~truth[order])[last]
    kept = _thin(len(last))
    tp, fp, cut = tp[kept], fp[kept], score[last][kept]
    roc = pd.DataFrame(
        {
            "experiment": name,
            "threshold": np.concatenate([[np.nan], cut]),
            "false_positive_rate": np.concatenate([[0.0], fp / (~truth).sum()]),
            "true_positive_rate": np.concatenate([[0.0], tp / truth.sum()]),
        }
    )
    pr = pd.DataFrame({"experiment": name, "threshold": cut, "recall": tp / truth.sum(), "precision": tp / (tp + fp)})
    return roc, pr


def reliability(name: str, scored: Scored) -> pd.DataFrame:
    """Mean score and mean label of each bin, with Wilson's 95 % interval of the latter (too wide for fractions)."""
    points = calibration.reliability(scored.label, scored.score, scored.bin)
    return pd.DataFrame({"experiment": name, "bin": np.arange(len(points["n"])), **points})[RELIABILITY]


def _thin(count: int) -> np.ndarray:
    if count <= POINTS:
        return np.arange(count)
    return np.unique(np.linspace(0, count - 1, POINTS).round().astype(int))

"""Points of the curves and plots that the report draws of test proteins."""

import numpy as np
import pandas as pd

from foldgraft.evaluate.predictor import Predictor
from foldgraft.metrics import calibration
from foldgraft.metrics.decisions import MIDDLE

POINTS = 400  # of a curve; more cannot be told apart on a page
SCATTERED = 2000

ROC = ["experiment", "threshold", "false_positive_rate", "true_positive_rate"]
PR = ["experiment", "threshold", "recall", "precision"]
RELIABILITY = ["experiment", "bin", "score", "fraction", "ci_low", "ci_high", "n"]
CONFUSION = ["experiment", "truth", "predicted", "n"]
SCATTER = ["experiment", "id", "truth", "predicted"]


def roc_and_pr(predictor: Predictor) -> tuple[pd.DataFrame, pd.DataFrame]:
    """ROC and precision-recall points, one per distinct score and at most `POINTS`; empty for a single class."""
    one = predictor.examples["test"]
    truth = one.truth[:, 0] >= MIDDLE
    if truth.all() or not truth.any():
        return pd.DataFrame(columns=ROC), pd.DataFrame(columns=PR)
    order = np.argsort(-one.score[:, 0], kind="stable")
    score = one.score[order, 0]
    last = np.flatnonzero(np.diff(score, append=-np.inf))  # of each run of equal scores
    tp, fp = np.cumsum(truth[order])[last], np.cumsum(~truth[order])[last]
    kept = _thin(len(last), POINTS)
    tp, fp, cut = tp[kept], fp[kept], score[last][kept]
    roc = {
        "experiment": predictor.name,
        "threshold": np.concatenate([[np.nan], cut]),
        "false_positive_rate": np.concatenate([[0.0], fp / (~truth).sum()]),
        "true_positive_rate": np.concatenate([[0.0], tp / truth.sum()]),
    }
    pr = {"experiment": predictor.name, "threshold": cut, "recall": tp / truth.sum(), "precision": tp / (tp + fp)}
    return pd.DataFrame(roc), pd.DataFrame(pr)


def reliability(predictor: Predictor, bins: int) -> pd.DataFrame:
    """Mean score and mean label of each bin, with Wilson's 95 % interval of the latter; columns `RELIABILITY`."""
    one = predictor.examples["test"]
    if not len(one.truth):
        return pd.DataFrame(columns=RELIABILITY)
    score = one.score[:, 0].astype(np.float64)
    points = calibration.reliability(one.truth[:, 0], score, calibration.score_bins(score, bins))
    return pd.DataFrame({"experiment": predictor.name, "bin": np.arange(len(points["n"])), **points})[RELIABILITY]


def confusion(predictor: Predictor, names: list[str]) -> pd.DataFrame:
    """How often each class was taken for each; columns `CONFUSION`."""
    one = predictor.examples["test"]
    cells = np.bincount(
        one.truth[:, 0].astype(np.int64) * len(names) + one.score.argmax(axis=1), minlength=len(names) ** 2
    )
    rows = [(predictor.name, true, said) for true in names for said in names]
    return pd.DataFrame([(*row, n) for row, n in zip(rows, cells.tolist(), strict=True)], columns=CONFUSION)


def scatter(predictor: Predictor) -> pd.DataFrame:
    """Truth and prediction of some examples, evenly chosen along the truth; columns `SCATTER`."""
    one = predictor.examples["test"]
    order = np.argsort(one.truth[:, 0], kind="stable")
    rows = order[_thin(len(order), SCATTERED)]
    columns = {"id": one.ids[one.protein[rows]], "truth": one.truth[rows, 0], "predicted": one.score[rows, 0]}
    return pd.DataFrame({"experiment": predictor.name, **columns})


def _thin(count: int, most: int) -> np.ndarray:
    if count <= most:
        return np.arange(count)
    return np.unique(np.linspace(0, count - 1, most).round().astype(int))

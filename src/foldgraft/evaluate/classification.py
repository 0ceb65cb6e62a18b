"""Metrics of binary labels and of fractions."""

from dataclasses import dataclass

import numpy as np

from foldgraft.metrics.calibration import calibration, calibration_rows
from foldgraft.metrics.decisions import MIDDLE, decision_rows, decisions
from foldgraft.metrics.ranking import pr_auc, roc_auc, spearman
from foldgraft.metrics.regression import regression, regression_rows
from foldgraft.metrics.sums import total


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
        return self.label >= MIDDLE

    @property
    def fractional(self) -> bool:
        """Whether any label is neither 0 nor 1."""
        return bool(np.any((self.label != 0) & (self.label != 1)))


def solubility_metrics(scored: Scored, weights: np.ndarray) -> dict[str, np.ndarray]:
    """All solubility metrics, each of shape (b,); NaN where one is undefined, as ROC-AUC is for a single class.

    Spearman's rho and R2 are added for labels that are fractions.
    """
    result = {
        "roc_auc": roc_auc(scored.truth, scored.score, weights),
        "pr_auc": pr_auc(scored.truth, scored.score, weights),
        **decisions(total(decision_rows(scored.truth, scored.called), weights)),
        **calibration(total(calibration_rows(scored.label, scored.score, scored.bin), weights)),
    }
    if scored.fractional:
        result["spearman"] = spearman(scored.label, scored.score, weights)
        result["r2"] = regression(total(regression_rows(scored.label, scored.score), weights))["r2"]
    return result

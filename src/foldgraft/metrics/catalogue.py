"""What the metrics are called, and which way is better."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from foldgraft.metrics.contacts import FRACTIONS, RANGES


@dataclass(frozen=True)
class Metric:
    """A metric as a reader sees it.

    Attributes
    ----------
    title : str
    lower_is_better : bool
    unit : str
        Empty for plain numbers and fractions; `target` for the unit of the predicted value.
    """

    title: str
    lower_is_better: bool = False
    unit: str = ""


METRICS = {
    "roc_auc": Metric("ROC-AUC"),
    "pr_auc": Metric("PR-AUC"),
    "mcc": Metric("MCC"),
    "balanced_accuracy": Metric("balanced accuracy"),
    "accuracy": Metric("accuracy"),
    "Q3": Metric("Q3"),
    "macro_f1": Metric("macro F1"),
    "f1": Metric("F1"),
    "precision": Metric("precision"),
    "recall": Metric("recall"),
    "brier": Metric("Brier score", lower_is_better=True),
    "ece": Metric("calibration error", lower_is_better=True),
    "r2": Metric("R²"),
    "spearman": Metric("Spearman's ρ"),
    "pearson": Metric("Pearson's r"),
    "rmse": Metric("RMSE", lower_is_better=True, unit="target"),
    "mae": Metric("MAE", lower_is_better=True, unit="target"),
    "cross_entropy": Metric("cross-entropy", lower_is_better=True, unit="nats"),
}

THREE_STATES = ("H", "E", "C")
"""Classes whose accuracy is called Q3."""

APART = {"short": "6 to 11", "medium": "12 to 23", "long": "24 and more", "all": "6 and more"}
_CONTACTS = {
    f"{fraction} {name}": Metric(f"{fraction}, {name} ({APART[name]} apart)")
    for name in RANGES
    for fraction in FRACTIONS
}


def describe(name: str) -> Metric:
    """The metric of this name, as `metrics.csv` has it; `mae phi` is that of an angle, `mae phi H` of a state in it."""
    if name in METRICS:
        return METRICS[name]
    if name in _CONTACTS:
        return _CONTACTS[name]
    kind, _, rest = name.partition(" ")
    if kind == "mae" and rest:
        angle, _, state = rest.partition(" ")
        return Metric(f"MAE of {angle}" + (f" in {state}" if state else ""), lower_is_better=True, unit="degrees")
    return Metric(name)


def headline(level: str, target: Mapping[str, Any], fractional: bool = False) -> str:
    """The metric by which a task is judged first.

    Parameters
    ----------
    level : str
        protein, residue or pair
    target : mapping
        `kind` (binary, value, classes or angles) and, of classes and angles, `names`.
    fractional : bool
        Whether labels of a binary target lie between 0 and 1.
    """
    kind = target["kind"]
    if level == "pair":
        return "P@L long" if kind == "binary" else "cross_entropy"
    if kind == "binary":
        return "r2" if fractional else "roc_auc"
    if kind == "classes":
        return "Q3" if set(target["names"]) == set(THREE_STATES) else "accuracy"
    return "r2" if kind == "value" else f"mae {target['names'][-1]}"

"""Metrics of several classes: accuracy (Q3 of three states), macro F1, multi-class MCC, cross-entropy."""

import numpy as np

from foldgraft.metrics.sums import ratio

Array = np.ndarray

SMALLEST = 1e-7
"""Least probability whose logarithm is taken."""


def confusion_rows(truth: Array, predicted: Array, classes: int, group: Array | None = None, groups: int = 0) -> Array:
    """Confusion matrices, the true class first, flattened.

    Parameters
    ----------
    truth, predicted : int array, shape (n,)
        Class of each row, from 0.
    classes : int
        Number of classes K.
    group : int array, shape (n,), optional
        Group of each row; rows of one group are added up.
    groups : int
        Number of groups, where groups are given.

    Returns
    -------
    float64 array, shape (n, K * K) or (groups, K * K)
    """
    group, groups = (np.arange(len(truth)), len(truth)) if group is None else (group, groups)
    cells = (group * classes + truth) * classes + predicted
    counts = np.bincount(cells, minlength=groups * classes**2)
    return counts.reshape(groups, classes**2).astype(np.float64)


def agreement(sums: Array) -> dict[str, Array]:
    """Accuracy, macro F1 and MCC of confusion matrices of shape (b, K * K); each of shape (b,).

    Macro F1 is the mean over the classes that occur in truth or prediction. MCC is that of K classes (Gorodkin 2004,
    doi 10.1016/j.compbiolchem.2004.09.006), 0 where its denominator is 0.
    """
    classes = round(np.sqrt(sums.shape[1]))
    table = sums.reshape(-1, classes, classes)  # (b, true, predicted)
    hit = np.diagonal(table, axis1=1, axis2=2)
    true, called, n = table.sum(axis=2), table.sum(axis=1), table.sum(axis=(1, 2))
    occurring = ((true + called) > 0).sum(axis=1)
    correct = hit.sum(axis=1)
    spread = np.sqrt((n**2 - (called**2).sum(axis=1)) * (n**2 - (true**2).sum(axis=1)))
    return {
        "accuracy": ratio(correct, n),
        "macro_f1": ratio(ratio(2 * hit, true + called, 0.0).sum(axis=1), occurring),
        "mcc": np.where(n > 0, ratio(correct * n - (true * called).sum(axis=1), spread, 0.0), np.nan),
    }


def cross_entropy(truth: Array, probabilities: Array) -> Array:
    """-log of the probability given to the true class, in nats; shapes (n,), int, and (n, K) to (n,)."""
    given = np.take_along_axis(np.asarray(probabilities), np.asarray(truth)[:, None], axis=1)[:, 0]
    return -np.log(np.clip(given.astype(np.float64), SMALLEST, 1.0))

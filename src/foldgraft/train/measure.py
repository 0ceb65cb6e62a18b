"""The metric that early stopping may watch: the task's headline, on whole validation proteins."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from foldgraft.metrics.contacts import precision_at
from foldgraft.metrics.ranking import roc_auc
from foldgraft.tasks.calibration import Calibration
from foldgraft.tasks.pair_features import pair_index
from foldgraft.tasks.target import Target
from foldgraft.tasks.task import Task
from foldgraft.tasks.truth import share_in_contact

RANKED = 12
"""Validation ranks pairs at least this far apart: medium and long range together."""


def headline(
    task: Task, target: Target, outputs: Sequence[Tensor], truth: Sequence[Tensor], lengths: Sequence[int]
) -> float:
    """The task's first metric, so that higher is better; NaN where it is not defined.

    ROC-AUC of a binary target (labels of 0.5 and more are positive), R2 of a value, accuracy of classes, minus the mean
    absolute error of angles in degrees; of pairs, the precision of the L best that are 12 and more apart.
    """
    if task.level == "pair":
        each = [_precision(task, *one) for one in zip(outputs, truth, lengths, strict=True)]
        return float(np.nanmean(each)) if each and not np.isnan(each).all() else float("nan")
    values, known = torch.cat(list(outputs)), torch.cat(list(truth))
    if not torch.isfinite(values).all():
        return float("nan")
    if task.kind == "angles":
        count = target.weight(known).sum()
        return -float(torch.rad2deg(target.loss(values, known, "mae").sum() / count)) if count else float("nan")
    rows = target.weight(known) > 0
    values, labels = values[rows], known[rows, 0].numpy()
    if len(labels) < 2:
        return float("nan")
    if task.kind == "classes":
        return float((values.argmax(-1).numpy() == labels).mean())
    if task.kind == "value":
        error = labels - target.predict(values, Calibration())[:, 0].numpy()
        return float(1 - np.square(error).mean() / labels.var()) if labels.var() > 0 else float("nan")
    return float(roc_auc(labels >= 0.5, values[:, 0].numpy())[0])


def _precision(task: Task, outputs: Tensor, truth: Tensor, length: int) -> float:
    """Fraction of contacts among the L pairs of best score that are at least `RANKED` apart; NaN if there are none."""
    index = pair_index(length)
    score, close = contact_score(task, outputs).numpy(), contact_truth(task, truth).numpy()
    far = np.flatnonzero((index.j - index.i >= RANKED) & ~np.isnan(close))
    if not len(far) or not np.isfinite(score[far]).all():
        return float("nan")
    return precision_at(score[far], close[far] > 0.5, length)


def contact_score(task: Task, outputs: Tensor) -> Tensor:
    """From outputs of pairs, shape (P, K), to what ranks them as contacts, (P,)."""
    if task.kind == "binary":
        return outputs[:, 0]
    return torch.softmax(outputs, dim=-1) @ torch.from_numpy(share_in_contact()).float()


def contact_truth(task: Task, truth: Tensor) -> Tensor:
    """1 for contacts, 0 for other pairs, NaN where it is not known; from a distogram as far as its bins tell."""
    if task.kind == "binary":
        return truth[:, 0]
    near = torch.from_numpy(share_in_contact() > 0.5).float()
    return torch.where(truth[:, 0].isnan(), torch.nan, near[truth[:, 0].nan_to_num().long()])

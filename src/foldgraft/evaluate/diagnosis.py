"""What a pair of loss curves says, in words."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from foldgraft.errors import FoldgraftError

COLUMNS = ["experiment", "member", "finding", "text"]

JUMP = 0.25  # of the whole fall of the training loss, in one epoch, upwards
RISE = 0.05  # of the validation loss's fall, from its least value to the end: overfitting
LEAST_RISE = 0.02  # of the least validation loss itself: a smaller rise is no overfitting
FALL = 0.02  # of the validation loss's fall, over the last quarter: still learning
BELOW = 0.98  # validation over training loss
LEAST_EPOCHS = 4
RUN_COLUMNS = ("member", "fold")


@dataclass(frozen=True)
class Finding:
    """One thing to see in the curves: a word for it, and a sentence for the reader."""

    name: str
    text: str


def by_member(history: pd.DataFrame, where: str) -> dict[str, pd.DataFrame]:
    """The epochs of each member of an experiment, in order; one member named "" where the table knows none.

    Raises
    ------
    FoldgraftError
        if a column that the diagnosis needs is missing.
    """
    missing = {"epoch", "train_loss", "valid_loss"} - set(history.columns)
    if missing:
        raise FoldgraftError(f"{where}: the columns {', '.join(sorted(missing))} are missing")
    by = next((name for name in RUN_COLUMNS if name in history.columns), None)
    groups = {"": history} if by is None else {str(key): rows for key, rows in history.groupby(by)}
    return {name: rows.sort_values("epoch", kind="stable") for name, rows in groups.items()}


def diagnosis_table(histories: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The findings of every experiment and member; the columns are `COLUMNS`."""
    rows = []
    for name, history in histories.items():
        for member, epochs in by_member(history, f"history of {name}").items():
            losses = (epochs[column].to_numpy() for column in ("epoch", "train_loss", "valid_loss"))
            rows += [(name, member, finding.name, finding.text) for finding in diagnose(*losses)]
    return pd.DataFrame(rows, columns=COLUMNS)


def diagnose(epoch: np.ndarray, train: np.ndarray, valid: np.ndarray) -> list[Finding]:
    """Read the loss curves of one training.

    Parameters
    ----------
    epoch, train, valid : array, shape (epochs,)
        epoch number, mean training loss, validation loss; NaN where a loss was not measured

    Returns
    -------
    list of Finding, the gravest first; never empty. Names: `solved`, `diverging`, `too short`, `not learning`,
    `still learning`, `overfitting`, `levelled off`, `jumps`, `validation below training`.
    """
    epoch, train, valid = (np.asarray(values, dtype=np.float64) for values in (epoch, train, valid))
    if len(epoch) == 1 and epoch[0] == 0:
        text = "The head was solved to convergence for a penalty that validation chose: it has no curve to judge."
        return [Finding("solved", text)]
    if len(epoch) < LEAST_EPOCHS:
        return [Finding("too short", f"{len(epoch)} epochs are too few to judge the curve; train longer.")]
    if np.isinf(train).any() or np.isnan(train).all() or np.isinf(valid).any() or np.isnan(valid).all():
        return [Finding("diverging", "The loss became infinite or was never a number: lower the learning rate.")]
    seen = np.isfinite(train) & np.isfinite(valid)
    epoch, train, valid = epoch[seen], train[seen], valid[seen]
    if len(epoch) < LEAST_EPOCHS:
        return [Finding("too short", f"Both losses were measured in {len(epoch)} epochs only: too few to judge.")]
    if _end(train) > train[0] and train[-1] > 1.1 * train.min():
        text = f"The training loss rose from {train[0]:.3g} to {train[-1]:.3g}: lower the learning rate or clip."
        return [Finding("diverging", text), *_jumps(epoch, train)]
    return [_course(epoch, train, valid), *_jumps(epoch, train), *_below(train, valid)]


def _course(epoch: np.ndarray, train: np.ndarray, valid: np.ndarray) -> Finding:
    best = int(np.argmin(valid))
    fall = valid[0] - valid[best]
    if train[0] - train.min() < 0.01 * abs(train[0]):
        text = f"The training loss stayed near {train[0]:.3g}: nothing was learnt. Raise the learning rate."
        return Finding("not learning", text)
    scale = max(fall, 0.01 * abs(valid[best]))
    rise = valid[-1] - valid[best]
    grave = rise > RISE * scale and rise >= LEAST_RISE * abs(valid[best])
    if best < len(valid) - 1 and grave and train[-1] < train[best]:
        return Finding(
            "overfitting",
            f"Validation was best at epoch {epoch[best]:.0f} (loss {valid[best]:.3g}) and rose to {valid[-1]:.3g} "
            "after it while training went on falling: overfitting. The weights kept are those of the epoch that early "
            "stopping liked best.",
        )
    quarter = max(2, len(valid) // 4)
    if valid[-quarter] - valid[-1] > FALL * scale and best >= len(valid) - 2:
        return Finding(
            "still learning",
            f"The validation loss was still falling at the last epoch ({valid[-quarter]:.3g} to {valid[-1]:.3g} over "
            f"the last {quarter}): more epochs would help.",
        )
    text = f"Validation has levelled off; it was best at epoch {epoch[best]:.0f} (loss {valid[best]:.3g})."
    return Finding("levelled off", text)


def _jumps(epoch: np.ndarray, train: np.ndarray) -> list[Finding]:
    steps = np.diff(train)
    fall = max(train[0] - train.min(), 1e-12)
    usual = np.median(np.abs(steps))
    jumps = np.flatnonzero((steps > JUMP * fall) & (steps > 4 * usual)) + 1
    if not len(jumps):
        return []
    where = ", ".join(f"{number:.0f}" for number in epoch[jumps[:5]])
    text = (
        f"The training loss jumps up at epoch {where}. A single jump it recovers from does no harm; repeated ones ask "
        "for a lower learning rate, a longer warm-up or gradient clipping."
    )
    return [Finding("jumps", text)]


def _below(train: np.ndarray, valid: np.ndarray) -> list[Finding]:
    if not _end(valid) < BELOW * _end(train):
        return []
    text = (
        f"Validation loss ({valid[-1]:.3g}) lies below training loss ({train[-1]:.3g}). That is no fault by itself: "
        "dropout and smoothing weigh on the training loss alone, and it is averaged while the weights improve; and a "
        "contact head learns from pairs among which contacts are drawn more often, so its two losses are not of one "
        "scale. Else, should the gap be wide, the validation proteins may be the easier ones, or resemble the training "
        "proteins."
    )
    return [Finding("validation below training", text)]


def _end(values: np.ndarray) -> float:
    return float(np.mean(values[-max(1, len(values) // 4) :]))

"""Predictions of proteins and of residues, read and reduced to a summary for each predictor and split."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from foldgraft.errors import FoldgraftError
from foldgraft.evaluate import kinds
from foldgraft.evaluate.kinds import Examples
from foldgraft.evaluate.summary import Summary
from foldgraft.metrics.decisions import MIDDLE, best_threshold
from foldgraft.records.metrics import BASELINE, TRANSFER
from foldgraft.records.predictions import About, schema_of
from foldgraft.records.split import validation_folds
from foldgraft.records.tables import read_frame

SPLITS = ("test", "valid")


@dataclass
class Predictor:
    """An experiment or a baseline, as evaluation sees it.

    Attributes
    ----------
    name : str
    proteins : dict of str to frame
        By split, its proteins (id, sequence_sha256, fold), sorted by id.
    summary : dict of str to Summary
        By split, of these proteins in this order.
    examples : dict of str to Examples
        By split; none for pairs.
    thresholds : list of (int, float, int)
        Of a binary target: validation fold, the threshold chosen on it, and its examples.
    notes : list of str
    """

    name: str
    proteins: dict[str, pd.DataFrame] = field(default_factory=dict)
    summary: dict[str, Summary] = field(default_factory=dict)
    examples: dict[str, Examples] = field(default_factory=dict)
    thresholds: list[tuple[int, float, int]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def is_baseline(self) -> bool:
        """Whether experiments are compared with it; a head of another table says what learning from this one adds."""
        return self.name.startswith((BASELINE, TRANSFER))

    @property
    def is_transfer(self) -> bool:
        """Whether it is a head that learnt from another table."""
        return self.name.startswith(TRANSFER)

    def note_relatives(self, near: pd.DataFrame) -> None:
        """Note how many test proteins have a relative that the head of another table learnt from.

        Parameters
        ----------
        near : frame
            By id: `leak`, and `method`, which is `none` where that could not be found out.
        """
        if self.is_transfer and len(near):
            tested = near.reindex(self.proteins["test"]["id"])
            leak, blind = tested["leak"].eq(True), int((tested["method"] == "none").sum())
            said = f"test: {int(leak.sum())} of {len(leak)} proteins have a relative that this head learnt from"
            self.notes.append(said + (f"; of {blind} it could not be found out" if blind else ""))

    @property
    def is_constant(self) -> bool:
        """Whether it says the same of all proteins of a fold: that it ranks nothing goes without saying."""
        return self.name == f"{BASELINE}constant"


def read_predictor(path: Path, about: About, states: Mapping[str, str]) -> Predictor:
    """Read proteins and examples of one file; the summaries are yet to be made.

    Parameters
    ----------
    path : Path
    about : About
        What the file states of itself.
    states : mapping of str to str
        Secondary structure of each protein, where it is known and of interest.

    Raises
    ------
    FoldgraftError
        if a protein has two predictions in a split, or a prediction does not fit its protein or is no number.
    """
    frame = checked(path, read_frame(path, schema_of(about)))
    predictor = Predictor(about.experiment)
    for split in SPLITS:
        rows = frame[frame["split"] == split].sort_values("id", kind="stable", ignore_index=True)
        predictor.proteins[split] = rows[["id", "sequence_sha256", "fold"]]
        predictor.examples[split] = _examples(path, rows, about, states)
    return predictor


def checked(path: Path, frame: pd.DataFrame) -> pd.DataFrame:
    """The frame, if each protein has one prediction in a split."""
    twice = frame.duplicated(["split", "id"])
    if twice.any():
        one = frame.loc[twice, "id"].iloc[0]
        raise FoldgraftError(f"{path}: {one!r} has two predictions in one split; rerun the stage that wrote it")
    return frame


def summarise(predictors: Sequence[Predictor], about: About, bins: int) -> None:
    """Make the summaries of all predictors of a task, in place; of a binary target, decide by threshold first."""
    kind, names = about.target["kind"], about.target.get("names", ())
    truth = [one.examples[split].truth[:, 0] for one in predictors for split in SPLITS]
    fractional = any(map(kinds.is_fractional, truth))
    middle = float(np.mean(np.concatenate(truth))) if sum(map(len, truth)) else 0.0
    for predictor in predictors:
        if kind == "binary":
            _decide(predictor)
        for split, one in predictor.examples.items():
            predictor.summary[split] = {
                "binary": lambda one: kinds.binary(one, bins, fractional),
                "value": lambda one: kinds.value(one, middle),
                "classes": lambda one: kinds.classes(one, names),
                "angles": lambda one: kinds.angles(one, names, about.target.get("pi_periodic", ())),
            }[kind](one)


def _examples(path: Path, rows: pd.DataFrame, about: About, states: Mapping[str, str]) -> Examples:
    """The examples of a split whose truth is known."""
    kind, names = about.target["kind"], about.target.get("names", ())
    width = 2 * len(names) if kind == "angles" else 1
    outputs = {"classes": len(names), "angles": width}.get(kind, 1)
    length = np.ones(len(rows), dtype=np.int64) if about.level == "protein" else rows["length"].to_numpy(np.int64)
    protein = np.repeat(np.arange(len(rows)), length)
    score = _stacked(path, rows["score"], length, outputs)
    if about.level == "protein":
        truth = rows["truth"].to_numpy(dtype=np.float64)[:, None]
    else:
        truth = _stacked(path, rows["truth"], length, width)
    known = np.isfinite(truth).any(axis=1)
    if not np.isfinite(score[known]).all():
        raise FoldgraftError(f"{path}: a score is not a number; rerun the stage that wrote it")
    ss3 = None
    if states and about.level == "residue":
        ss3 = np.array(list("".join(_fitting(states.get(i), n) for i, n in zip(rows["id"], length, strict=True))))
        ss3 = ss3[known]
    return Examples(rows["id"].to_numpy(), protein[known], truth[known], score[known], states=ss3)


def _stacked(path: Path, lists: pd.Series, length: np.ndarray, width: int) -> np.ndarray:
    """Lists of each protein, one after the other, as rows of `width` numbers."""
    wrong = [name for name, (values, n) in enumerate(zip(lists, length, strict=True)) if len(values) != n * width]
    if wrong:
        raise FoldgraftError(f"{path}: row {wrong[0]} has another number of values than its protein asks for")
    return np.concatenate([np.zeros(0, np.float32), *lists]).reshape(-1, width)


def _fitting(states: str | None, length: int) -> str:
    return states if states is not None and len(states) == length else "-" * length


def _decide(predictor: Predictor) -> None:
    """Call each example positive or not by the threshold of its own test fold, which validation chose."""
    cuts: dict[int, float] = {}
    valid, folds = predictor.examples["valid"], predictor.proteins["valid"]["fold"].to_numpy()
    for fold in sorted(set(folds.tolist())):
        rows = folds[valid.protein] == fold
        cut = best_threshold(valid.truth[rows, 0] >= MIDDLE, valid.score[rows, 0])
        if np.isfinite(cut):
            cuts[fold] = cut
            predictor.thresholds.append((fold, cut, int(rows.sum())))
    tested = predictor.proteins["test"]["fold"].to_numpy()
    following = validation_folds({*folds.tolist(), *tested.tolist()})
    missing = set()
    for split, of_protein in (("test", [following[fold] for fold in tested.tolist()]), ("valid", folds.tolist())):
        missing |= {fold for fold in of_protein if fold not in cuts}
        cut = np.array([cuts.get(fold, MIDDLE) for fold in of_protein], dtype=np.float64)
        one = predictor.examples[split]
        predictor.examples[split] = Examples(
            one.ids, one.protein, one.truth, one.score, one.score[:, 0] >= cut[one.protein], one.states
        )
    if missing and not predictor.is_constant:
        where = ", ".join(map(str, sorted(missing)))
        predictor.notes.append(f"threshold {MIDDLE}, for want of two classes and scores in validation fold {where}")

"""What every baseline is given: which proteins it must cover, and what it may learn from."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from foldgraft.errors import FoldgraftError
from foldgraft.evaluate.settings import EvaluateSettings
from foldgraft.records.predictions import About, read_about, schema_of
from foldgraft.records.split import TEST_FOLD, VALID_FOLD, validation_folds
from foldgraft.records.tables import read_frame

KEYS = ["id", "sequence_sha256", "split", "fold"]


class Plan(NamedTuple):
    """A test fold and its validation fold."""

    test: int
    valid: int


@dataclass(frozen=True)
class Inputs:
    """Inputs of a baseline.

    Attributes
    ----------
    about : About
        What its file of predictions states of itself.
    wanted : frame
        Proteins that the experiments predicted, once per split: `KEYS`, and `length` but for labels of proteins;
        sorted by split and id.
    split : frame
        The rows of `cluster/split.parquet` of the task's set.
    output : Path
        The file to write.
    settings : EvaluateSettings
    labels, targets, coevolution : sequence of Path
        Shards of what the stages `fetch`, `targets` and `msa` made; each may be empty.
    description : Path or None
        Of the trunk, `trunk/trunk.json`, for a baseline of its shape.
    max_length : int or None
        Residues of the longest sequence that goes through that trunk; any does by default.
    threads : int
        Of the search for neighbours.
    """

    about: About
    wanted: pd.DataFrame
    split: pd.DataFrame
    output: Path
    settings: EvaluateSettings
    labels: Sequence[Path] = ()
    targets: Sequence[Path] = ()
    coevolution: Sequence[Path] = ()
    description: Path | None = None
    max_length: int | None = None
    threads: int = 1

    @property
    def kind(self) -> str:
        """Kind of the target."""
        return self.about.target["kind"]

    @property
    def names(self) -> list[str]:
        """Classes or angles."""
        return list(self.about.target.get("names", ()))

    def plans(self) -> list[Plan]:
        """The test folds that must be learnt for, each with its validation fold."""
        following = validation_folds({*self.split["fold"].tolist(), TEST_FOLD, VALID_FOLD})
        before = {valid: test for test, valid in following.items()}
        served = self.wanted["split"].to_numpy()
        folds = self.wanted["fold"].to_numpy()
        tested = {*folds[served == "test"].tolist(), *(before[fold] for fold in folds[served == "valid"].tolist())}
        return [Plan(test, following[test]) for test in sorted(tested)]

    def rows(self, plan: Plan) -> Iterator[tuple[str, pd.DataFrame]]:
        """The wanted proteins of a plan by split: its test proteins, and its validation proteins."""
        for split, fold in (("test", plan.test), ("valid", plan.valid)):
            rows = self.wanted[(self.wanted["split"] == split) & (self.wanted["fold"] == fold)]
            if len(rows):
                yield split, rows


def make_inputs(name: str, predictions: Sequence[Path], split: pd.DataFrame, **others) -> Inputs:
    """Inputs of a baseline of this name, for the task and the proteins of the experiments' predictions.

    Raises
    ------
    FoldgraftError
        if there is no file of predictions.
    """
    if not predictions:
        raise FoldgraftError(f"baseline {name}: there are no predictions to cover; give those of an experiment")
    about = read_about(predictions[0]).model_copy(update={"experiment": f"baseline_{name}"})
    columns = KEYS if about.level == "protein" else [*KEYS, "length"]
    return Inputs(about, _wanted(predictions, columns), split, **others)


def _wanted(predictions: Iterable[Path], columns: list[str]) -> pd.DataFrame:
    frames = [read_frame(path, schema_of(read_about(path)), columns) for path in predictions]
    table = pd.concat(frames, ignore_index=True).drop_duplicates(["id", "split"])
    return table.sort_values(["split", "id"], ignore_index=True)


def training(table: pd.DataFrame, plan: Plan, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers of the training and of the validation proteins of a plan.

    Raises
    ------
    FoldgraftError
        if there is no training protein.
    """
    fold = table["fold"].to_numpy()
    train = np.flatnonzero((fold != plan.test) & (fold != plan.valid))
    if not len(train):
        raise FoldgraftError(f"{where}: test fold {plan.test} leaves no protein to learn from; use more folds")
    return train, np.flatnonzero(fold == plan.valid)

"""Who trains, validates and tests each member of an experiment."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from foldgraft.errors import FoldgraftError
from foldgraft.records.split import roles
from foldgraft.train.settings import SolubilityExperiment


@dataclass(frozen=True)
class Group:
    """Members that share their training, validation and test proteins.

    Attributes
    ----------
    seeds
        one per member.
    train, valid, test
        row numbers of the table.
    fold
        the fold that is `test`, if the experiment is cross-validated.
    """

    seeds: tuple[int, ...]
    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray
    fold: int | None = None


def assign(table: pd.DataFrame, experiment: SolubilityExperiment) -> list[Group]:
    """The members of an experiment and their proteins.

    Without cross-validation there is one group, with the split's own proteins. With it there is a group of one member
    for each fold f: f is its test set, the next fold (cyclically) its validation set, all others train it.

    Raises
    ------
    FoldgraftError
        if a set is empty, training labels are all the same, or there are fewer than three folds.
    """
    if experiment.cross_validate:
        groups = _folds(table["fold"].to_numpy(), experiment.seed)
    else:
        split = table["split"].to_numpy()
        rows = {name: np.flatnonzero(split == name) for name in ("train", "valid", "test")}
        groups = [Group(tuple(range(experiment.seed, experiment.seed + experiment.members)), **rows)]
    for group in groups:
        _check(group, table["label"].to_numpy(), experiment)
    return groups


def _folds(fold: np.ndarray, seed: int) -> list[Group]:
    count = len(set(fold.tolist()))
    if count < 3:
        raise FoldgraftError(
            f"cross_validate: the labelled proteins have {count} folds, and one each to train, validate and test "
            "is the least; raise the number of folds, or leave cross_validate out"
        )
    return [
        Group((seed + number,), one.train, one.valid, one.test, fold=one.test_fold)
        for number, one in enumerate(roles(fold, cross_validate=True))
    ]


def _check(group: Group, labels: np.ndarray, experiment: SolubilityExperiment) -> None:
    where = "labels" if group.fold is None else f"labels, member of fold {group.fold}"
    for name in ("train", "valid", "test"):
        if not len(getattr(group, name)):
            raise FoldgraftError(f"{where}: no labelled protein in the {name} set; label more, or split otherwise")
    if len(np.unique(labels[group.train])) < 2:
        raise FoldgraftError(
            f"{where}: all {len(group.train)} training labels are {labels[group.train][0]:g}; a head cannot learn from "
            "a single class"
        )
    if experiment.monitor == "auc" and len(np.unique(labels[group.valid] >= 0.5)) < 2:
        raise FoldgraftError(
            f"{where}: the {len(group.valid)} validation labels are of a single class, so there is no AUC to stop by; "
            "set monitor: loss, or split otherwise"
        )

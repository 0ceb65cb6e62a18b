"""Tasks by name: at which level each predicts, what its target is, and what it is compared with.

This module does without torch, since a plan of the workflow reads it too; `Task.target` brings it in.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from pydantic import RootModel

from foldgraft.errors import FoldgraftError
from foldgraft.settings import Settings
from foldgraft.tasks.kinds import HEADLINES, LOSSES, Kind, Level

if TYPE_CHECKING:
    from foldgraft.tasks.target import Target

DISTANCE_BINS = 64
"""Bins of a distogram; `foldgraft.records.targets` says where their edges are."""


class Task(Settings):
    """One thing to predict.

    Attributes
    ----------
    name : str
    level : one of protein, residue, pair
        what has an output of its own.
    kind : one of binary, value, classes, angles
    names : tuple of str
        the classes, or the angles, in the order of the outputs.
    unit : str
        of a value.
    truth : one of labels, targets
        the stage whose tables hold the truth: `fetch/labels` or `targets`.
    """

    name: str
    level: Level
    kind: Kind
    names: tuple[str, ...] = ()
    unit: str = ""
    truth: Literal["labels", "targets"] = "labels"

    @cached_property
    def target(self) -> "Target":
        """What the outputs mean, how they are trained, and how a user reads them."""
        from foldgraft.tasks.target import build  # it needs torch, which planning does without

        return build(self.kind, self.names, self.unit)

    @property
    def headline(self) -> str:
        """The metric that is named first: `HEADLINES`, but `P@L long` for pairs and `Q3` for `ss3`."""
        if self.level == "pair":
            return "P@L long"
        return "Q3" if self.name == "ss3" else HEADLINES[self.kind]

    @property
    def losses(self) -> tuple[str, ...]:
        """Losses that fit; the first is the default."""
        return LOSSES[self.kind]

    @property
    def baselines(self) -> tuple[str, ...]:
        """What every experiment of the task is compared with."""
        if self.level == "pair":
            return ("separation", "coevolution")
        if self.level == "residue":
            return ("constant", "state") if self.kind == "angles" else ("constant", "onehot")
        return ("constant", "composition", "boosting", "neighbour")

    @property
    def about_target(self) -> dict[str, Any]:
        """The target as the metadata of predictions states it."""
        about: dict[str, Any] = {"kind": self.kind}
        if self.names:
            about["names"] = list(self.names)
        if self.unit:
            about["unit"] = self.unit
        return about


class Tasks(RootModel[tuple[Task, ...]]):
    """The tasks of an experiment, in the order in which it names them."""


BUILT_IN: dict[str, Task] = {
    task.name: task
    for task in (
        Task(name="ss3", level="residue", kind="classes", names=("H", "E", "C"), truth="targets"),
        Task(name="torsions", level="residue", kind="angles", names=("phi", "psi"), truth="targets"),
        Task(name="contact", level="pair", kind="binary", truth="targets"),
        Task(
            name="distogram",
            level="pair",
            kind="classes",
            names=tuple(f"bin_{number}" for number in range(DISTANCE_BINS)),
            truth="targets",
        ),
    )
}
"""Tasks whose truth the stage `targets` computes from structures."""

SOLUBILITY = Task(name="solubility", level="protein", kind="binary")

DEFAULT_HEADS: dict[str, str] = {
    "ss3": "convolution",
    "torsions": "convolution",
    "contact": "logistic",
    "distogram": "residual",
    "protein": "linear",
    "residue": "linear",
}
"""The head of an experiment that names none: by task, else by level."""


def task(name: str, labelled: Mapping[str, Task]) -> Task:
    """The task of this name: built in, or made by a labelled table.

    Parameters
    ----------
    name : str
    labelled : mapping of str to Task
        the tasks of the run's labelled tables.

    Raises
    ------
    FoldgraftError
        naming the tasks there are.
    """
    known = {**BUILT_IN, **labelled}
    if name not in known:
        raise FoldgraftError(f"unknown task {name!r}; this run knows {', '.join(known)}")
    return known[name]


def default_head(chosen: Task) -> str:
    """The head that an experiment of this task gets if it names none."""
    return DEFAULT_HEADS.get(chosen.name, DEFAULT_HEADS.get(chosen.level, "logistic"))

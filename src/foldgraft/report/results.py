"""What a run says of its experiments, its labelled tables and its tasks."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from foldgraft.metrics.catalogue import describe, headline
from foldgraft.records import labels, predictions
from foldgraft.records.metrics import BASELINE, TRANSFER
from foldgraft.tasks.task import BUILT_IN


@dataclass(frozen=True)
class Experiment:
    """What a trained experiment left behind."""

    name: str
    settings: dict[str, Any]
    history: pd.DataFrame
    checks: dict[str, Any]

    @property
    def tasks(self) -> list[str]:
        return list(self.settings.get("task", ()))

    @property
    def head(self) -> str:
        return str((self.settings.get("head") or {}).get("name", ""))

    @property
    def cross_validated(self) -> bool:
        """Whether every protein was a test protein once."""
        return bool(self.settings.get("cross_validate"))


@dataclass(frozen=True)
class Labelled:
    """A labelled table.

    Attributes
    ----------
    about : Description
    rows : frame
        those of the labels but for sequences; `known`, how many residues have a label; length (residues), charge (net,
        per residue) and hydropathy (mean) of the sequence.
    """

    about: labels.Description
    rows: pd.DataFrame


@dataclass(frozen=True)
class Task:
    """What the run says of one task.

    Attributes
    ----------
    about : About
        Its level and target.
    tables : dict of str to frame
        Tables of the evaluate stage, by the names of `foldgraft.records.metrics.TABLES`.
    experiments : tuple of Experiment
    """

    about: predictions.About
    tables: dict[str, pd.DataFrame]
    experiments: tuple[Experiment, ...]

    @property
    def name(self) -> str:
        return self.about.task

    @property
    def set(self) -> str:
        """Its proteins, as the split names them."""
        return "structures" if self.name in BUILT_IN else self.name

    @property
    def fractional(self) -> bool:
        """Whether labels of a binary target lie between 0 and 1."""
        return self.about.target["kind"] == "binary" and (self.tables["metrics"]["metric"] == "r2").any()

    @cached_property
    def headline(self) -> str:
        """The metric by which it is judged first; of contacts, all ranges where few proteins have long ones."""
        metric = headline(self.about.level, self.about.target, self.fractional)
        rows = self.tables["proteins"]
        if metric == "P@L long" and metric in rows and rows.loc[rows["split"] == "test", metric].notna().mean() < 0.5:
            return "P@L all"
        return metric

    @property
    def lower_is_better(self) -> bool:
        return describe(self.headline).lower_is_better

    def values(self, split: str = "test", metric: str = "") -> pd.DataFrame:
        """Rows of the metrics by predictor; by default of the headline."""
        rows = self.tables["metrics"]
        return rows[(rows["split"] == split) & (rows["metric"] == (metric or self.headline))].set_index("experiment")

    @cached_property
    def best(self) -> str | None:
        """The experiment that does best on validation proteins, so that looking at it chooses nothing by the test;
        where none learnt the task, the first of the heads that were tried."""
        if not self.experiments:
            return next(iter(self.tried), None)
        names = [one.name for one in self.experiments]
        values = self.values("valid")["value"].reindex(names).dropna().sort_index()
        if values.empty:
            return names[0]
        return str(values.idxmin() if self.lower_is_better else values.idxmax())

    @cached_property
    def strongest(self) -> str | None:
        """The baseline that does best on test proteins."""
        values = self.values()["value"].dropna()
        values = values[values.index.str.startswith(BASELINE)]
        if values.empty:
            return None
        return str(values.idxmin() if self.lower_is_better else values.idxmax())

    @cached_property
    def tried(self) -> list[str]:
        """Heads of other tables that were tried on this one."""
        return [name for name in self.values().index if name.startswith(TRANSFER)]

    def beside(self, experiment: str, baseline: str | None, metric: str = "") -> "pd.Series | None":
        """The row that compares an experiment with a baseline on test proteins; by default by the headline."""
        rows = self.tables["comparison"]
        chosen = (rows["experiment"] == experiment) & (rows["baseline"] == baseline) & (rows["split"] == "test")
        rows = rows[chosen & (rows["metric"] == (metric or self.headline))]
        return rows.iloc[0] if len(rows) else None

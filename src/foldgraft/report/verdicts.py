"""What is said of a task in words: who does best, beside which baseline, and whether the split can be trusted."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from foldgraft.metrics.catalogue import describe
from foldgraft.report.drawing import count, number, plural, signed, span
from foldgraft.report.run import Run, Task


def plain(name: str) -> str:
    """A baseline's name as a reader would say it."""
    return f"baseline: {name.removeprefix('baseline_')}" if name.startswith("baseline_") else name


def chance(p: float) -> str:
    """A p-value in words."""
    if not np.isfinite(p):
        return ""
    return "p < 0.001" if p < 0.001 else f"p = {number(p, 3)}"


def answer(task: Task) -> tuple[str, str]:
    """The answer to a task's question as (tone, sentence): does the best experiment beat the strongest baseline?"""
    name, metric = task.best, describe(task.headline).title
    value = task.values()["value"].get(name, np.nan) if name else np.nan
    if name is None or not np.isfinite(value):
        return "note", f"{task.name}: {metric} is undefined on the test proteins, so nothing can be said."
    row = task.beside(name, task.strongest)
    if row is None:
        return "note", f"{task.name}: {name} has {metric} {number(value)}; there is no baseline beside it."
    figures = _figures(task, row, metric)
    several = len(task.experiments) > 1
    if row["verdict"] == "better":
        who = f"{name}, the best of {len(task.experiments)} experiments on validation," if several else name
        return "good", f"{task.name}: {who} is better than the strongest baseline: {figures}."
    if row["verdict"] == "too few to tell":
        few = f"{count(row['clusters'])} {plural(row['clusters'], 'cluster')}"
        return "note", f"{task.name}: the test proteins ({few}) are too few to tell {name} from a baseline: {figures}."
    if row["verdict"] == "worse":
        return "note", f"{task.name}: {name} is behind the strongest baseline: {figures}."
    return "note", f"{task.name}: {name} cannot be told from the strongest baseline: {figures}."


def _figures(task: Task, row: pd.Series, metric: str) -> str:
    tested = f"{count(row['n'])} test {plural(row['n'], 'protein')}"
    crossed = {one.name for one in task.experiments if one.cross_validated}
    if row["experiment"] in crossed:
        tested += ", each tested once by cross-validation"
    p = f", {chance(row['p_corrected'])}" if np.isfinite(row["p_corrected"]) else ""
    return (
        f"{metric} {number(row['value'])} against {number(row['baseline_value'])} of "
        f"{row['baseline'].removeprefix('baseline_')}; difference {signed(row['difference'])} "
        f"{span(row['ci_low'], row['ci_high'])}{p} ({tested})"
    )


def trust(run: Run) -> Iterator[tuple[str, str]]:
    """Whether test proteins have relatives in training, for each set of proteins, as (tone, sentence)."""
    for name, found in run.verdict.items():
        yield of_set(run, name, found)
    if run.structural:
        yield "note", run.structural["text"]
    if not run.verdict:
        yield "note", "The split was not searched for leaks."


def of_set(run: Run, name: str, found: dict[str, Any]) -> tuple[str, str]:
    """The verdict of a set; a leak names whose split it is, and the key that changes it."""
    text = found.get("text", "")
    if found.get("verdict") != "leaks":
        return "good", f"The split of {name} is clean. {text}"
    return "bad", f"The split of {name} leaks, so that its metrics are too good. {text} {_whose(run, name)}"


def _whose(run: Run, name: str) -> str:
    config = run.provenance.get("config", {})
    table = config.get(name) if name == "solubility" else (config.get("labels") or {}).get(name)
    column = ((table or {}).get("columns") or {}).get("fold")
    cluster = config.get("cluster") or {}
    if column and cluster.get("use_published_folds", True):
        return (
            f"These are the folds of the table's own column `{column}`; `cluster.use_published_folds: false` makes "
            "folds of unrelated proteins instead."
        )
    by = cluster.get("split_by", "cluster")
    if by != "cluster":
        return f"The folds follow `cluster.split_by: {by}`; `cluster` keeps related proteins together instead."
    return "The folds are this run's own; a lower `cluster.min_identity` joins more distant relatives."

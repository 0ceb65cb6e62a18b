"""Tables that all tasks share."""

import re

import numpy as np
import pandas as pd

from foldgraft.metrics.catalogue import describe
from foldgraft.records.metrics import BASELINE
from foldgraft.report.drawing import count, number, plural, signed, span
from foldgraft.report.page import Bullets, Table
from foldgraft.report.results import Task
from foldgraft.report.verdicts import RELATIVES, chance, plain

TONES = {"better": "good", "worse": "note"}


def headline_table(task: Task) -> Table:
    """Every predictor by the headline metric, the verdict first; experiments, then baselines, then the ceiling."""
    values, metric = task.values(), describe(task.headline)
    sign = -1 if task.lower_is_better else 1
    rows = []
    names = [one.name for one in task.experiments]
    for name in sorted(names, key=lambda name: -sign * _number(values, name)):
        beside = task.beside(name, task.strongest)
        said, difference, p = ("", "", "") if beside is None else _beside(beside)
        rows.append((name, said, _cell(values, name), difference, p))
    for name in sorted(task.tried, key=lambda name: -sign * _number(values, name)):
        rows.append((plain(name), "learnt from another table", _cell(values, name), "", ""))
    baselines = [name for name in values.index if name.startswith(BASELINE)]
    for name in sorted(baselines, key=lambda name: -sign * _number(values, name)):
        said = "strongest baseline" if name == task.strongest else "baseline"
        rows.append((name.removeprefix(BASELINE), said, _cell(values, name), "", ""))
    ceiling = task.tables["ceiling"]
    if len(ceiling):
        best = ceiling[(ceiling["split"] == "test") & (ceiling["metric"] == task.headline)]
        rows += [("attainable at best", "ceiling", number(value), "", "") for value in best["value"]]
    head = ("", "verdict", metric.title, "difference from the strongest baseline", "p, corrected")
    return Table(head, rows, _caption(task), TONES)


def _caption(task: Task) -> str:
    n = int(task.values()["n"].max()) if len(task.values()) else 0
    unit = describe(task.headline).unit
    unit = task.about.target.get("unit", "") if unit == "target" else unit
    said = f"{count(n)} test {plural(n, 'protein')}. {describe(task.headline).title}"
    said += f", in {unit}" if unit else ""
    said += ", less is better" if task.lower_is_better else ""
    return (
        f"{said}; in brackets 95 % intervals by resampling clusters of similar proteins. p: probability of so great a "
        "difference if it were chance which of the two made a prediction (permutation of clusters, Holm's correction "
        "over experiments). Better and worse: the interval leaves out zero and p is at most 0.05."
    )


def _beside(row: pd.Series) -> tuple[str, str, str]:
    difference = f"{signed(row['difference'])} {span(row['ci_low'], row['ci_high'])}"
    return str(row["verdict"]), difference, chance(row["p_corrected"]).removeprefix("p ").removeprefix("= ")


def _number(values: pd.DataFrame, name: str) -> float:
    value = float(values["value"].get(name, np.nan))
    return value if np.isfinite(value) else -np.inf


def _cell(values: pd.DataFrame, name: str) -> str:
    if name not in values.index or not np.isfinite(values.loc[name, "value"]):
        return "undefined"
    row = values.loc[name]
    return f"{number(row['value'])} {span(row['ci_low'], row['ci_high'])}"


def metrics_table(task: Task) -> Table:
    """All metrics of a task on test proteins, one column per predictor."""
    rows = task.tables["metrics"]
    rows = rows[rows["split"] == "test"]
    experiments = list(dict.fromkeys(rows["experiment"]))
    body = []
    for metric in dict.fromkeys(rows["metric"]):
        values = task.values(metric=metric)
        title = describe(metric).title + (" ↓" if describe(metric).lower_is_better else "")
        body.append((title, *(_cell(values, name) for name in experiments)))
    caption = (
        "All metrics of the test proteins. The threshold behind MCC, accuracy, F1, precision and recall of yes-or-no "
    )
    caption += "labels was chosen on validation proteins. ↓: less is better."
    return Table(("metric", *map(plain, experiments)), body, caption)


def comparison_table(task: Task) -> Table:
    """Every experiment beside every baseline by the headline metric."""
    rows = task.tables["comparison"]
    rows = rows[(rows["split"] == "test") & (rows["metric"] == task.headline)]
    body = []
    for row in rows.itertuples():
        said, difference, p = _beside(pd.Series(row._asdict()))
        pair = (row.experiment, plain(row.baseline).removeprefix("baseline: "))
        body.append((*pair, said, number(row.value), number(row.baseline_value), difference, p, count(row.clusters)))
    head = (
        "experiment",
        "baseline",
        "verdict",
        "its value",
        "the baseline's",
        "difference",
        "p, corrected",
        "clusters",
    )
    return Table(head, body, "Each experiment minus each baseline on the same proteins and the same resamples.", TONES)


def notes_list(task: Task) -> list[Bullets]:
    """Why numbers of a task are missing or other than expected, but for what `relatives` tells; nothing where there is
    nothing to say."""
    rows = task.tables["notes"].itertuples()
    said = [("note", f"{plain(row.experiment)}: {row.note}.") for row in rows if not re.fullmatch(RELATIVES, row.note)]
    return [Bullets(said)] if said else []

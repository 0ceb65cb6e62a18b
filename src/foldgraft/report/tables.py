"""Tables that the chapters on tasks share."""

from collections.abc import Collection

import numpy as np
import pandas as pd

from foldgraft.report.drawing import count, number, plural, signed, span
from foldgraft.report.page import Bullets, Table

TONES = {"better": "good", "worse": "bad"}


def metrics_table(metrics: pd.DataFrame, task: str, names: dict[str, str], caption: str) -> Table:
    """Metrics of a task on test proteins, one column per experiment and baseline; `names` maps metric to its name."""
    rows = metrics[(metrics["task"] == task) & (metrics["split"] == "test")]
    found = list(dict.fromkeys(rows["experiment"]))
    cells = {(row.experiment, row.metric): row for row in rows.itertuples()}
    body = []
    for metric, shown in names.items():
        line = [cells.get((name, metric)) for name in found]
        if any(line):
            body.append((shown, *(_cell(row) for row in line)))
    sizes = [int(rows.loc[rows["experiment"] == name, "n"].max()) for name in found]
    if len(set(sizes)) == 1:
        return Table(
            ("metric", *map(plain, found)), body, f"{count(sizes[0])} {plural(sizes[0], 'test protein')}. {caption}"
        )
    head = [f"{plain(name)} (n = {count(size)})" for name, size in zip(found, sizes, strict=True)]
    return Table(("metric", *head), body, caption)


def _cell(row: object) -> str:
    if row is None or not np.isfinite(row.value):
        return "undefined"
    return f"{number(row.value)}\u00a0{span(row.ci_low, row.ci_high)}"


def comparison_table(comparison: pd.DataFrame, task: str, names: dict[str, str], caption: str) -> Table:
    """Differences from the baselines on test proteins."""
    rows = comparison[(comparison["task"] == task) & (comparison["split"] == "test")]
    body = [
        (
            row.experiment,
            plain(row.baseline).removeprefix("baseline: "),
            names[row.metric],
            number(row.value),
            number(row.baseline_value),
            f"{signed(row.difference)}\u00a0{span(row.ci_low, row.ci_high)}",
            row.verdict,
        )
        for row in rows.itertuples()
        if row.metric in names
    ]
    head = ("experiment", "baseline", "metric", "its value", "the baseline's", "difference", "verdict")
    return Table(head, body, caption, TONES)


def plain(name: str) -> str:
    """A baseline's name as a reader would say it."""
    return f"baseline: {name.removeprefix('baseline_')}" if name.startswith("baseline_") else name


def verdicts(rows: pd.DataFrame, metric: str, crossed: Collection[str]) -> list[tuple[str, str]]:
    """One sentence per experiment: does it beat the baseline that does best on the same proteins?

    `crossed` are the experiments that were cross-validated.
    """
    said = []
    for name, part in rows.groupby("experiment", sort=False):
        part = part.dropna(subset=["baseline_value", "value"])
        if part.empty:
            said.append(("note", f"{name}: {metric} is undefined, so nothing can be said."))
            continue
        row = part.loc[part["baseline_value"].idxmax()]
        tested = f"{count(row['n'])} {plural(row['n'], 'test protein')}"
        if name in crossed:
            tested += " (cross-validated: every protein was a test protein once)"
        beside = (
            f"{metric} {number(row['value'])} on {tested}, {number(row['baseline_value'])} for "
            f"the {plain(row['baseline']).removeprefix('baseline: ')} baseline; the difference is "
            f"{signed(row['difference'])} {span(row['ci_low'], row['ci_high'])}"
        )
        if row["verdict"] == "better":
            said.append(("good", f"{name} beats its strongest baseline: {beside}."))
        elif row["verdict"] == "worse":
            said.append(("bad", f"{name} does NOT beat its strongest baseline, it is worse: {beside}."))
        elif row["verdict"] == "too few to tell":
            few = f"too few test proteins ({count(row['n'])}) to tell whether it beats its strongest baseline"
            said.append(("note", f"{name}: {few}: {beside}."))
        else:
            said.append(("bad", f"{name} does NOT beat its strongest baseline: {beside}, which may be chance."))
    return said


def notes_list(notes: pd.DataFrame, task: str) -> list[Bullets]:
    """Why numbers of a task are missing or other than expected; nothing where there is nothing to say."""
    rows = notes[notes["task"] == task] if len(notes) else notes
    return (
        [Bullets([("note", f"{plain(row.experiment)}: {row.note}.") for row in rows.itertuples()])] if len(rows) else []
    )

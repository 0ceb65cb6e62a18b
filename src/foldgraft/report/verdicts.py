"""What is said of a task in words: who does best, beside which baseline, and whether the split can be trusted."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from foldgraft.metrics.catalogue import describe
from foldgraft.records.metrics import BASELINE, TRANSFER
from foldgraft.report.drawing import count, number, plural, signed, span
from foldgraft.report.results import Task
from foldgraft.report.run import Run

KNOWING = {"baseline_state": " (knows the true states)"}
"""What a baseline is told that a head is not."""
RELATIVES = (
    r"test: (\d+) of (\d+) proteins have a relative that this head learnt from"
    r"(?:; of (\d+) it could not be found out)?"
)
"""What the evaluate stage notes of a head of another table."""


def plain(name: str) -> str:
    """The name of a baseline, or of a head of another table, as a reader would say it."""
    if name.startswith(TRANSFER):
        return f"head of {name.removeprefix(TRANSFER)}"
    return f"baseline: {name.removeprefix(BASELINE)}" if name.startswith(BASELINE) else name


def chance(p: float) -> str:
    """A p-value in words."""
    if not np.isfinite(p):
        return ""
    return "p < 0.001" if p < 0.001 else f"p = {number(p, 3)}"


@dataclass(frozen=True)
class Answer:
    """The answer to a task's question: does the best experiment beat the strongest baseline?

    Attributes
    ----------
    said : str
        the verdict in a word or two.
    good : bool
        whether the head wins.
    value, baseline, difference : str
        the figures behind it, each with its name or interval; empty where there are none.
    tested : str
        on how many proteins.
    """

    task: str
    said: str
    good: bool = False
    value: str = ""
    baseline: str = ""
    difference: str = ""
    tested: str = ""


def answer(task: Task) -> Answer:
    """What the run answers to a task's question."""
    name, metric = task.best, describe(task.headline).title.split(" (")[0]
    metric += " ↓" if task.lower_is_better else ""
    values = task.values()
    if not task.experiments and (tried := task.tried):
        rows = values.loc[tried].dropna(subset=["value"]).sort_values("value", ascending=task.lower_is_better)
        shown = [
            f"{plain(n)} {number(row['value'])} {span(row['ci_low'], row['ci_high'])}" for n, row in rows.iterrows()
        ]
        tested = f"{count(values.loc[tried, 'n'].max())} proteins"
        return Answer(task.name, "tried", value=f"{metric}: {'; '.join(shown)}", tested=tested)
    if name is None or not np.isfinite(values["value"].get(name, np.nan)):
        return Answer(task.name, "undefined", value=f"{metric} is undefined on the test proteins")
    own = values.loc[name]
    value = f"{metric} {number(own['value'])} {span(own['ci_low'], own['ci_high'])}".strip()
    row = task.beside(name, task.strongest)
    if row is None:
        return Answer(task.name, "no baseline", value=value)
    who = row["baseline"].removeprefix("baseline_") + KNOWING.get(row["baseline"], "")
    return Answer(
        task.name,
        "behind" if row["verdict"] == "worse" else str(row["verdict"]),
        row["verdict"] == "better",
        value,
        f"{who} {number(row['baseline_value'])}",
        f"{signed(row['difference'])} {span(row['ci_low'], row['ci_high'])}".strip(),
        f"{count(row['n'])} {plural(row['n'], 'protein')}, {count(row['clusters'])} "
        f"{plural(row['clusters'], 'cluster')}",
    )


def trust(run: Run) -> Iterator[tuple[str, str]]:
    """Whether test proteins have relatives in training, for each set of proteins, as (tone, sentence).

    Nothing learnt from the split of a table on which heads are only tried: what these learnt from counts there.
    """
    tried = only_tried(run)
    for name, verdict in run.verdict.items():
        if name not in tried:
            yield of_set(run, name, verdict)
    for task in run.tasks:
        yield from relatives(task, allowed(run))
    if run.structural:
        yield "note", run.structural["text"]
    if not run.verdict:
        yield "note", "The split was not searched for leaks."


def only_tried(run: Run) -> set[str]:
    """The sets of proteins that no head learnt from, on which heads of other tables are tried."""
    return {task.set for task in run.tasks if not task.experiments}


def allowed(run: Run) -> float:
    """The fraction of test proteins that may have a relative among those learnt from, by the run's settings."""
    return max((verdict["threshold"] for verdict in run.verdict.values()), default=0.0)


def relatives(task: Task, allowed: float) -> Iterator[tuple[str, str]]:
    """Of each head of another table, how many proteins of this one have a relative that it learnt from.

    `allowed` is the fraction from which on its metrics are called too good.
    """
    notes = task.tables["notes"]
    for name in task.tried:
        said = notes.loc[notes["experiment"] == name, "note"] if len(notes) else ()
        match = next(filter(None, (re.fullmatch(RELATIVES, note) for note in said)), None)
        who = f"The {plain(name)}, tried on {task.name}"
        if match is None:
            yield "note", f"{who}: it is not known how many of the proteins have a relative that it learnt from."
            continue
        near, total, blind = map(int, match.groups("0"))
        sentence = f"{who}: {count(near)} of {count(total)} proteins have a relative that it learnt from"
        leaks = near > allowed * total
        sentence += f" ({near / total:.1%}); {allowed:.1%} {'were' if leaks else 'are'} allowed."
        sentence += " Its metrics there are too good." if leaks else ""
        sentence += f" Of {count(blind)} it could not be found out." if blind else ""
        yield "bad" if leaks else "note" if blind else "good", sentence


def of_set(run: Run, name: str, verdict: dict[str, Any]) -> tuple[str, str]:
    """The verdict of a set; a leak names whose split it is, and the key that changes it."""
    text = verdict.get("text", "")
    if verdict.get("verdict") != "leaks":
        return "good", f"The split of {name} is clean. {text}"
    return "bad", f"The split of {name} leaks, so that its metrics are too good. {text} {whose(run, name, verdict)}"


def whose(run: Run, name: str, verdict: dict[str, Any]) -> str:
    """Where the split of a set is from, and which key changes it."""
    config = run.provenance.get("config", {})
    if verdict.get("split") == "published":
        table = (config.get(name) if name == "solubility" else (config.get("labels") or {}).get(name)) or {}
        columns = table.get("columns") or {}
        given = [f"its column {columns[key]} (columns.{key})" for key in ("fold", "split") if columns.get(key)]
        given += ["its test_table"] if table.get("test_table") else []
        by = f", by {' and '.join(given)}" if given else ""
        return f"The split is the table's own{by}; cluster.use_published_folds: false splits anew by clusters."
    by = (config.get("cluster") or {}).get("split_by", "cluster")
    if by != "cluster":
        return f"The folds follow cluster.split_by: {by}; cluster keeps related proteins together instead."
    return "The folds are this run's own; a lower cluster.min_identity joins more distant relatives."

"""Where a head fails: its headline metric in parts of the test proteins."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from foldgraft.metrics.catalogue import describe
from foldgraft.report.drawing import canvas, colours, count, number, panels, svg
from foldgraft.report.page import Block, Figure
from foldgraft.report.results import Task
from foldgraft.report.verdicts import plain

BY = {
    "length": "length (residues)",
    "identity": "identity to the nearest training protein",
    "neff": "effective depth of the alignment (Neff)",
    "group": "group",
}
SHOWN = 5  # predictors in a plot of parts


def weakest(task: Task) -> str:
    """The part of the test proteins on which the best experiment does worst, in a sentence; empty if none is known."""
    rows = task.tables["breakdown"]
    if rows.empty:
        return ""
    rows = rows[rows["by"].isin(BY) & (rows["part"] != "area") & (rows["experiment"] == task.best)]
    rows = rows.dropna(subset=["value"]).sort_values("value", ascending=not task.lower_is_better)
    if len(rows) < 2:
        return ""
    row, whole = rows.iloc[0], task.values()["value"].get(task.best, np.nan)
    return (
        f"{task.name}: {task.best} is weakest by {BY[row['by']]} at {row['part']} ({describe(task.headline).title} "
        f"{number(row['value'])} on {count(row['n'])}, {number(whole)} on all)."
    )


def blocks(task: Task) -> list[Block]:
    """The headline metric in parts of the test proteins."""
    rows = task.tables["breakdown"]
    if rows.empty:
        return []
    names = [one.name for one in task.experiments][:SHOWN]
    names = [task.best, *(name for name in names if name != task.best), task.strongest]
    looks = colours(dict.fromkeys(name for name in names if name))
    drawn, said = [], []
    for by, title in BY.items():
        part = rows[(rows["by"] == by) & (rows["part"] != "area") & rows["experiment"].isin(looks)]
        if part["part"].nunique() < 2:
            continue
        figure, (axes,) = canvas(4.4, 3.1)
        _draw_parts(axes, part, looks, title, describe(task.headline).title)
        drawn.append(svg(figure, f"parts-{task.name}-{by}"))
        said += _spread(part[part["experiment"] == task.best], by, task)
    if not drawn:
        return []
    area = rows[(rows["part"] == "area") & (rows["experiment"] == task.best)]["value"]
    if len(area) and np.isfinite(area.iloc[0]):
        said.append(f"averaged over identities, each weighing alike, it is {number(area.iloc[0])}")
    summary = "; ".join(said)
    title = describe(task.headline).title
    return [
        Figure(
            panels(drawn),
            f"{title} in parts of the test proteins: {summary}.",
            f"{title} of {task.name} in parts of the test proteins: does it hold for long proteins, for those far from "
            "training?",
            "Parts of length and Neff hold about as many proteins each; bars are 95 % intervals over clusters. The "
            "nearest training protein is the best hit of the audit's search.",
            f"For {task.best}: {summary}.",
        )
    ]


def _draw_parts(axes: Axes, rows: pd.DataFrame, looks: dict[str, tuple[str, str]], title: str, metric: str) -> None:
    parts = rows.drop_duplicates("part").sort_values("position")["part"].tolist()
    shift = 0.12 if len(looks) > 1 else 0.0
    for number_of, (name, (colour, dash)) in enumerate(looks.items()):
        part = rows[rows["experiment"] == name].set_index("part").reindex(parts)
        at = np.arange(len(parts)) + shift * (number_of - (len(looks) - 1) / 2)
        value = part["value"].to_numpy(dtype=float)
        bars = np.abs(np.stack([value - part["ci_low"], part["ci_high"] - value]).astype(float))
        axes.errorbar(
            at, value, yerr=bars, color=colour, ls=dash, marker="o", ms=3.5, elinewidth=0.9, label=plain(name)
        )
    counts = rows.groupby("part")["n"].max()
    labels = [f"{part[:18]}\nn = {counts[part]:,.0f}" for part in parts]
    turned = len(parts) > 4
    axes.set_xticks(
        range(len(parts)), labels, fontsize=7, rotation=40 if turned else 0, ha="right" if turned else "center"
    )
    axes.set(title=f"By {title}", ylabel=metric)
    axes.legend(fontsize=7)


def _spread(rows: pd.DataFrame, by: str, task: Task) -> list[str]:
    rows = rows.dropna(subset=["value"])
    if len(rows) < 2:
        return []
    rows = rows.sort_values("value", ascending=task.lower_is_better)
    best, worst = rows.iloc[0], rows.iloc[-1]
    return [f"by {by} from {number(best['value'])} ({best['part']}) to {number(worst['value'])} ({worst['part']})"]

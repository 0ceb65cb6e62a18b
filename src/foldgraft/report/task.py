"""The chapter of a level: for each of its tasks the answer, whether it can be trusted, and where it fails."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from foldgraft.metrics.catalogue import describe
from foldgraft.records.targets import Targets
from foldgraft.report import curves, layers, pairs
from foldgraft.report.drawing import canvas, colours, number, panels, svg
from foldgraft.report.page import Block, Bullets, Figure, Fold, Heading, Section
from foldgraft.report.run import Run, Task
from foldgraft.report.tables import comparison_table, headline_table, metrics_table, notes_list
from foldgraft.report.verdicts import of_set, plain

TITLES = {"protein": "Proteins", "residue": "Residues", "pair": "Residue pairs"}
BY = {
    "length": "length (residues)",
    "identity": "identity to the nearest training protein",
    "neff": "effective depth of the alignment (Neff)",
    "group": "group",
}
SHOWN = 5  # predictors in a plot of parts


def section(run: Run, level: str, examples: Sequence[Targets]) -> Section:
    """The chapter of a level; `examples` are the proteins whose maps are shown, best first."""
    blocks: list[Block] = []
    for task in run.tasks:
        if task.about.level == level:
            blocks += [Heading(task.name, f"task-{task.name}"), *_task(run, task, examples)]
    return Section(f"level-{level}", TITLES[level], blocks)


def _task(run: Run, task: Task, examples: Sequence[Targets]) -> list[Block]:
    found = run.verdict.get(task.set)
    blocks: list[Block] = [headline_table(task), *([Bullets([of_set(run, task.set, found)])] if found else [])]
    blocks += [*pairs.definition(task), *curves.calibration(task)]
    blocks += [*_parts(task), *curves.of_kind(task), *layers.blocks(run, task)]
    if task.about.level == "pair":
        blocks += pairs.blocks(run, task, examples)
    blocks.append(Fold("All metrics and comparisons", [metrics_table(task), comparison_table(task)]))
    return [*blocks, *notes_list(task)]


def _parts(task: Task) -> list[Block]:
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
    told = "; ".join(said)
    title = describe(task.headline).title
    return [
        Figure(
            panels(drawn),
            f"{title} in parts of the test proteins: {told}.",
            f"{title} of {task.name} in parts of the test proteins: does it hold for long proteins, for those far from "
            "training?",
            "Parts of length and Neff hold about as many proteins each; bars are 95 % intervals over clusters. The "
            "nearest training protein is the best hit of the audit's search.",
            f"For {task.best}: {told}.",
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

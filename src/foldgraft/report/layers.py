"""What each layer of the trunk is worth to a task's experiments."""

import numpy as np
import pandas as pd

from foldgraft.metrics.catalogue import describe
from foldgraft.report.drawing import canvas, colours, number, share, svg
from foldgraft.report.page import Block, Figure
from foldgraft.report.results import Task
from foldgraft.report.run import Run


def blocks(run: Run, task: Task) -> list[Block]:
    """The validation metric against the layer, and the shares of layers in learnt mixes, where there are any."""
    tables = {one.name: run.layers(one.name) for one in task.experiments if one.tasks[0] == task.name}
    tables = {name: table.sort_values("layer") for name, table in tables.items() if len(table)}
    compared = {name: table for name, table in tables.items() if table["value"].notna().any()}
    mixed = {name: table for name, table in tables.items() if "share" in table and table["share"].notna().any()}
    return [*_compared(task, _alike(compared)), *_mixed(task, mixed)]


def _alike(tables: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The tables, those that say the same once under all their names: a comparison does not depend on the head."""
    names: dict[tuple[float, ...], list[str]] = {}
    for name, table in tables.items():
        names.setdefault((*table["layer"], *table["value"].round(6)), []).append(name)
    return {", ".join(alike): tables[alike[0]] for alike in names.values()}


def _compared(task: Task, tables: dict[str, pd.DataFrame]) -> list[Block]:
    if not tables:
        return []
    figure, (axes,) = canvas(5.4, 2.9)
    said = []
    for name, (colour, dash) in colours(tables).items():
        table = tables[name]
        axes.plot(table["layer"], table["value"], color=colour, ls=dash, marker="o", ms=3, label=name)
        metric = describe(str(table["metric"].iloc[0]))
        best = table.loc[table["value"].idxmin() if metric.lower_is_better else table["value"].idxmax()]
        said.append(f"{name}: layer {best['layer']:.0f} does best ({number(best['value'])})")
    axes.set(title="By layer of the trunk", xlabel="layer", ylabel=metric.title)
    axes.legend()
    return [
        Figure(
            svg(figure, f"layers-{task.name}"),
            f"{metric.title} against the layer of the trunk: {'; '.join(said)}.",
            "What each layer of the trunk tells by itself, on validation proteins, for experiments that read several.",
            "A linear or logistic regression on the embeddings of one layer at a time, whatever the head of the "
            "experiment; one split into training and validation proteins, of which the first test fold has no part.",
            f"{'; '.join(said)}.",
        )
    ]


def _mixed(task: Task, tables: dict[str, pd.DataFrame]) -> list[Block]:
    if not tables:
        return []
    figure, (axes,) = canvas(5.4, 2.6)
    said, width = [], 0.8 / len(tables)
    for row, (name, (colour, _)) in enumerate(colours(tables).items()):
        table = tables[name]
        shift = width * (row - (len(tables) - 1) / 2)
        axes.bar(table["layer"] + shift, table["share"], width=width, color=colour, label=name)
        most = table.loc[table["share"].idxmax()]
        said.append(f"{name} takes most of layer {most['layer']:.0f} ({share(most['share'], 1)})")
    axes.axhline(float(np.mean(table["share"])), color="#57636f", ls=":", lw=0.9)
    axes.set(title="Shares of the layers in the learnt mix", xlabel="layer", ylabel="share")
    axes.legend()
    return [
        Figure(
            svg(figure, f"mix-{task.name}"),
            f"Shares of the layers in the learnt mix: {'; '.join(said)}.",
            "How much of each layer of the trunk the head reads.",
            "Weights of the mix after softmax, learnt with the head on standardised layers; the mean of the members. "
            "The dotted line is an equal share, where training starts.",
            f"{'; '.join(said)}.",
        )
    ]

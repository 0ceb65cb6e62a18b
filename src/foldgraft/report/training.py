"""Chapter: loss curves, and what they say."""

import numpy as np
import pandas as pd

from foldgraft.report.drawing import BLUE, ORANGE, canvas, colours, number, panels, svg
from foldgraft.report.page import Block, Bullets, Figure, Heading, Section, Text
from foldgraft.report.results import Experiment, Task
from foldgraft.report.run import Run

BAD = {"diverging", "not learning"}
CAUTION = {"overfitting", "still learning", "jumps", "too short"}


def section(run: Run) -> Section:
    """The chapter on training."""
    blocks: list[Block] = [block for task in run.tasks for block in _together(task)]
    diagnosis = run.evaluation("diagnosis")
    for experiment in run.experiments:
        if {"epoch", "train_loss", "valid_loss"} <= set(experiment.history.columns) and len(experiment.history):
            solved = experiment.history["epoch"].max() == 0  # to convergence, without epochs
            blocks.append(Heading(experiment.name, f"training-of-{experiment.name}"))
            blocks += [*([] if solved else [_curves(experiment)]), _diagnosis(experiment, diagnosis)]
    if not blocks:
        blocks = [Text("No head was trained in this run.", "note")]
    return Section("training", "Training", blocks, folded=True)


def _together(task: Task) -> list[Block]:
    """Validation loss of all experiments of a task that were trained in epochs, on one plot; none for a single one."""
    curves = {}
    for one in task.experiments:
        if {"epoch", "valid_loss"} <= set(one.history.columns) and one.history["epoch"].max() > 0:
            curves[one.name] = one.history.groupby("epoch")["valid_loss"].mean()
    if len(curves) < 2:
        return []
    figure, (axes,) = canvas(5.8, 3.4)
    for name, (colour, dash) in colours(curves).items():
        axes.plot(curves[name].index, curves[name], color=colour, ls=dash, label=name)
    axes.set(title=f"{task.name}: validation loss", xlabel="epoch", ylabel="loss")
    axes.legend(fontsize=7, ncols=2 if len(curves) > 4 else 1)
    least = pd.Series({name: curve.min() for name, curve in curves.items()}).sort_values()
    said = ", ".join(f"{name} {number(value)} at epoch {curves[name].idxmin():.0f}" for name, value in least.items())
    return [
        Figure(
            svg(figure, f"together-{task.name}"),
            f"Validation loss of {len(curves)} experiments of {task.name}. Least: {said}.",
            f"How the experiments of {task.name} learn, beside each other.",
            "The mean over the members that are still training; experiments with another loss are not comparable.",
            f"Least validation loss: {said}.",
        )
    ]


def _curves(experiment: Experiment) -> Figure:
    history = experiment.history
    measured = "valid_metric" in history.columns and bool(history["valid_metric"].notna().any())
    figure, axes = canvas(4.3, 2.9)
    other, metric = canvas(4.3, 2.9)
    axes += metric
    members = _members(history)
    for position, rows in enumerate(members):
        name = {"train_loss": "training", "valid_loss": "validation"} if position == 0 else {}
        for column, colour in (("train_loss", BLUE), ("valid_loss", ORANGE)):
            axes[0].plot(rows["epoch"], rows[column], color=colour, lw=1.2, alpha=0.85, label=name.get(column))
        best = rows["valid_loss"].idxmin() if rows["valid_loss"].notna().any() else None
        if best is not None:
            label = "least validation loss" if position == 0 else None
            axes[0].plot(
                rows["epoch"][best], rows["valid_loss"][best], "o", color=ORANGE, mec="white", ms=5, label=label
            )
        if measured:
            axes[1].plot(rows["epoch"], rows["valid_metric"], color=ORANGE, lw=1.2, alpha=0.85)
    axes[0].set(title=f"{experiment.name}: loss", xlabel="epoch", ylabel="loss")
    axes[0].legend()
    if measured:
        axes[1].set(title="Validation metric", xlabel="epoch", ylabel=", ".join(experiment.tasks))
    least = [float(rows["valid_loss"].min()) for rows in members]
    epochs = [len(rows) for rows in members]
    lines = f"{len(members)} members" if len(members) > 1 else "one member"
    return Figure(
        panels([svg(figure, f"training-{experiment.name}")] + [svg(other, f"metric-{experiment.name}")] * measured),
        f"Loss curves of {experiment.name}, {lines}, {min(epochs)} to {max(epochs)} epochs; least validation loss "
        f"{number(float(np.nanmin(least)))}.",
        f"Training and validation loss of {experiment.name} ({experiment.head}, {lines}) after each epoch.",
        "The training loss is the mean over an epoch, with dropout at work; the validation loss is measured after it, "
        f"without. The weights of the epoch with {_kept(experiment)} are kept.",
        f"The least validation loss is {number(float(np.nanmin(least)))}"
        + (f" to {number(float(np.nanmax(least)))} among members" if len(members) > 1 else "")
        + f"; training took {min(epochs)}{f' to {max(epochs)}' if max(epochs) > min(epochs) else ''} epochs.",
    )


def _kept(experiment: Experiment) -> str:
    monitored = (experiment.settings.get("training") or {}).get("monitor", "loss")
    return "the best validation metric" if monitored == "metric" else "the least validation loss"


def _diagnosis(experiment: Experiment, diagnosis: pd.DataFrame) -> Bullets:
    if diagnosis.empty:
        return Bullets([("", "The curves were not diagnosed.")])
    rows = diagnosis[diagnosis["experiment"] == experiment.name]
    items = []
    for finding, part in rows.groupby("finding", sort=False):
        tone = "bad" if finding in BAD else "note" if finding in CAUTION else ""
        total = rows["member"].nunique(dropna=False)
        among = f" ({len(part)} of {total} members); the first of them" if total > 1 else ""
        items.append((tone, f"{str(finding).capitalize()}{among}: {part['text'].iloc[0]}"))
    return Bullets(items)


def _members(history: pd.DataFrame) -> list[pd.DataFrame]:
    if "member" not in history.columns:
        return [history]
    return [rows for _, rows in history.groupby("member", sort=True)]

"""Figures of each kind of target: curves and reliability, confusion, scatter, errors by state."""

import numpy as np
import pandas as pd

from foldgraft.metrics.catalogue import THREE_STATES
from foldgraft.report.drawing import canvas, colours, count, number, panels, svg
from foldgraft.report.page import Block, Figure, Text
from foldgraft.report.results import Task
from foldgraft.report.verdicts import plain

FAINT = "#c5ccd3"


def of_kind(task: Task) -> list[Block]:
    """The figures that a task's kind of target has."""
    kind = task.about.target["kind"]
    if task.about.level == "pair":
        return []
    figures = {"binary": _ranking, "classes": _confusion, "value": _scatter, "angles": _states}[kind](task)
    return [*figures, *(_scatter(task) if task.fractional else [])]


def calibration(task: Task) -> list[Block]:
    """Whether a predicted probability is a frequency."""
    bins = task.tables["reliability"]
    if bins.empty or not (bins["experiment"] == task.best).any():
        return []
    figure, (axes,) = canvas(4.4, 3.4)
    looks = colours(name for name in dict.fromkeys(bins["experiment"]) if not name.startswith("baseline_"))
    for name, (colour, dash) in looks.items():
        part = bins[bins["experiment"] == name]
        bars = np.abs([part["fraction"] - part["ci_low"], part["ci_high"] - part["fraction"]])
        look = {"color": colour, "ls": dash, "marker": "o", "ms": 3, "elinewidth": 0.8}
        axes.errorbar(part["score"], part["fraction"], yerr=bars, label=name, **look)
    axes.plot([0, 1], [0, 1], color=FAINT, lw=0.8)
    ylabel = "mean label" if task.fractional else "fraction positive"
    axes.set(title="Reliability", xlabel="mean predicted probability", ylabel=ylabel, xlim=(0, 1), ylim=(0, 1))
    axes.legend()
    own = bins[bins["experiment"] == task.best]
    gap = own.assign(gap=(own["fraction"] - own["score"]).abs()).sort_values("gap").iloc[-1]
    said = calibration_error(task).removesuffix(".") + (
        f"; where it is farthest off it says {number(gap['score'], 2)} on average, and "
        f"{number(gap['fraction'], 2)} {'is the mean label' if task.fractional else 'are positive'}."
    )
    said = said[:1].upper() + said[1:]
    return [
        Figure(
            svg(figure, f"reliability-{task.name}"),
            f"Reliability curves of the experiments. {said}",
            "Is a predicted probability a frequency? On the diagonal it is.",
            "Test examples in bins of equal number by predicted probability; bars are Wilson's 95 % intervals. The "
            "heads were calibrated on validation proteins.",
            said,
        )
    ]


def calibration_error(task: Task) -> str:
    """How far a predicted probability is from a frequency, in a sentence; empty where there is no probability."""
    values = task.values(metric="ece")
    if task.best not in values.index or not np.isfinite(values.loc[task.best, "value"]):
        return ""
    row = values.loc[task.best]
    low, high = number(row["ci_low"]), number(row["ci_high"])
    said = f"the calibration error of {plain(str(task.best))} is {number(row['value'])}, from {low} to {high}"
    return f"{said}{_uncalibrated(task)}."


def _uncalibrated(task: Task) -> str:
    """What the calibration on validation proteins does to the error, if the training noted it.

    The training bins by itself, so that only its own two figures can be compared.
    """
    noted = [row for one in task.experiments if one.name == task.best for row in one.checks.get("calibration", [])]
    gains = [row for row in noted if row["task"] == task.name and "ece_before" in row]
    if not gains:
        return ""
    before, after = (number(gains[0][f"ece_{name}"]) for name in ("before", "after"))
    return f" (by the bins of the training {before} before calibration and {after} after it)"


def _ranking(task: Task) -> list[Block]:
    roc, pr = task.tables["roc"], task.tables["pr"]
    if roc.empty or pr.empty:
        return [Text("The test examples are of a single class, so there are no curves.", "note")]
    looks = colours(roc["experiment"].unique())
    left, (first,) = canvas(4.4, 4.2)
    right, (second,) = canvas(4.4, 4.2)
    for name, (colour, dash) in looks.items():
        part = roc[roc["experiment"] == name]
        first.plot(part["false_positive_rate"], part["true_positive_rate"], color=colour, ls=dash, label=plain(name))
        part = pr[pr["experiment"] == name]
        second.plot(part["recall"], part["precision"], color=colour, ls=dash, label=plain(name))
    base = _prevalence(pr)
    first.plot([0, 1], [0, 1], color=FAINT, lw=0.8)
    second.axhline(base, color=FAINT, lw=0.8)
    first.set(title="ROC", xlabel="false positive rate", ylabel="true positive rate", xlim=(0, 1), ylim=(0, 1.01))
    second.set(title="Precision and recall", xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.01))
    first.legend(fontsize=7)
    values = task.values(metric="roc_auc")["value"].dropna()
    summary = "; ".join(f"{plain(name)} {number(value)}" for name, value in values.items())
    what = "proteins" if task.about.level == "protein" else "residues"
    cut = ", their label being 0.5 or more" if task.fractional else ""
    return [
        Figure(
            panels([svg(left, f"roc-{task.name}"), svg(right, f"pr-{task.name}")]),
            f"ROC and precision-recall curves of the test {what}. ROC-AUC: {summary}.",
            f"How well scores rank the test {what}.",
            f"Grey lines are guessing; {number(base, 2)} of the {what} are positive{cut}.",
            f"ROC-AUC: {summary}.",
        )
    ]


def _prevalence(pr: pd.DataFrame) -> float:
    """Fraction of positives: the precision where everything is called positive."""
    return float(pr.loc[pr["recall"].idxmax() :].iloc[-1]["precision"]) if len(pr) else float("nan")


def _confusion(task: Task) -> list[Block]:
    rows = task.tables["confusion"]
    rows = rows[rows["experiment"] == task.best]
    names = list(task.about.target["names"])
    if rows.empty:
        return []
    table = (
        rows.pivot(index="truth", columns="predicted", values="n").reindex(index=names, columns=names).to_numpy(float)
    )
    total = table.sum(axis=1, keepdims=True)
    share = np.divide(table, total, out=np.zeros_like(table), where=total > 0)
    size = min(7.5, 2.2 + 0.5 * len(names))
    figure, (axes,) = canvas(size + 0.8, size)
    image = axes.imshow(share, vmin=0, vmax=1, cmap="Blues")
    for i, j in np.ndindex(share.shape):
        if len(names) <= 12:
            shade = "white" if share[i, j] > 0.6 else "#1c2530"
            axes.text(j, i, f"{100 * share[i, j]:.0f}", ha="center", va="center", fontsize=8, color=shade)
    short = [f"{name[:16]} ({count(n)})" for name, n in zip(names, total[:, 0], strict=True)]
    axes.set_yticks(range(len(names)), short)
    axes.set_xticks(range(len(names)), [name[:16] for name in names], rotation=45 if len(names) > 4 else 0)
    axes.set(xlabel="predicted", ylabel="true")
    axes.set_title(f"Confusion of {plain(str(task.best))} (% of the true class)")
    axes.grid(False)
    figure.colorbar(image, ax=axes, shrink=0.8)
    recall = pd.Series(np.diagonal(share), index=names)[total[:, 0] > 0]
    off = share - np.diag(np.diagonal(share))
    i, j = np.unravel_index(int(off.argmax()), off.shape)
    said = f"{recall.idxmax()} is found most often ({100 * recall.max():.0f} %), {recall.idxmin()} least "
    said += f"({100 * recall.min():.0f} %); {names[i]} is taken for {names[j]} in {100 * off[i, j]:.0f} % of its cases"
    return [
        Figure(
            svg(figure, f"confusion-{task.name}"),
            f"Confusion matrix of {task.best}: {said}.",
            f"What {task.best}, the best experiment on validation, takes each class for.",
            f"Test {'proteins' if task.about.level == 'protein' else 'residues'}; rows add up to 100 %, their numbers "
            "in brackets; the predicted class is the likeliest.",
            f"{said}.",
        )
    ]


def _scatter(task: Task) -> list[Block]:
    rows = task.tables["scatter"]
    shown = [name for name in (task.best, task.strongest) if name and (rows["experiment"] == name).any()]
    if not shown:
        return []
    unit = task.about.target.get("unit", "")
    both = rows[rows["experiment"].isin(shown)]
    low, high = both[["truth", "predicted"]].min().min(), both[["truth", "predicted"]].max().max()
    drawn, said = [], []
    for name in shown:
        part = rows[rows["experiment"] == name]
        figure, (axes,) = canvas(4.0, 4.0)
        axes.plot([low, high], [low, high], color=FAINT, lw=0.8)
        colour = colours([name])[name][0]
        axes.scatter(part["truth"], part["predicted"], s=9, color=colour, alpha=0.45, lw=0, rasterized=len(part) > 400)
        axes.set(title=plain(name), xlabel=f"true{f' ({unit})' if unit else ''}", ylabel="predicted")
        drawn.append(svg(figure, f"scatter-{task.name}-{len(drawn)}"))
        values = {metric: task.values(metric=metric)["value"].get(name, np.nan) for metric in ("r2", "spearman")}
        said.append(f"{plain(name)}: R² {number(values['r2'])}, Spearman's ρ {number(values['spearman'])}")
    return [
        Figure(
            panels(drawn),
            f"Predicted against true values. {'; '.join(said)}.",
            "Predicted against true values of test examples, of the best experiment and of the strongest baseline.",
            "At most 2,000 examples, evenly chosen along the true values; on the line both are equal.",
            f"{'; '.join(said)}.",
        )
    ]


def _states(task: Task) -> list[Block]:
    """Mean error of each angle, in all and in each state of secondary structure."""
    names = list(task.about.target["names"])
    order = [None, *THREE_STATES]
    metrics = task.tables["metrics"]
    metrics = metrics[metrics["split"] == "test"].set_index(["metric", "experiment"])
    looks = colours(dict.fromkeys(metrics.index.get_level_values("experiment")))
    drawn, said = [], []
    for angle in names:
        titles = [f"mae {angle}" + (f" {state}" if state else "") for state in order]
        titles = [title for title in titles if title in metrics.index.get_level_values("metric")]
        figure, (axes,) = canvas(4.4, 3.2)
        width = 0.8 / max(1, len(looks))
        for number_of, (name, (colour, _)) in enumerate(looks.items()):
            rows = metrics.reindex([(title, name) for title in titles])
            at = np.arange(len(titles)) + width * (number_of - (len(looks) - 1) / 2)
            value = rows["value"].to_numpy(float)
            bars = np.abs(np.stack([value - rows["ci_low"], rows["ci_high"] - value]).astype(float))
            alpha = 0.45 if name.startswith("baseline_") else 0.9
            axes.bar(
                at, value, width * 0.92, yerr=bars, color=colour, alpha=alpha, label=plain(name), error_kw={"lw": 0.8}
            )
        axes.set_xticks(range(len(titles)), ["all", *THREE_STATES][: len(titles)])
        axes.set(title=angle, xlabel="secondary structure", ylabel="mean error (degrees)")
        axes.legend(fontsize=7)
        drawn.append(svg(figure, f"states-{task.name}-{angle}"))
        value = task.values(metric=f"mae {angle}")["value"].get(task.best, np.nan)
        said.append(f"{angle} {number(value, 1)} degrees")
    summary = f"the mean error of {task.best} is {' and '.join(said)}"
    return [
        Figure(
            panels(drawn),
            f"Mean error of each angle by secondary structure: {summary}.",
            "How far off predicted angles are, in all and in helices (H), strands (E) and the rest (C).",
            "Mean absolute difference around the circle; states are those of the structures. The baseline `state` "
            "knows the true state and says its mean angle.",
            f"{summary[:1].upper() + summary[1:]}.",
        )
    ]

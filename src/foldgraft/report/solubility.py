"""Chapter: solubility."""

import numpy as np
import pandas as pd

from foldgraft.report.drawing import canvas, colours, count, number, plural, svg
from foldgraft.report.page import Block, Figure, Section, Text
from foldgraft.report.run import Run
from foldgraft.report.tables import comparison_table, metrics_table, notes_list, plain, verdicts

TASK = "solubility"
METRICS = {
    "roc_auc": "ROC-AUC",
    "pr_auc": "PR-AUC",
    "mcc": "MCC",
    "balanced_accuracy": "balanced accuracy",
    "accuracy": "accuracy",
    "f1": "F1",
    "precision": "precision",
    "recall": "recall",
    "brier": "Brier score ↓",
    "ece": "calibration error ↓",
    "spearman": "Spearman's rho, of the fraction",
    "r2": "R², of the fraction",
}
COMPARED = {name: METRICS[name] for name in ("roc_auc", "pr_auc", "mcc", "brier", "spearman")}


def section(run: Run) -> Section:
    """The chapter on solubility."""
    metrics = run.evaluation("metrics")
    if metrics.empty or not (metrics["task"] == TASK).any():
        return Section(TASK, "Solubility", [Text("This run has no solubility experiment.", "note")])
    intervals = "In brackets 95 % intervals, by resampling whole clusters of similar proteins"
    blocks: list[Block] = [
        metrics_table(
            metrics,
            TASK,
            METRICS,
            f"{intervals}. The threshold behind MCC to recall was chosen on validation proteins. ↓: less is better.",
        ),
        comparison_table(
            run.evaluation("comparison"),
            TASK,
            COMPARED,
            "Each experiment minus each baseline on the same proteins and the same resamples. ‘better’ and ‘worse’ "
            "mean that the interval leaves out zero.",
        ),
    ]
    notes = notes_list(run.evaluation("notes"), TASK)
    return Section(TASK, "Solubility", [*blocks, *_folds(run), *_curves(run, metrics), *notes])


def _folds(run: Run) -> list[Block]:
    names = [one.name for one in run.of_task(TASK) if one.settings.get("cross_validate")]
    if not names:
        return []
    said = f"{' and '.join(names)}: cross-validated, so that every fold is tested once, by a member that did not learn "
    said += "from it. The search for leaks looked at each fold in turn"
    if (run.trunk.get("source") or {}).get("kind") == "pretrain":
        said += ", and the trunk's pretraining kept away from the relatives of all of them"
    return [Text(f"{said}.", "note")]


def _curves(run: Run, metrics: pd.DataFrame) -> list[Block]:
    roc, pr, bins = (run.evaluation(f"curves/{name}") for name in ("roc", "pr", "reliability"))
    if roc.empty or pr.empty or bins.empty:
        return [Text("The test proteins hold a single class, so there are no curves.", "note")]
    figure, (left, middle, right) = canvas(10.2, 3.9, columns=3)
    looks = colours(roc["experiment"].unique())
    for name, (colour, dash) in looks.items():
        part = roc[roc["experiment"] == name]
        left.plot(part["false_positive_rate"], part["true_positive_rate"], color=colour, ls=dash, label=plain(name))
        part = pr[pr["experiment"] == name]
        middle.plot(part["recall"], part["precision"], color=colour, ls=dash)
        part = bins[bins["experiment"] == name]
        if len(part) > 1:
            bars = [part["fraction"] - part["ci_low"], part["ci_high"] - part["fraction"]]
            right.errorbar(
                part["score"],
                part["fraction"],
                yerr=np.abs(bars),
                color=colour,
                ls=dash,
                marker="o",
                ms=3,
                elinewidth=0.8,
            )
    left.plot([0, 1], [0, 1], color="#c5ccd3", lw=0.8)
    right.plot([0, 1], [0, 1], color="#c5ccd3", lw=0.8)
    base = _prevalence(pr)
    fractional = bool((~run.labels["label"].isin([0, 1])).any())
    cut = ", their label being 0.5 or more" if fractional else ""
    middle.axhline(base, color="#c5ccd3", lw=0.8)
    left.set(title="ROC", xlabel="false positive rate", ylabel="true positive rate", xlim=(0, 1), ylim=(0, 1.01))
    middle.set(title="Precision and recall", xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.01))
    right.set(
        title="Reliability",
        xlabel="mean predicted probability",
        ylabel="mean label" if fractional else "fraction soluble",
        xlim=(0, 1),
        ylim=(0, 1),
    )
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=len(looks))
    for axes in (left, middle, right):
        axes.set_aspect("equal")
    best = _values(metrics, "roc_auc")
    told = "; ".join(f"{plain(name)} {number(value)}" for name, value in best.items())
    gap = bins.assign(gap=(bins["fraction"] - bins["score"]).abs()).sort_values("gap").iloc[-1]
    inside = f"{count(gap['n'])} {plural(gap['n'], 'protein')}"
    found = number(gap["fraction"], 2)
    seen = f"the mean label of its {inside} is {found}" if fractional else f"{found} of its {inside} are soluble"
    return [
        Figure(
            svg(figure, "solubility"),
            f"ROC, precision-recall and reliability curves of the test proteins. ROC-AUC: {told}.",
            "How well scores rank the test proteins (ROC, precision and recall), and whether a score is a probability "
            "(reliability).",
            "Test proteins only. Reliability groups them into bins of equal size by score; bars are Wilson's 95 % "
            f"intervals. Thin grey lines: guessing ({number(base, 2)} of the proteins are soluble{cut}), and "
            "perfect calibration.",
            f"ROC-AUC: {told}. The bin farthest from the diagonal is at {number(gap['score'], 2)} for "
            f"{plain(gap['experiment'])}: {seen}.",
        )
    ]


def _prevalence(pr: pd.DataFrame) -> float:
    """The precision of calling every protein soluble."""
    first = pr[pr["experiment"] == pr["experiment"].iloc[0]]
    return float(first.loc[first["threshold"].idxmin(), "precision"])


def _values(metrics: pd.DataFrame, metric: str) -> dict[str, float]:
    rows = metrics[(metrics["task"] == TASK) & (metrics["split"] == "test") & (metrics["metric"] == metric)]
    return dict(zip(rows["experiment"], rows["value"], strict=True))


def headline(run: Run) -> list[tuple[str, str]]:
    """A verdict on each experiment, against the strongest baseline, as (tone, sentence)."""
    comparison = run.evaluation("comparison")
    if comparison.empty:
        return []
    rows = comparison[(comparison["task"] == TASK) & (comparison["split"] == "test")]
    return verdicts(rows[rows["metric"] == "roc_auc"], "ROC-AUC", run.cross_validated())

"""Last chapter: how the figures were made, from what, in which time, and where the tables behind them are."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import yaml
from matplotlib.patches import FancyBboxPatch

from foldgraft.report.crate import use
from foldgraft.report.drawing import BLUE, GREY, INK, canvas, count, number, svg
from foldgraft.report.page import Block, Figure, Heading, Section, Source, Table, Text
from foldgraft.report.run import Run

PLACES = {
    "fetch": (0, 2), "curate": (1, 2), "targets": (2, 3), "cluster": (2, 2), "msa": (2, 1), "trunk": (1, 0),
    "embed": (2, 0), "train": (3, 1.5), "evaluate": (4, 2), "predict": (4, 1), "report": (5, 1.5),
}  # fmt: skip
"""Where the stages stand in the drawing: column and row."""
FLOWS = (
    "fetch curate", "curate targets", "curate cluster", "curate msa", "trunk embed", "targets train", "cluster train",
    "msa train", "embed train", "train evaluate", "train predict", "evaluate report", "predict report",
)  # fmt: skip
FILES = {
    "evaluate/metrics.csv": "every metric of every task, experiment and baseline, with its interval",
    "evaluate/comparison.csv": "every experiment beside every baseline",
    "evaluate/breakdown.csv": "the headline metrics in parts of the test proteins",
    "evaluate/diagnosis.csv": "what the loss curves say",
    "cluster/split.parquet": "cluster, part and fold of every protein",
    "cluster/leakage.parquet": "the nearest training protein of every test protein",
    "curate/rejects.csv": "what curation rejected, and why",
    "curate/index.parquet": "every curated chain",
    "msa/given.csv": "what became of the alignments that were given",
    "fetch/lock.parquet": "every input with its address and sha256",
    "provenance.json": "configuration, versions and inputs",
}


def methods(run: Run) -> Section:
    """Versions, seeds and settings; time and memory; how counts add up; and where the tables are."""
    rows = [*_when(run), *_origins(run.provenance)]
    seeds = [(f"seed of {experiment.name}", str(experiment.settings.get("seed", ""))) for experiment in run.experiments]
    blocks: list[Block] = [
        Text(
            "Intervals are 95 % percentile bootstrap intervals; whole clusters of similar proteins are drawn, and an "
            "experiment and a baseline meet the same draws, so that their difference is paired. p-values are of a "
            "paired permutation test in which clusters change sides at random, corrected over the experiments of a "
            "task by Holm's method. Baselines learn from all proteins outside the test fold, and choose their settings "
            "on the validation fold. The threshold that turns a score into a call maximises MCC on the validation fold "
            "of the same test fold. Calibration error uses bins of equal number. P@L never caps the number of pairs by "
            "the number of contacts; a range with fewer pairs than asked for is taken whole; pairs of equal score "
            "count with their expectation."
        ),
        Heading("From what it was made", "made-from"),
        Table(("what", "version or value"), [*rows, *seeds], "With these the figures were made."),
        *_counts(run),
        *_jobs(run),
        *_tables(run),
        Heading("Settings", "settings"),
    ]
    if run.provenance:
        text = yaml.safe_dump(run.provenance["config"], sort_keys=False, allow_unicode=True)
        blocks.append(Source("Configuration, all keys resolved", text))
    for experiment in run.experiments:
        text = yaml.safe_dump(experiment.settings, sort_keys=False, allow_unicode=True)
        blocks.append(Source(f"Settings of {experiment.name}", text))
    return Section("methods", "Methods and provenance", blocks, folded=True)


def _origins(record: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Versions and inputs, out of provenance.json."""
    for key in ("foldgraft", "commit", "python", "platform", "mmseqs"):
        if record.get(key):
            yield key, record[key]
    yield from record.get("packages", {}).items()
    if "inputs" in record:
        yield "inputs", f"{record['inputs']['count']:,} items, sha256 {record['inputs']['sha256'][:16]}"


def _when(run: Run) -> Iterator[tuple[str, str]]:
    path = run.folder / "evaluate/metrics.csv"
    if path.exists():
        made = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        yield "figures made", f"{made:%Y-%m-%d %H:%M} UTC"


def _counts(run: Run) -> list[Block]:
    """From the proteins of each set to those that a task was measured on."""
    rows = []
    for task in run.tasks:
        part = run.split[run.split["set"] == task.set]
        crossed = any(one.cross_validated for one in task.experiments)
        whole = " (all, by cross-validation)" if crossed else ""
        whole = whole if task.experiments else " (all, as no head learnt from them)"
        test = part if whole else part[part["split"] == "test"]
        lost = run.unread[run.unread["id"].isin(test["id"])]
        values = task.values()
        tested = int(values["n"].max()) if len(values) else 0
        different = test["sequence_sha256"].nunique()
        examples = different if task.set == "structures" else test["id"].nunique()
        rows.append(
            (
                task.name,
                count(len(part)),
                f"{count(len(test))}{whole}",
                count(different),
                count(lost["id"].nunique()),
                count(tested),
                _why(examples, tested, lost["id"].nunique()),
            )
        )
    if not rows:
        return []
    head = ("task", "proteins", "to be tested", "different sequences", "not embedded", "tested", "the rest")
    caption = (
        "How the counts add up: chains of one sequence are one example, whatever their names; of a labelled table each "
        "name is one."
    )
    return [Heading("How the counts add up", "counts"), Table(head, rows, caption)]


def _why(examples: int, tested: int, lost: int) -> str:
    rest = examples - lost - tested
    return f"{count(rest)} without a label or target that the task can use" if rest > 0 else "none"


def _jobs(run: Run) -> list[Block]:
    """Time and memory of each kind of job, and of each stage, on the graph of the stages."""
    used = {name: one for name, one in use(run.folder / "benchmarks", run.provenance.get("config", {})).items()
            if not name.startswith("report ")}  # fmt: skip
    if not used:
        return []
    rows = [(name, count(one.jobs), number(one.seconds, 1), number(one.megabytes, 0)) for name, one in used.items()]
    table = pd.DataFrame(
        {"stage": [name.split()[0] for name in used], "seconds": [one.seconds for one in used.values()]}
    )
    seconds = table.groupby("stage")["seconds"].sum().to_dict()
    total, longest = sum(seconds.values()), max(seconds, key=seconds.get)
    summary = f"{number(total, 0)} seconds of jobs in all, most of them in {longest} ({number(seconds[longest], 0)})"
    figure = Figure(
        svg(_graph(seconds), "stages"),
        f"The stages and what flows between them, with the time that each took: {summary}.",
        "The stages of this run and what flows between them; those in grey did not run.",
        "Seconds of wall time of all jobs of a stage together, as Snakemake measured them; the report itself is left "
        "out. Jobs of an earlier run that were still valid count with the time that they took then.",
        f"{summary[:1].upper()}{summary[1:]}.",
    )
    caption = "Time and memory of the jobs: seconds of all together, and the peak of the largest in MB, resident."
    head = ("jobs of", "number", "seconds", "peak MB")
    return [Heading("How long it took", "times"), figure, Table(head, rows, caption)]


def _graph(seconds: dict[str, float]) -> Any:
    figure, (axes,) = canvas(7.4, 3.2)
    for flow in FLOWS:
        (left, low), (right, high) = (PLACES[name] for name in flow.split())
        look = {"arrowstyle": "-|>", "color": GREY, "lw": 0.9, "shrinkA": 0, "shrinkB": 0}
        axes.annotate("", (right - 0.4, high), (left + 0.4, low), arrowprops=look)
    for name, (column, row) in PLACES.items():
        ran = name in seconds or name == "report"
        colour = BLUE if ran else GREY
        box = FancyBboxPatch((column - 0.36, row - 0.28), 0.72, 0.56, "round,pad=0.02", fc="none", ec=colour, lw=1.3)
        axes.add_patch(box)
        said = f"{name}\n{seconds[name]:,.0f} s" if name in seconds else name
        axes.text(column, row, said, ha="center", va="center", fontsize=8, color=INK)
    axes.set(xlim=(-0.5, 5.5), ylim=(-0.5, 3.5))
    axes.set_axis_off()
    return figure


def _tables(run: Run) -> list[Block]:
    files = [(name, what) for name, what in FILES.items() if (run.folder / name).exists()]
    files += [(f"evaluate/tasks/{task.name}/", f"the tables of {task.name}") for task in run.tasks]
    files += [(f"train/{one.name}/", f"head, history, checks and predictions of {one.name}") for one in run.experiments]
    if not files:
        return []
    caption = f"Within `results/{run.name}/`. CSV files have their sha256 beside them."
    return [Heading("Where the tables are", "files"), Table(("file or folder", "what it holds"), files, caption)]

"""The model card of a trained head, in Markdown (Mitchell et al. 2019, doi 10.1145/3287560.3287596).

Figures come from the run; what only a person knows comes from the settings.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pandas as pd

from foldgraft.errors import FoldgraftError
from foldgraft.metrics.catalogue import describe
from foldgraft.metrics.ranking import roc_auc
from foldgraft.records.metrics import BASELINE, TRANSFER
from foldgraft.records.predictions import schema_of
from foldgraft.records.tables import read_frame
from foldgraft.report.drawing import count, number, span
from foldgraft.report.results import Experiment, Task
from foldgraft.report.run import Run
from foldgraft.report.settings import CardSettings
from foldgraft.report.verdicts import plain, whose
from foldgraft.tasks.trained import HeadInfo, load_head

STRUCTURES = "structures"
SHARDS = ("files-", "rcsb-", "alphafold-", "query-")
"""Begin the names of shards of structures in the lock, a synthetic proteome's being `files-` too."""

SHOWN = (
    "P@L long", "P@L/5 long", "P@L all", "mae phi", "mae psi", "roc_auc", "mcc", "r2", "spearman", "rmse", "Q3",
    "accuracy", "ece",
)  # fmt: skip
"""Metrics of the table, of those that the task has."""


def card(run: Run, name: str, about: CardSettings) -> str:
    """The card of an experiment of one task.

    Raises
    ------
    FoldgraftError
        if the run has no such experiment.
    """
    experiment = next((one for one in run.experiments if one.name == name), None)
    if experiment is None:
        raise FoldgraftError(f"report.cards.{name}: the run has no experiment of this name")
    task = next(one for one in run.tasks if name in {each.name for each in one.experiments})
    path = run.folder / "train" / name / "head.safetensors"
    info = load_head(path).info
    parts = [
        f"# {name}\n\n{about.summary}",
        "## What it is\n\n" + _list(_head(run, info, path.stat().st_size)),
        f"## Data\n\n{about.data}\n\n" + _list(_data(run, task)),
        "## Split\n\n" + _split(run, task),
        "## Figures\n\n" + _figures(task, experiment),
        *_folds(run, task, experiment),
        *_elsewhere(run, name),
        *([f"Other tools:\n\n{_tools(about)}"] if about.tools else []),
        "By what sets the proteins apart:\n\n" + _breakdown(task, name),
        f"## Limits\n\n{_list(about.limits)}",
        f"## Licences\n\n{about.licence}",
        f"## Made by\n\n```bash\n{about.command}\n```\n\n{_versions(info)}",
    ]
    return "\n\n".join(parts) + "\n"


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _head(run: Run, info: HeadInfo, size: int) -> Iterator[str]:
    layers = f"embeddings of layer{'s' if len(info.layers) > 1 else ''} {', '.join(map(str, info.layers))}"
    features = ", ".join(one for one in info.features if one != "embedding")
    read = " and ".join(one for one in (features, layers if info.layers else "") if one)
    yield f"a `{info.head.name}` head on {read} of the trunk; {size / 1000:.0f} kB"
    folds = len({member.test_fold for member in info.members})
    if len(info.members) > 1:
        each = f", each trained without one of {folds} folds" if folds > 1 else ""
        yield f"{len(info.members)} members{each}; the prediction is their mean, low and high are their extremes"
    yield "calibrated on proteins that were not learnt from (temperature and, of probabilities, shift: Platt scaling)"
    source = run.trunk.get("source") or {}
    files = [f"{name} {sha256[:16]}" for name, sha256 in (source.get("files") or {}).items()]
    known = f" ({', '.join(files)})" if files else ""
    yield f"trained on the trunk {info.trunk.name}{known}; any trunk that computes the same serves, in any layout"


def _data(run: Run, task: Task) -> Iterator[str]:
    if task.set == STRUCTURES:
        chains = run.index[run.index["id"].isin(run.split.loc[run.split["set"] == STRUCTURES, "id"])]
        lengths = chains["sequence"].str.len()
        yield f"{count(len(chains))} chains of {lengths.min()} to {lengths.max()} residues"
        stored = run.lock["shard"].str.startswith(SHARDS) & (run.lock["status"] == "stored")
        yield f"{count(stored.sum())} structure files"
        return
    table = next(one for one in run.labelled if one.about.task == task.name)
    rows = table.rows
    yield f"{count(len(rows))} proteins of {rows['length'].min()} to {rows['length'].max()} residues"
    if table.about.level == "residue":
        yield f"{count(int(rows['known'].sum()))} residues with a label"
    elif table.about.kind != "classes":  # whose labels are the numbers of their names
        yield f"mean label {number(rows['label'].mean())}"
    for item in run.lock[run.lock["shard"] == task.name].itertuples():
        yield f"file {item.url.rsplit('/', 1)[-1]}, sha256 {item.sha256}"


def _split(run: Run, task: Task) -> str:
    verdict = run.verdict.get(task.set, {})
    rows = [
        ("none found" if band["from"] is None else f"{band['from']:.0%} to {band['to']:.0%}", count(band["test"]))
        for band in verdict.get("identities", [])
    ]
    text = verdict.get("text", "")
    if verdict.get("verdict") == "leaks":
        text += f" {whose(run, task.set, verdict)}"
    text += "\n\nIdentity to the nearest training or validation protein, by search:\n\n"
    return text + _table(["identity", "test proteins"], rows)


def _shown(task: Task, name: str) -> list[str]:
    """Metrics of the table that a predictor has; Q3 is the accuracy of three states, which is not shown twice."""
    metrics = [metric for metric in SHOWN if name in task.values(metric=metric).index]
    return [metric for metric in metrics if metric != "accuracy" or "Q3" not in metrics]


def _figures(task: Task, experiment: Experiment) -> str:
    metrics = _shown(task, experiment.name)
    others = [one.name for one in task.experiments if one.name != experiment.name]
    names = [experiment.name, *others, *sorted(n for n in task.values().index if n.startswith(BASELINE))]
    rows = []
    for name in names:
        cells = []
        for metric in metrics:
            values = task.values(metric=metric)
            row = values.loc[name] if name in values.index else None
            cells.append("" if row is None else f"{number(row['value'])} {span(row['ci_low'], row['ci_high'])}".strip())
        rows.append([f"**{name}**" if name == experiment.name else plain(name), *cells])
    n = count(task.values().loc[experiment.name, "n"])
    tested = "each tested once, by a member that did not learn from it" if experiment.cross_validated else "held out"
    heads = ["", *(describe(metric).title for metric in metrics)]
    return f"{n} proteins, {tested}; 95 % intervals by resampling clusters.\n\n{_table(heads, rows)}"


def _folds(run: Run, task: Task, experiment: Experiment) -> Iterator[str]:
    """The ROC-AUC of each fold of yes-or-no labels of proteins, if each protein was a test protein once."""
    if not experiment.cross_validated or (task.about.level, task.about.target["kind"]) != ("protein", "binary"):
        return
    path = run.folder / "train" / experiment.name / f"predictions/{task.name}.parquet"
    rows = read_frame(path, schema_of(task.about))
    rows = rows[rows["split"] == "test"]
    areas = [
        float(roc_auc(part["truth"].to_numpy() >= 0.5, np.stack(part["score"])[:, 0]).item())
        for _, part in rows.groupby("fold")
    ]
    each = ", ".join(number(area) for area in areas)
    yield f"ROC-AUC of the folds: {each}; mean **{np.mean(areas):.4f}**, standard deviation {np.std(areas):.3f}."


def _elsewhere(run: Run, name: str) -> Iterator[str]:
    """On each other table that the head was tried on: its figures there, and how many proteins have relatives."""
    for task in run.tasks:
        values = task.values()
        if (transferred := f"{TRANSFER}{name}") not in values.index:
            continue
        metrics = _shown(task, transferred)
        rows = []
        for metric in metrics:
            row = task.values(metric=metric).loc[transferred]
            rows.append(
                (describe(metric).title, f"{number(row['value'])} {span(row['ci_low'], row['ci_high'])}".strip())
            )
        notes = task.tables["notes"]
        said = notes.loc[(notes["experiment"] == transferred) & notes["note"].str.startswith("test: "), "note"]
        n = count(values.loc[transferred, "n"])
        title = f"On the table {task.name}, which it did not learn from, {n} proteins ({'; '.join(said)}):"
        yield f"{title}\n\n{_table(['', transferred.removeprefix(TRANSFER)], rows)}"


def _tools(about: CardSettings) -> str:
    return _table(["tool", "metric", "value", "source"], [[t.name, t.metric, t.value, t.source] for t in about.tools])


def _breakdown(task: Task, name: str) -> str:
    rows: pd.DataFrame = task.tables["breakdown"]
    rows = rows[(rows["experiment"] == name) & (rows["part"] != "area")]
    cells = [
        (row.by, row.part, f"{number(row.value)} {span(row.ci_low, row.ci_high)}", count(row.n))
        for row in rows.itertuples()
    ]
    return _table(["by", "part", describe(task.headline).title, "proteins"], cells)


def _versions(info: HeadInfo) -> str:
    return "With " + ", ".join(f"{name} {version}" for name, version in sorted(info.versions.items())) + "."

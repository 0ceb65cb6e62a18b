"""The measurement of one task: files of predictions in, tables out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from foldgraft.errors import FoldgraftError
from foldgraft.evaluate import points
from foldgraft.evaluate.breakdown import breakdown
from foldgraft.evaluate.compare import Comparer
from foldgraft.evaluate.kinds import is_fractional
from foldgraft.evaluate.pairs import PairTruth, read_pair_predictor
from foldgraft.evaluate.predictor import SPLITS, Predictor, read_predictor, summarise
from foldgraft.evaluate.settings import EvaluateSettings
from foldgraft.metrics.catalogue import headline
from foldgraft.progress import progress
from foldgraft.records import alignments, labels
from foldgraft.records.files import intact, sealed
from foldgraft.records.metrics import TRANSFER
from foldgraft.records.predictions import About, read_about, schema_of
from foldgraft.records.split import LEAKAGE
from foldgraft.records.tables import read_frame, read_frames, read_rows
from foldgraft.records.targets import SCHEMA as TARGETS
from foldgraft.records.text_tables import plain, write_frame

THRESHOLDS = ["experiment", "fold", "threshold", "n"]
"""The threshold chosen on the n examples of validation fold `fold`."""

CEILING = ["split", "metric", "value", "n"]
"""The greatest mean precision that any predictor can reach on the proteins of a split."""

PROTEINS = ["experiment", "split", "fold", "id"]
"""Followed by the metrics of each protein by itself; none for labels of proteins."""


@dataclass(frozen=True)
class Sources:
    """What is known of a task's proteins besides their predictions.

    Attributes
    ----------
    split : frame
        The rows of `cluster/split.parquet` of the task's set.
    name : str
        Name of that set.
    leakage : path, optional
        cluster/leakage.parquet, for the nearest training protein.
    labels : paths of the labelled table's shards, for lengths and groups
    targets : paths of `targets/<shard>.parquet`, for contacts, lengths and secondary structure
    alignments : paths of `msa/alignments/<shard>.parquet`, for their depth
    external : paths of `cluster/external/<table>/<experiment>.parquet`, for the nearest that heads learnt from
    """

    split: pd.DataFrame
    name: str
    leakage: Path | None = None
    labels: Sequence[Path] = ()
    targets: Sequence[Path] = ()
    alignments: Sequence[Path] = ()
    external: Sequence[Path] = ()

    def near(self, predictor: Predictor) -> pd.DataFrame:
        """By id the columns identity, leak and method, beside what the head of another table learnt from."""
        columns = ["identity", "leak", "method"]
        paths = [path for path in self.external if predictor.name == f"{TRANSFER}{path.stem}"]
        frames = [_by_id(read_frame(path, LEAKAGE, ["id", *columns])) for path in paths]
        return frames[0] if frames else pd.DataFrame(columns=columns)

    def proteins(self) -> pd.DataFrame:
        """By id: length, and where they are known identity, neff and group."""
        parts = []
        if self.labels:
            parts.append(_by_id(read_frames(self.labels, labels.SCHEMA, ["id", "sequence", "group"])))
        elif self.targets:
            chains = read_frames(self.targets, TARGETS, ["id", "sequence", "sequence_sha256"])
            parts.append(_by_id(chains[["id", "sequence"]]))
            depth = read_frames(self.alignments, alignments.ALIGNMENTS, ["sequence_sha256", "neff"])
            parts.append(_by_id(chains.merge(depth, on="sequence_sha256")[["id", "neff"]]))
        if self.leakage:
            near = read_frame(self.leakage, LEAKAGE)
            near = near[near["set"] == self.name].merge(self.split[["id", "fold"]], on=["id", "fold"])
            parts.append(_by_id(near[["id", "identity"]]))
        table = pd.concat(parts, axis=1) if parts else pd.DataFrame()
        if "sequence" in table:
            table["length"] = table.pop("sequence").str.len()
        return table


def _by_id(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.drop_duplicates("id").set_index("id")


def measure(paths: Sequence[Path], sources: Sources, settings: EvaluateSettings) -> dict[str, pd.DataFrame]:
    """All tables of a task, by the names of `foldgraft.records.metrics.TABLES`.

    Raises
    ------
    FoldgraftError
        if the files are not of one task, or two of one predictor.
    """
    about, predictors = _read(paths, sources, settings)
    cluster = dict(zip(sources.split["id"], sources.split["cluster"], strict=True))
    comparer = Comparer(about.task, predictors, cluster, settings)
    for one in predictors:
        one.note_relatives(sources.near(one))
    tables = {"metrics": comparer.metrics(), "comparison": comparer.comparison()}
    tables["notes"] = comparer.notes()
    fractional = any(is_fractional(one.examples["test"].truth[:, 0]) for one in predictors if one.examples)
    metric = headline(about.level, about.target, fractional and about.target["kind"] == "binary")
    proteins = sources.proteins()
    others = proteins.drop(columns="identity", errors="ignore")

    def known(one: Predictor) -> pd.DataFrame:
        return pd.concat([others, sources.near(one)[["identity"]]], axis=1) if one.is_transfer else proteins

    tables["breakdown"] = breakdown(comparer, known, metric)
    tables["thresholds"] = pd.DataFrame(
        [(one.name, *row) for one in predictors for row in one.thresholds], columns=THRESHOLDS
    )
    tables["proteins"] = _proteins(predictors) if about.level != "protein" else pd.DataFrame(columns=PROTEINS)
    tables["ceiling"] = (
        _ceiling(predictors, sources.targets) if about.level == "pair" else pd.DataFrame(columns=CEILING)
    )
    return tables | _points(about, predictors, settings)


def _read(paths: Sequence[Path], sources: Sources, settings: EvaluateSettings) -> tuple[About, list[Predictor]]:
    """All predictors with their summaries, the experiments first."""
    abouts = {path: read_about(path) for path in paths}
    if not abouts:
        raise FoldgraftError("evaluate: there are no predictions; give at least one file")
    about, names = next(iter(abouts.values())), set()
    for path, one in abouts.items():
        if (one.task, one.level, one.target) != (about.task, about.level, about.target):
            raise FoldgraftError(f"{path}: predictions of {one.task}, not of {about.task}, or of other classes")
        if one.experiment in names:
            raise FoldgraftError(f"{path}: there is another file of predictions of {one.experiment}")
        names.add(one.experiment)
    if about.level == "pair":
        ids = set().union(*(read_frame(path, schema_of(one), ["id"])["id"] for path, one in abouts.items()))
        truth = PairTruth(sources.targets, ids)
        predictors = [read_pair_predictor(path, one, truth) for path, one in abouts.items()]
    else:
        states = _states(sources.targets) if about.target["kind"] == "angles" else {}
        read = progress(list(abouts.items()), f"{about.task}: predictions")
        predictors = [read_predictor(path, one, states) for path, one in read]
        summarise(predictors, about, settings.bins)
    return about, sorted(predictors, key=lambda one: one.is_baseline)


def _states(targets: Sequence[Path]) -> dict[str, str]:
    """Secondary structure of each chain."""
    states: dict[str, str] = {}
    for path in targets:
        for row in read_rows(path, TARGETS, ["id", "ss3"]):
            states.setdefault(row["id"], row["ss3"])
    return states


def _proteins(predictors: Sequence[Predictor]) -> pd.DataFrame:
    frames = [
        one.proteins[split].drop(columns="sequence_sha256").assign(experiment=one.name, split=split, **summary.each())
        for one in predictors
        for split, summary in one.summary.items()
        if len(summary)
    ]
    table = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=PROTEINS)
    return table[[*PROTEINS, *(name for name in table if name not in PROTEINS)]]


def _ceiling(predictors: Sequence[Predictor], targets: Sequence[Path]) -> pd.DataFrame:
    """Of all proteins that any experiment predicted."""
    rows = []
    for split in SPLITS:
        parts = [one.proteins[split] for one in predictors if not one.is_baseline]
        proteins = pd.concat(parts).drop_duplicates("id") if parts else pd.DataFrame(columns=["id", "sequence_sha256"])
        if len(proteins):
            summary = PairTruth(targets, set(proteins["id"])).ceiling(proteins)
            metrics = summary.measure(np.ones((1, len(summary))))
            rows += [(split, name, float(value[0]), summary.count(name)) for name, value in metrics.items()]
    return pd.DataFrame(rows, columns=CEILING)


def _points(about: About, predictors: Sequence[Predictor], settings: EvaluateSettings) -> dict[str, pd.DataFrame]:
    """Points of curves and plots, as the kind of target has them."""
    kind = about.target["kind"] if about.level != "pair" else "none"
    parts: dict[str, list[pd.DataFrame]] = {name: [] for name in ("roc", "pr", "reliability", "confusion", "scatter")}
    for one in predictors:
        if kind == "binary":
            roc, pr = points.roc_and_pr(one)
            parts["roc"].append(roc)
            parts["pr"].append(pr)
            parts["reliability"].append(points.reliability(one, settings.bins))
        elif kind == "classes":
            parts["confusion"].append(points.confusion(one, about.target["names"]))
        if kind == "value" or (kind == "binary" and is_fractional(one.examples["test"].truth[:, 0])):
            parts["scatter"].append(points.scatter(one))
    columns = {
        "roc": points.ROC, "pr": points.PR, "reliability": points.RELIABILITY, "confusion": points.CONFUSION,
        "scatter": points.SCATTER,
    }  # fmt: skip
    return {name: _stack(frames, columns[name]) for name, frames in parts.items()}


def _stack(frames: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    frames = [frame for frame in frames if len(frame)]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)


def write_tables(folder: Path, tables: dict[str, pd.DataFrame]) -> None:
    """Write each table as `<name>.csv` of the folder."""
    for name, table in tables.items():
        write_csv(folder / f"{name}.csv", table)


def collect(paths: Sequence[Path], output: Path, columns: Sequence[str]) -> None:
    """Join the tables of several tasks into one with these columns."""
    frames = [plain(pd.read_csv(intact(path), dtype=str, keep_default_na=False)) for path in paths]
    table = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(columns))
    with sealed(output) as temporary:
        write_frame(temporary, table[list(columns)])


def write_csv(path: Path, frame: pd.DataFrame) -> None:
    """Write a table with six significant digits; an undefined value is an empty cell."""
    with sealed(path) as temporary:
        write_frame(temporary, frame, "%.6g")

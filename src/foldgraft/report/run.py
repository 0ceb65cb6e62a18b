"""The results of a run as the report reads them: light tables whole, heavy shards only for the proteins shown."""

from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import yaml

from foldgraft.errors import FoldgraftError
from foldgraft.records import alignments, index, labels, lock, predictions, split
from foldgraft.records.chains import Chain, read_chains
from foldgraft.records.files import intact, read_json
from foldgraft.records.given import GIVEN, read_given
from foldgraft.records.metrics import TABLES
from foldgraft.records.rejects import COLUMNS as REJECTS
from foldgraft.records.rejects import read_rejects
from foldgraft.records.tables import read_arrays, read_frame, read_frames
from foldgraft.records.targets import Targets, read_targets
from foldgraft.records.text_tables import plain
from foldgraft.report.results import Experiment, Labelled, Task
from foldgraft.residues import AMINO_ACIDS

HYDROPATHY = {
    "A": 1.8, "C": 2.5, "D": -3.5, "E": -3.5, "F": 2.8, "G": -0.4, "H": -3.2, "I": 4.5, "K": -3.9, "L": 3.8,
    "M": 1.9, "N": -3.5, "P": -1.6, "Q": -3.5, "R": -4.5, "S": -0.8, "T": -0.7, "V": 4.2, "W": -0.9, "Y": -1.3,
}  # fmt: skip
"""Kyte and Doolittle 1982 (doi 10.1016/0022-2836(82)90515-0)."""

LEVELS = ("protein", "residue", "pair")

TEXTS = dict.fromkeys(("experiment", "baseline", "id", "task", "part", "member", "reason", "warning", "nearest"), str)
"""Columns that are names: one like `NA` or `true` is no missing or logical value."""


def _known(residues: np.ndarray | None) -> int:
    return 0 if residues is None else int(np.isfinite(residues).sum())


def _properties(sequences: pd.Series) -> dict[str, pd.Series]:
    """Length, net charge per residue near pH 7 (histidine neutral) and mean hydropathy of sequences."""
    length = sequences.str.len()
    totals = {letter: sequences.str.count(letter) for letter in AMINO_ACIDS}
    charge = totals["K"] + totals["R"] - totals["D"] - totals["E"]
    hydropathy = sum(HYDROPATHY[letter] * total for letter, total in totals.items())
    return {"length": length, "charge": charge / length, "hydropathy": hydropathy / length}


class Run:
    """A folder `results/<run>`; a table whose stage did not run is empty."""

    def __init__(self, folder: Path):
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise FoldgraftError(f"{folder}: there is no such folder of results; run the workflow first")
        self.name = self.folder.resolve().name

    @cached_property
    def lock(self) -> pd.DataFrame:
        return self._table("fetch/lock.parquet", lock.SCHEMA)

    @cached_property
    def rejects(self) -> pd.DataFrame:
        path = self.folder / "curate/rejects.csv"
        return read_rejects(path) if path.exists() else pd.DataFrame(columns=REJECTS)

    @cached_property
    def index(self) -> pd.DataFrame:
        return self._table("curate/index.parquet", index.SCHEMA)

    @cached_property
    def labelled(self) -> list[Labelled]:
        """The labelled tables by name.

        A shard that an earlier configuration left behind does not count: the split knows who takes part.
        """
        shards: dict[str, list[Path]] = {}
        for path in sorted((self.folder / "fetch/labels").glob("*.parquet")):
            shards.setdefault(labels.table_of(path), []).append(path)
        tables = []
        for name, paths in shards.items():
            rows = self._taking_part(read_frames(paths, labels.SCHEMA), name)
            if len(rows):
                rows = rows.assign(known=rows["residues"].map(_known), **_properties(rows["sequence"]))
                tables.append(Labelled(labels.read_description(paths), rows.drop(columns=["sequence", "residues"])))
        return tables

    def unlabelled(self, name: str) -> pd.DataFrame:
        """Rows of a labelled table without a usable label, with what stood there and the reason."""
        paths = sorted((self.folder / "fetch/labels/rejects").glob("*.csv"))
        parts = [read_rejects(path) for path in paths if labels.table_of(path) == name]
        return pd.concat([pd.DataFrame(columns=REJECTS), *parts], ignore_index=True)

    @cached_property
    def unread(self) -> pd.DataFrame:
        """Labelled sequences and chains that the trunk could not embed, with the reason."""
        parts = [read_rejects(path) for path in sorted((self.folder / "embed/rejects").glob("*.csv"))]
        table = pd.concat([pd.DataFrame(columns=REJECTS), *parts], ignore_index=True).drop_duplicates()
        return table[table["id"].isin(self.split["id"])]

    @cached_property
    def split(self) -> pd.DataFrame:
        return self._table("cluster/split.parquet", split.SPLIT)

    @cached_property
    def leakage(self) -> pd.DataFrame:
        return self._table("cluster/leakage.parquet", split.LEAKAGE)

    @cached_property
    def verdict(self) -> dict[str, dict[str, Any]]:
        """The split's audit, by set of proteins."""
        return self._json("cluster/verdict.json")

    @cached_property
    def structural(self) -> dict[str, Any]:
        """The audit by structure; empty for a run without structures."""
        return self._json("cluster/structural.json")

    @cached_property
    def alignments(self) -> pd.DataFrame:
        """Depths, filters and the mean fraction of gaps of every chain's alignment, without the alignments."""
        folder = self.folder / "msa/alignments"
        paths = [path for path in sorted(folder.glob("*.parquet")) if path.stem in set(self.index["shard"])]
        columns = [name for name in alignments.ALIGNMENTS.names if name not in ("a3m", "id")]
        frames = [read_frame(path, alignments.ALIGNMENTS, columns) for path in paths]
        frames = [frame.assign(gaps=[float(gaps.mean()) for gaps in frame["gaps"]]) for frame in frames]
        table = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)
        return self.index[["id", "sequence_sha256"]].merge(table, on="sequence_sha256")

    def depth(self, name: str) -> np.ndarray | None:
        """Sequences of a chain's alignment that have a residue at each position, itself included; None without one."""
        sequence, path = self._by_sequence(name, "alignments")
        if not path.exists():
            return None
        rows = read_arrays(path, alignments.ALIGNMENTS, ["sequence_sha256", "depth", "gaps"])
        depths = (1 + (row["depth"] - 1) * (1 - row["gaps"]) for row in rows if row["sequence_sha256"] == sequence)
        return next(depths, None)

    @cached_property
    def given(self) -> pd.DataFrame:
        """What became of the alignments that the user gave; empty if there were none."""
        path = self.folder / "msa/given.csv"
        named = self.provenance.get("config", {}).get("msa", {}).get("alignments", {}).get("files", [True])
        return read_given(path) if path.exists() and named else pd.DataFrame(columns=list(GIVEN))

    @cached_property
    def trunk(self) -> dict[str, Any]:
        return self._json("trunk/trunk.json")

    @cached_property
    def pretraining(self) -> pd.DataFrame:
        """The trunk's history; empty if it came from elsewhere, whatever an earlier trunk left behind."""
        own = (self.trunk.get("source") or {}).get("kind") == "pretrain"
        return self._csv("trunk/history.csv") if own else pd.DataFrame()

    @cached_property
    def experiments(self) -> list[Experiment]:
        """Those of the run's configuration; all that there are if it is not known."""
        experiments = []
        wanted = self.provenance.get("config", {}).get("experiments")
        for path in sorted((self.folder / "train").glob("*/experiment.yaml")):
            name = path.parent.name
            folder = Path("train", name)
            if wanted is not None and name not in wanted:
                continue
            content = yaml.safe_load(intact(path).read_text(encoding="utf-8")) or {}
            history = self._csv(folder / "history.csv")
            checks = self._json(folder / "checks.json")
            experiments.append(Experiment(name, content.get(name, content), history, checks))
        return experiments

    @cached_property
    def tasks(self) -> list[Task]:
        """The tasks that some experiment learnt, or on whose table heads were tried, and the evaluate stage measured;
        proteins, residues, then pairs."""
        tasks = []
        tried = self.provenance.get("config", {}).get("evaluate", {}).get("external", {})
        for name in dict.fromkeys([*(name for one in self.experiments for name in one.tasks), *tried]):
            learnt = tuple(one for one in self.experiments if name in one.tasks)
            paths = [self.folder / "train" / one.name / f"predictions/{name}.parquet" for one in learnt]
            paths += [self.folder / f"evaluate/external/{name}/{head}.parquet" for head in tried.get(name, ())]
            path = next((path for path in paths if path.exists()), None)
            if path and (self.folder / "evaluate/tasks" / name).is_dir():
                tables = {table: self._csv(f"evaluate/tasks/{name}/{table}.csv") for table in TABLES}
                tasks.append(Task(predictions.read_about(path), tables, learnt))
        return sorted(tasks, key=lambda task: LEVELS.index(task.about.level))

    def pair_task(self) -> Task | None:
        """The task whose pair predictions are shown on structures: contacts, else distances."""
        pairs = [task for task in self.tasks if task.about.level == "pair"]
        return min(pairs, key=lambda task: task.about.target["kind"] != "binary", default=None)

    def layers(self, experiment: str) -> pd.DataFrame:
        """What each layer of the trunk is worth to an experiment; empty where only one is read."""
        return self._csv(f"train/{experiment}/layers.csv")

    def evaluation(self, name: str) -> pd.DataFrame:
        """A table of the evaluate stage, such as `metrics` or `curves/roc`."""
        return self._csv(f"evaluate/{name}.csv")

    def predicted(self, name: str) -> pd.DataFrame:
        """The predictions for one of the files of new sequences."""
        return self._csv(f"predict/{name}.csv")

    @cached_property
    def provenance(self) -> dict[str, Any]:
        return self._json("provenance.json")

    def shard_of(self, name: str) -> str:
        """The shard that holds a chain."""
        return str(self.index.loc[self.index["id"] == name, "shard"].iloc[0])

    def chain(self, name: str) -> Chain:
        """One chain with its coordinates."""
        path = self.folder / "curate/chains" / f"{self.shard_of(name)}.parquet"
        return next(chain for chain in read_chains(path) if chain.id == name)

    def targets(self, shard: str) -> Iterator[Targets]:
        """The targets of a shard; none if the stage did not run."""
        path = self.folder / "targets" / f"{shard}.parquet"
        return read_targets(path) if path.exists() else iter(())

    def coevolution(self, name: str) -> np.ndarray | None:
        """Packed coevolution scores of a chain, None where there are none."""
        sequence, path = self._by_sequence(name, "coevolution")
        if not path.exists():
            return None
        rows = read_arrays(path, alignments.COEVOLUTION, ["sequence_sha256", "scores"])
        return next((row["scores"] for row in rows if row["sequence_sha256"] == sequence), None)

    def _by_sequence(self, name: str, kind: str) -> tuple[str, Path]:
        """The digest of a chain's sequence, and the shard that has its alignment: that of the first chain of it."""
        sequence = self.index.loc[self.index["id"] == name, "sequence_sha256"].iloc[0]
        first = self.index.loc[self.index["sequence_sha256"] == sequence, "shard"].iloc[0]
        return sequence, self.folder / "msa" / kind / f"{first}.parquet"

    def pair_scores(self, task: Task, experiment: str, names: Iterable[str]) -> dict[str, np.ndarray]:
        """Packed predicted probabilities of a contact, of some test proteins."""
        wanted = set(names)
        path = self.folder / "train" / experiment / f"predictions/{task.name}.parquet"
        rows = read_arrays(path, predictions.schema_of(task.about), ["id", "split", "score"])
        return {row["id"]: row["score"].copy() for row in rows if row["id"] in wanted and row["split"] == "test"}

    def _taking_part(self, table: pd.DataFrame, name: str) -> pd.DataFrame:
        """The rows of a set of proteins that the split knows, each id once; all rows if there is no split."""
        if self.split.empty:
            return table
        known = self.split.loc[self.split["set"] == name, "id"]
        return table[table["id"].isin(known)].drop_duplicates("id").reset_index(drop=True)

    def _table(self, name: str, schema: pa.Schema) -> pd.DataFrame:
        path = self.folder / name
        return read_frame(path, schema) if path.exists() else schema.empty_table().to_pandas()

    def _csv(self, name: str | Path) -> pd.DataFrame:
        path = self.folder / name
        if not path.exists():
            return pd.DataFrame()
        try:
            return plain(pd.read_csv(intact(path), dtype=TEXTS, keep_default_na=False, na_values=[""]))
        except pd.errors.ParserError as error:
            raise FoldgraftError(f"{path}: cannot be read as a table ({error})") from None
        except pd.errors.EmptyDataError:
            return pd.DataFrame()

    def _json(self, name: str | Path) -> dict[str, Any]:
        path = self.folder / name
        return read_json(path) if path.exists() else {}

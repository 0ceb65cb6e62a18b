"""The results of a run as the report reads them: light tables whole, heavy shards only for the proteins shown."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
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
from foldgraft.records.files import read_json
from foldgraft.records.rejects import COLUMNS as REJECTS
from foldgraft.records.rejects import read_rejects
from foldgraft.records.tables import read_arrays, read_frame, read_frames
from foldgraft.records.targets import Targets, read_targets

TEXTS = {"experiment": str, "baseline": str, "id": str}
"""Columns that are names: one like `NA` or `true` is no missing or logical value."""


@dataclass(frozen=True)
class Experiment:
    """What a trained experiment left behind."""

    name: str
    settings: dict[str, Any]
    history: pd.DataFrame
    checks: dict[str, Any]

    @property
    def tasks(self) -> list[str]:
        return list(self.settings.get("task", ()))

    @property
    def head(self) -> str:
        return str(self.settings.get("head", {}).get("name", ""))


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
    def labels(self) -> pd.DataFrame:
        """Labelled sequences with their length in place of the letters.

        A shard that an earlier configuration left behind does not count: the split knows who takes part.
        """
        paths = sorted((self.folder / "fetch/labels").glob("solubility-*.parquet"))
        table = read_frames(paths, labels.SCHEMA, ["id", "sequence", "sequence_sha256", "label"])
        table = self._taking_part(table, "solubility")
        return table.assign(length=table["sequence"].str.len()).drop(columns="sequence")

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
    def alignments(self) -> pd.DataFrame:
        """Depth and effective depth of every alignment, without the alignments."""
        folder = self.folder / "msa/alignments"
        paths = [path for path in sorted(folder.glob("*.parquet")) if path.stem in set(self.index["shard"])]
        return read_frames(paths, alignments.ALIGNMENTS, ["id", "length", "depth", "neff", "source"])

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
        found = []
        wanted = self.provenance.get("config", {}).get("experiments")
        for path in sorted((self.folder / "train").glob("*/experiment.yaml")):
            name = path.parent.name
            folder = Path("train", name)
            if wanted is not None and name not in wanted:
                continue
            content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
            history = self._csv(folder / "history.csv")
            found.append(Experiment(name, content.get(name, content), history, self._json(folder / "checks.json")))
        return found

    def of_task(self, task: str) -> list[Experiment]:
        """The experiments of a task."""
        return [experiment for experiment in self.experiments if task in experiment.tasks]

    def evaluation(self, name: str) -> pd.DataFrame:
        """A table of the evaluate stage, such as `metrics` or `curves/roc`."""
        return self._csv(f"evaluate/{name}.csv")

    @cached_property
    def provenance(self) -> dict[str, Any]:
        return self._json("provenance.json")

    def cross_validated(self) -> set[str]:
        """Names of the experiments in which every protein was a test protein once."""
        return {experiment.name for experiment in self.experiments if experiment.settings.get("cross_validate")}

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
        path = self.folder / "msa/coevolution" / f"{self.shard_of(name)}.parquet"
        if not path.exists():
            return None
        rows = read_arrays(path, alignments.COEVOLUTION, ["id", "scores"])
        return next((row["scores"] for row in rows if row["id"] == name), None)

    def contact_scores(self, experiment: str, names: Iterable[str]) -> dict[str, np.ndarray]:
        """Packed predicted probabilities of some test proteins."""
        wanted = set(names)
        path = self.folder / "train" / experiment / "predictions/contact.parquet"
        rows = read_arrays(path, predictions.PAIR, ["id", "split", "score"])
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
            return pd.read_csv(path, dtype=TEXTS, keep_default_na=False, na_values=[""])
        except pd.errors.ParserError as error:
            raise FoldgraftError(f"{path}: cannot be read as a table ({error})") from None
        except pd.errors.EmptyDataError:
            return pd.DataFrame()

    def _json(self, name: str | Path) -> dict[str, Any]:
        path = self.folder / name
        return read_json(path) if path.exists() else {}

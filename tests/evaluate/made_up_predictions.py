"""Files of predictions, true to their schemas, with a known skill."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from foldgraft.records.files import sequence_sha256
from foldgraft.records.predictions import About, schema_of
from foldgraft.records.split import SPLIT
from foldgraft.records.tables import row_writer, write_frame
from foldgraft.records.targets import SCHEMA as TARGETS
from foldgraft.records.targets import Targets

FOLDS = 4
BINARY, VALUE = {"kind": "binary"}, {"kind": "value", "unit": "celsius"}
STATES = {"kind": "classes", "names": ["H", "E", "C"]}
TORSIONS = {"kind": "angles", "names": ["phi", "psi"]}


def ids(count: int, letter: str = "p") -> list[str]:
    return [f"{letter}{n:03d}" for n in range(count)]


def split_frame(names: list[str], set_name: str, of_cluster: int = 2) -> pd.DataFrame:
    """Clusters of two neighbours, in four folds; fold 0 tests and fold 1 validates."""
    cluster = np.arange(len(names)) // of_cluster
    table = pd.DataFrame({"id": names, "set": set_name, "cluster": cluster, "fold": cluster % FOLDS})
    table["split"] = table["fold"].map({0: "test", 1: "valid"}).fillna("train")
    return table.assign(sequence_sha256=table["id"].map(sequence_sha256))


def write_split(path: Path, *frames: pd.DataFrame) -> Path:
    write_frame(path, pd.concat(frames, ignore_index=True), SPLIT)
    return path


def served(split: pd.DataFrame, crossed: bool) -> pd.DataFrame:
    """A row for each protein and split that it serves as."""
    if crossed:
        return pd.concat([split.assign(split="test"), split.assign(split="valid")], ignore_index=True)
    return split[split["split"] != "train"].reset_index(drop=True)


def about(name: str, level: str, target: Mapping, task: str = "made_up") -> About:
    return About(task=task, experiment=name, level=level, target=dict(target))


def write_proteins(
    path: Path, one: About, split: pd.DataFrame, truth: np.ndarray, score: np.ndarray, crossed: bool = True
) -> Path:
    """Predictions (N, K) for the proteins of `split`, as test and as validation proteins alike."""
    rows = served(split.assign(truth=truth, score=list(score.astype(np.float32))), crossed)
    rows = rows.assign(low=rows["score"], high=rows["score"]).sample(frac=1, random_state=0)
    write_frame(path, rows, schema_of(one))
    return path


def write_residues(
    path: Path, one: About, split: pd.DataFrame, truth: list[np.ndarray], score: list[np.ndarray], crossed: bool = True
) -> Path:
    """Predictions (L, K) and truth (L, T) of each protein."""
    rows = split.assign(
        truth=[values.ravel().astype(np.float32) for values in truth],
        score=[values.ravel().astype(np.float32) for values in score],
        length=[len(values) for values in score],
    )
    with row_writer(path, schema_of(one)) as writer:
        for row in served(rows, crossed).to_dict("records"):
            writer.write(row)
    return path


def write_pairs(path: Path, one: About, split: pd.DataFrame, score: list[np.ndarray], length: int, **more) -> Path:
    """Predictions (P,) of each protein; `more` are further columns."""
    rows = split.assign(score=[values.astype(np.float32) for values in score], length=length, **more)
    with row_writer(path, schema_of(one)) as writer:
        for row in served(rows, crossed=True).to_dict("records"):
            writer.write(row)
    return path


def write_targets(path: Path, names: list[str], contacts: list[np.ndarray], ss3: list[str], **more) -> Path:
    """Targets of chains whose sequences are of alanine."""
    with row_writer(path, TARGETS) as writer:
        for n, (name, pairs, states) in enumerate(zip(names, contacts, ss3, strict=True)):
            length = len(states)
            one = {
                "distogram": np.zeros(len(pairs), np.uint8),
                "torsions": np.zeros((length, 7, 2), np.float32),
                "torsion_mask": np.zeros((length, 7), bool),
            } | {key: values[n] for key, values in more.items()}
            made = Targets(
                id=name,
                sequence="A" * length,
                sequence_sha256=sequence_sha256(name),
                contacts=pairs,
                pair_mask=np.ones(len(pairs), bool),
                ss3=states,
                **one,
            )
            writer.write(made.row())
    return path

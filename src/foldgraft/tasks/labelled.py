"""Proteins of a labelled table with their folds: the truth of the task that the table makes."""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from foldgraft.errors import FoldgraftError
from foldgraft.models.trunk import Trunk, alphabet
from foldgraft.records import labels as label_records
from foldgraft.records.split import SPLIT
from foldgraft.records.tables import read_frame, read_frames
from foldgraft.tasks.task import Task


def complete(tasks: Sequence[Task], labels: Sequence[Path]) -> list[Task]:
    """The tasks with the classes that the labelled table found."""
    if tasks[0].truth != "labels":
        return list(tasks)
    description = label_records.read_description(labels)
    if [task.name for task in tasks] != [description.task]:
        raise FoldgraftError(
            f"--labels: shards of the table {description.task}, while the experiment learns "
            + " and ".join(task.name for task in tasks)
        )
    return [task.model_copy(update={"names": description.classes, "unit": description.unit}) for task in tasks]


def labelled_proteins(
    name: str, task: Task, labels: Sequence[Path], split: Path
) -> tuple[pd.DataFrame, list[list[np.ndarray]]]:
    """Proteins of a labelled table that have a label and a fold, by id, with what is known of each.

    Parameters
    ----------
    name : str
        of who asks, for messages.
    task : Task
        the table's.
    labels : sequence of Path
        its shards.
    split : Path
        cluster/split.parquet.

    Returns
    -------
    frame
        columns id, sequence, sequence_sha256, fold among others.
    list of one list of arrays
        for each protein, shape (n, 1): n is 1, or the number of residues.

    Raises
    ------
    FoldgraftError
        if a protein has another number of labels than residues.
    """
    columns = ["id", "sequence", "sequence_sha256", "label", "residues", "covariates"]
    table = read_frames(labels, label_records.SCHEMA, columns)
    proteins = placed(name, table, split, task.name).sort_values("id", ignore_index=True)
    if task.level == "protein":
        known = proteins["label"].notna()
        proteins = proteins[known].reset_index(drop=True)
        return proteins, [[np.array([[value]], dtype=np.float32) for value in proteins["label"]]]
    truth = [np.array(values, dtype=np.float32)[:, None] for values in proteins["residues"]]
    for row, values in zip(proteins.itertuples(), truth, strict=True):
        if len(values) != len(row.sequence):
            raise FoldgraftError(
                f"{name}: {row.id} has {len(values)} labels for {len(row.sequence)} residues; correct the table "
                f"{task.name}"
            )
    return proteins, [truth]


def placed(name: str, table: pd.DataFrame, split: Path, which: str) -> pd.DataFrame:
    """The rows of a set of proteins that have a fold, with it."""
    folds = read_frame(split, SPLIT, ["id", "set", "fold"])
    folds = folds[folds["set"] == which].drop(columns="set")
    rows = table.drop_duplicates("id").merge(folds, on="id", validate="one_to_one")
    if len(rows) < len(table):
        print(f"{name}: {len(table) - len(rows)} of {len(table)} proteins left out, not in the split", file=sys.stderr)
    return rows


def readable(name: str, table: pd.DataFrame, trunk: Trunk) -> np.ndarray:
    """Which proteins the trunk reads at once, as training needs it."""
    most = trunk.network.architecture.max_tokens
    lengths, legal = table["sequence"].str.len(), ~table["sequence"].map(alphabet.illegal).astype(bool)
    kept = legal & (lengths <= (most - 2 if most else lengths.max()))
    if not kept.all():
        print(f"{name}: {int((~kept).sum())} proteins left out, too long or illegible for the trunk", file=sys.stderr)
    return kept.to_numpy(dtype=bool)

"""Transfer: what a trained head says of a labelled table that it did not learn from."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from foldgraft.errors import FoldgraftError
from foldgraft.models.heads.build import reads
from foldgraft.models.trunk import Trunk
from foldgraft.records.embeddings import Embeddings
from foldgraft.records.labels import read_description
from foldgraft.records.metrics import TRANSFER
from foldgraft.records.predictions import About, read_about, schema_of
from foldgraft.records.tables import read_frame
from foldgraft.tasks.labelled import labelled_proteins, readable
from foldgraft.tasks.predicted import Writers
from foldgraft.tasks.sequences import SequenceExamples
from foldgraft.tasks.task import Task
from foldgraft.tasks.trained import Trained, load_head
from foldgraft.tasks.vectors import StoredVectors, require_trunk


@dataclass(frozen=True)
class External:
    """A head, and the labelled table that it is tried on.

    Attributes
    ----------
    head : Path
        train/<experiment>/head.safetensors.
    trunk : Trunk
    labels : sequence of Path
        the table's shards.
    split : Path
        cluster/split.parquet, where the table's proteins have their folds and clusters.
    embeddings : sequence of Path
        embed/<shard>.safetensors, if the head reads any.
    predictions : sequence of Path
        of the table's own experiments; what they predicted is what is predicted here. Without one all proteins of the
        table are test proteins.
    """

    head: Path
    trunk: Trunk
    labels: Sequence[Path]
    split: Path
    embeddings: Sequence[Path] = ()
    predictions: Sequence[Path] = ()


def transfer(external: External, output: Path) -> None:
    """Write the predictions of the head for the table.

    Raises
    ------
    FoldgraftError
        if the head predicts something else than the table's labels, or reads what the table does not have.
    """
    trained = load_head(external.head, external.trunk)
    info = trained.info
    info.trunk.require(external.trunk, f"{external.head}: the experiment {info.name}")
    about = read_description(external.labels)
    task = Task(name=about.task, level=about.level, kind=about.kind, names=about.classes, unit=about.unit)
    number, order = _which(trained, task)
    examples = _examples(info.name, trained, task, external)
    wanted = _wanted(examples.table, external.predictions)
    said = About(task=task.name, experiment=f"{TRANSFER}{info.name}", level=task.level, target=task.about_target)
    with Writers(examples, [said], [output]) as writers:
        for scored in examples.score(trained.members, np.array(sorted(wanted), dtype=np.int64)):
            predicted = trained.predict(number, scored.outputs[number])[..., order]
            for split in wanted[scored.row]:
                writers.write(scored.row, split, [predicted])
    print(f"{info.name}: {len(wanted)} proteins of {task.name}", file=sys.stderr)


def _which(trained: Trained, task: Task) -> tuple[int, list[int]]:
    """Number of the head's task that predicts what the table's labels are, and its outputs in the table's order."""
    info = trained.info
    for number, own in enumerate(info.tasks):
        alike = (own.level, own.kind, set(own.names)) == (task.level, task.kind, set(task.names))
        if alike and (own.unit == task.unit or not (own.unit and task.unit)):
            return number, [own.names.index(name) for name in task.names] or [0]
    known = ", ".join(f"{one.name} ({_in_words(one)})" for one in info.tasks)
    raise FoldgraftError(
        f"evaluate.external.{task.name}: the experiment {info.name} predicts {known}, while the table's labels are "
        f"{_in_words(task)}; name another experiment"
    )


def _in_words(task: Task) -> str:
    details = ", ".join(task.names) or task.unit
    return f"{task.kind} of each {task.level}" + (f": {details}" if details else "")


def _examples(name: str, trained: Trained, task: Task, external: External) -> SequenceExamples:
    """The table's proteins as the head reads them."""
    info = trained.info
    read = "trunk" if info.unfreeze != 0 else reads(info.level, info.head)
    table, truth = labelled_proteins(name, task, external.labels, external.split)
    kept, vectors = np.ones(len(table), dtype=bool), None
    if read == "trunk":
        kept = readable(name, table, external.trunk)
    elif read != "tokens":
        embeddings = Embeddings(external.embeddings)
        require_trunk(embeddings, external.trunk)
        vectors = StoredVectors(embeddings, info.layers)
        if read == "residues":
            vectors.check_residues()
        kept = table["sequence_sha256"].map(embeddings.__contains__).to_numpy(dtype=bool)
        if not kept.all():
            print(f"{name}: {int((~kept).sum())} of {len(table)} proteins left out, without embedding", file=sys.stderr)
    if not kept.any():
        raise FoldgraftError(f"evaluate.external.{task.name}: {name} can read no protein of the table")
    truth = [[values[row] for row in np.flatnonzero(kept)] for values in truth]
    table = table[kept].reset_index(drop=True)
    return SequenceExamples([task], table, truth, read, vectors)


def _wanted(table: pd.DataFrame, predictions: Sequence[Path]) -> dict[int, list[str]]:
    """As what each protein is predicted, by its row."""
    if not predictions:
        return {row: ["test"] for row in range(len(table))}
    frames = [read_frame(path, schema_of(read_about(path)), ["id", "split"]) for path in predictions]
    served = pd.concat(frames, ignore_index=True).drop_duplicates().sort_values(["id", "split"])
    row_of = {name: row for row, name in enumerate(table["id"])}
    splits: dict[int, list[str]] = {}
    for row in served.itertuples():
        if row.id in row_of:
            splits.setdefault(row_of[row.id], []).append(row.split)
    return splits

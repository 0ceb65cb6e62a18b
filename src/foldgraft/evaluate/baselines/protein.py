"""Baselines of labels of proteins: a constant, composition with length and charge, the nearest labelled neighbour, an
untrained trunk."""

import sys
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import pandas as pd

from foldgraft import mmseqs
from foldgraft.errors import FoldgraftError
from foldgraft.evaluate.baselines import models
from foldgraft.evaluate.baselines.inputs import Inputs, Plan, training
from foldgraft.evaluate.baselines.models import Predict
from foldgraft.evaluate.baselines.untrained import pooled, trunk_of
from foldgraft.progress import progress
from foldgraft.records import labels
from foldgraft.records.predictions import schema_of
from foldgraft.records.tables import read_frames, write_frame
from foldgraft.residues import AMINO_ACIDS

Array = np.ndarray
Model = Callable[["Task", Array, Array], tuple[Predict, Predict]]

CHARGE = {"K": 1.0, "R": 1.0, "D": -1.0, "E": -1.0}
"""Whole charges near pH 7; histidine counts as neutral."""

TREES = (25, 50, 100, 200, models.MOST_TREES)

SENSITIVITY, EVALUE = 5.7, 1e-3
"""Of the search for neighbours: mmseqs' default sensitivity."""


class Task:
    """A labelled table as the baselines see it.

    Attributes
    ----------
    table : frame
        id, sequence, label, covariates, fold; sorted by id.
    truth : array, shape (n, 1)
    inputs : array, shape (n, 24 + C)
        `features` of the sequence, and the covariates.
    covariates : array, shape (n, C)
    """

    def __init__(self, inputs: Inputs):
        table = read_frames(inputs.labels, labels.SCHEMA, ["id", "sequence", "label", "covariates"]).drop_duplicates(
            "id"
        )
        self.table = table.merge(inputs.split[["id", "fold"]], on="id").sort_values("id", ignore_index=True)
        self.kind, self.seed = inputs.kind, inputs.settings.seed
        self.outputs = max(1, len(inputs.names))
        self.truth = self.table["label"].to_numpy(dtype=np.float64)[:, None]
        self.covariates = encoded(np.vstack(self.table["covariates"]) if len(self.table) else np.zeros((0, 0), object))
        own = np.array([features(sequence) for sequence in self.table["sequence"]]).reshape(-1, 24)
        self.inputs = np.concatenate([own, self.covariates], axis=1)

    def truth_of(self, ids: pd.Series) -> Array:
        """Labels of some proteins, shape (n,)."""
        return self.table.set_index("id")["label"].reindex(ids).to_numpy(dtype=np.float64)


def features(sequence: str) -> Array:
    """Fractions of the 20 amino acids, log length, net charge, its size, and net charge per residue; shape (24,)."""
    sequence = sequence.upper()
    counts = np.array([sequence.count(letter) for letter in AMINO_ACIDS], dtype=np.float64)
    net = sum(charge * sequence.count(letter) for letter, charge in CHARGE.items())
    length = max(1, len(sequence))
    return np.concatenate([counts / max(1.0, counts.sum()), [np.log(length), net, abs(net), net / length]])


def encoded(columns: Array) -> Array:
    """Covariates as numbers: a column of numbers as it is, 0 where empty; any other a column per value.

    Parameters
    ----------
    columns : array of str, shape (n, C)
    """
    made = [np.zeros((len(columns), 0))]
    for column in columns.T:
        series = pd.Series(column).replace("", None)
        numbers = pd.to_numeric(series, errors="coerce")
        if numbers.notna().sum() == series.notna().sum():
            made.append(numbers.fillna(0.0).to_numpy(dtype=np.float64)[:, None])
        else:
            made.append(pd.get_dummies(series).to_numpy(dtype=np.float64))
    return np.concatenate(made, axis=1)


def constant(task: Task, train: Array, valid: Array) -> tuple[Predict, Predict]:
    """The mean of the training labels, or the frequencies of their classes."""

    def fitted(rows: Array) -> Predict:
        said = models.knowing_nothing(task.kind, task.truth[rows], task.outputs)
        return lambda x: np.tile(said, (len(x), 1))

    return fitted(train), fitted(np.concatenate([train, valid]))


def composition(task: Task, train: Array, valid: Array) -> tuple[Predict, Predict]:
    """Logistic or ridge regression on the task's inputs: composition, length and charge."""
    return _chosen(task, models.linear, models.STRENGTHS, train, valid)


def covariates(task: Task, train: Array, valid: Array) -> tuple[Predict, Predict]:
    """Logistic or ridge regression on the covariates alone."""
    count = task.covariates.shape[1]
    if not count:
        raise FoldgraftError("baseline covariates: the labelled table has none; name some in columns.covariates")
    return _chosen(task, models.linear, models.STRENGTHS, train, valid, slice(-count, None))


def boosting(task: Task, train: Array, valid: Array) -> tuple[Predict, Predict]:
    """Gradient-boosted trees on composition, length and charge."""
    return _chosen(task, models.boosted, TREES, train, valid)


def _chosen(
    task: Task, fit: Callable, among: tuple, train: Array, valid: Array, columns: slice = slice(None)
) -> tuple[Predict, Predict]:
    """Models fitted without the validation proteins, and with them at the setting they chose."""

    def fitted(rows: Array, setting: float) -> Predict:
        said = fit(task.kind, task.outputs, task.inputs[rows][:, columns], task.truth[rows], setting, task.seed)
        return lambda x: said(x[:, columns])

    best = models.choose(partial(fitted, train), among, task.kind, task.inputs[valid], task.truth[valid])
    return fitted(train, best), fitted(np.concatenate([train, valid]), best)


def write_untrained(inputs: Inputs) -> None:
    """Write what logistic or ridge regression says on embeddings by a trunk of the same shape with random weights; of
    proteins that the embed stage rejects, which some experiments can predict, what knowing nothing says."""
    task, trunk = Task(inputs), trunk_of(inputs)
    task.inputs = pooled(trunk, task.table["sequence"].tolist(), inputs.max_length)
    if absent := int(np.isnan(task.inputs[:, 0]).sum()):
        print(f"untrained: {absent} of {len(task.table)} proteins have no embedding, as in `embed`", file=sys.stderr)
    _write_model(inputs, task, _where_embedded)


def _where_embedded(task: Task, train: Array, valid: Array) -> tuple[Predict, Predict]:
    """`composition` on inputs of which some proteins have none, NaN; of these, `constant`."""
    has = ~np.isnan(task.inputs[:, 0])
    known = composition(task, train[has[train]], valid[has[valid]])

    def joined(with_inputs: Predict, without: Predict) -> Predict:
        return lambda x: np.where(np.isnan(x[:, :1]), without(x), with_inputs(np.nan_to_num(x)))

    return tuple(joined(*pair) for pair in zip(known, constant(task, train, valid), strict=True))


def write(inputs: Inputs, model: Model) -> None:
    """Write what a model of composition says of the wanted proteins."""
    _write_model(inputs, Task(inputs), model)


def _write_model(inputs: Inputs, task: Task, model: Model) -> None:
    number = pd.Series(np.arange(len(task.table)), index=task.table["id"])
    frames = []
    for plan in progress(inputs.plans(), f"folds of {inputs.about.experiment}"):
        without, whole = model(task, *training(task.table, plan, inputs.about.experiment))
        for split, rows in inputs.rows(plan):
            x = task.inputs[number.reindex(rows["id"]).to_numpy(dtype=np.int64)]
            frames.append(_frame(task, rows, (whole if split == "test" else without)(x)))
    _write(inputs, frames)


def write_neighbour(inputs: Inputs) -> None:
    """Write the label of the most similar training protein, drawn towards what knowing nothing says by the part of
    residues in which the two differ; where the search finds none, that alone."""
    task = Task(inputs)
    sequences = dict(zip(task.table["id"], task.table["sequence"], strict=True))
    queries = {one: sequences[one] for one in sorted(set(inputs.wanted["id"]))}
    with mmseqs.scratch(inputs.output) as folder:
        hits = mmseqs.search(queries, sequences, folder, sensitivity=SENSITIVITY, evalue=EVALUE, threads=inputs.threads)
    hits = hits[hits["query"] != hits["target"]]
    known = task.table.set_index("id")
    hits = hits.assign(fold=hits["target"].map(known["fold"]), label=hits["target"].map(known["label"]))
    frames = [frame for plan in inputs.plans() for frame in _neighbours(inputs, task, plan, hits)]
    _write(inputs, frames)


def _neighbours(inputs: Inputs, task: Task, plan: Plan, hits: pd.DataFrame) -> Iterator[pd.DataFrame]:
    train, valid = training(task.table, plan, inputs.about.experiment)
    for split, rows in inputs.rows(plan):
        hidden = [plan.test] if split == "test" else [plan.test, plan.valid]
        learnt = train if split == "valid" else np.concatenate([train, valid])
        said = np.tile(models.knowing_nothing(task.kind, task.truth[learnt], task.outputs), (len(rows), 1))
        nearest = hits[~hits["fold"].isin(hidden)].drop_duplicates("query").set_index("query").reindex(rows["id"])
        has_neighbour = nearest["label"].notna().to_numpy()
        label = nearest["label"].to_numpy(dtype=np.float64)[has_neighbour]
        own = np.eye(task.outputs)[label.astype(np.int64)] if task.kind == "classes" else label[:, None]
        weight = nearest["identity"].to_numpy(dtype=np.float64)[has_neighbour][:, None]
        said[has_neighbour] = weight * own + (1 - weight) * said[has_neighbour]
        yield _frame(task, rows, said)


def _frame(task: Task, rows: pd.DataFrame, score: Array) -> pd.DataFrame:
    values = list(score.astype(np.float32))
    return rows.assign(truth=task.truth_of(rows["id"]), score=values, low=values, high=values)


def _write(inputs: Inputs, frames: list[pd.DataFrame]) -> None:
    table = pd.concat(frames, ignore_index=True).sort_values(["split", "id"], ignore_index=True)
    write_frame(inputs.output, table, schema_of(inputs.about))

"""Baselines of labels of residues: a constant, one-hot windows of the sequence, the secondary structure alone, an
untrained trunk."""

import sys
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import pandas as pd
from scipy import sparse

from foldgraft.evaluate.baselines import models
from foldgraft.evaluate.baselines.inputs import Inputs, training
from foldgraft.evaluate.baselines.untrained import embedded, readable, trunk_of
from foldgraft.models.trunk import Trunk
from foldgraft.progress import progress
from foldgraft.records import labels
from foldgraft.records.predictions import schema_of
from foldgraft.records.tables import read_arrays, row_writer
from foldgraft.records.targets import read_targets
from foldgraft.residues import AMINO_ACIDS
from foldgraft.tasks.truth import TRUTH

Array = np.ndarray
Say = Callable[[int], Array]
Model = Callable[["Task", Array, Array], tuple[Say, Say]]

WINDOW = 15
"""Residues of a window, as in the classic predictors of secondary structure (Qian and Sejnowski 1988 used 13)."""

MOST = 100_000
"""Residues that a model of windows learns from, drawn by the seed."""

MOST_EMBEDDED = 20_000
"""Residues of whose embeddings a model may learn, drawn by the seed: all are in memory."""

STRENGTHS = (0.01, 0.1, 1.0)
STATES = "HEC-"


class Task:
    """Proteins with a truth for each residue.

    Attributes
    ----------
    table : frame
        id, sequence, fold and, of structures, ss3; sorted by id.
    truth : list of float32 array, shape (L, T)
        NaN where it is not known.
    """

    def __init__(self, inputs: Inputs):
        read = _of_structures if inputs.about.task in TRUTH else _of_table
        rows = {row["id"]: row for row in read(inputs)}
        fold = dict(zip(inputs.split["id"], inputs.split["fold"], strict=True))
        kept = [rows[one] | {"fold": fold[one]} for one in sorted(rows) if one in fold]
        self.truth = [row.pop("truth") for row in kept]
        self.table = pd.DataFrame(kept, columns=["id", "sequence", "ss3", "fold"])
        self.kind, self.seed = inputs.kind, inputs.settings.seed
        self.outputs = 2 * len(inputs.names) if self.kind == "angles" else max(1, len(inputs.names))

    def known(self, rows: Array) -> Array:
        """The known truth of some proteins, shape (n, T)."""
        truth = np.concatenate([self.truth[row] for row in rows])
        return truth[np.isfinite(truth).any(axis=1)].astype(np.float64)


def _of_structures(inputs: Inputs) -> Iterator[dict]:
    for path in inputs.targets:
        for chain in read_targets(path):
            truth = TRUTH[inputs.about.task](chain)
            yield {"id": chain.id, "sequence": chain.sequence, "ss3": chain.ss3, "truth": truth}


def _of_table(inputs: Inputs) -> Iterator[dict]:
    for path in inputs.labels:
        for row in read_arrays(path, labels.SCHEMA, ["id", "sequence", "residues"]):
            truth = np.array(row["residues"], dtype=np.float32)[:, None]
            yield {"id": row["id"], "sequence": row["sequence"], "ss3": "", "truth": truth}


def constant(task: Task, train: Array, valid: Array) -> tuple[Say, Say]:
    """What the training residues say together."""

    def fitted(rows: Array) -> Say:
        said = models.knowing_nothing(task.kind, task.known(rows), task.outputs)
        return lambda row: np.tile(said, (len(task.table["sequence"][row]), 1))

    return fitted(train), fitted(np.concatenate([train, valid]))


def by_state(task: Task, train: Array, valid: Array) -> tuple[Say, Say]:
    """The mean of the training residues of the same secondary structure, which is taken from the structure itself.

    It knows more than a sequence tells; what a head adds to it is more than the state.
    """

    def fitted(rows: Array) -> Say:
        truth = np.concatenate([task.truth[row] for row in rows]).astype(np.float64)
        states = np.array(list("".join(task.table["ss3"].iloc[rows])))
        overall = models.knowing_nothing(task.kind, truth[np.isfinite(truth).any(axis=1)], task.outputs)
        said = {}
        for state in STATES:
            own = models.knowing_nothing(task.kind, truth[states == state], task.outputs)
            known = own.reshape(-1, 2).any(axis=1).repeat(2)  # an angle that no residue of the state has
            said[state] = np.where(known, own, overall)
        return lambda row: np.array([said[state] for state in task.table["ss3"][row]])

    return fitted(train), fitted(np.concatenate([train, valid]))


def onehot(task: Task, train: Array, valid: Array) -> tuple[Say, Say]:
    """Logistic or ridge regression on one-hot windows of the sequence around the residue."""

    def examples(rows: Array) -> tuple[sparse.csr_matrix, Array]:
        truth = np.concatenate([task.truth[row] for row in rows])
        known = np.flatnonzero(np.isfinite(truth).all(axis=1))
        if len(known) > MOST:
            known = np.sort(np.random.default_rng(task.seed).choice(known, MOST, replace=False))
        ends = np.cumsum([len(task.truth[row]) for row in rows])
        parts = np.split(known, np.searchsorted(known, ends[:-1]))  # those of each protein
        starts = ends - [len(task.truth[row]) for row in rows]
        inputs = [
            windows(task.table["sequence"][row])[part - start]
            for row, part, start in zip(rows, parts, starts, strict=True)
            if len(part)
        ]
        features = sparse.vstack([windows("")[:0], *inputs]).tocsr()
        return features, truth[known].astype(np.float64)

    def fitted(rows: Array, strength: float) -> models.Predict:
        return models.linear(task.kind, task.outputs, *examples(rows), strength, task.seed)

    best = STRENGTHS[0]
    if len(valid):
        best = models.choose(partial(fitted, train), STRENGTHS, task.kind, *examples(valid))
    without, whole = fitted(train, best), fitted(np.concatenate([train, valid]), best)
    return tuple(lambda row, said=said: said(windows(task.table["sequence"][row])) for said in (without, whole))


def windows(sequence: str) -> sparse.csr_matrix:
    """One-hot letters of the window around each residue, none beyond the ends; shape (L, 15 * 21)."""
    codes = np.array([AMINO_ACIDS.find(letter) for letter in sequence.upper()])  # -1, the last, for any other
    codes = np.where(codes < 0, len(AMINO_ACIDS), codes)
    length, width = len(sequence), len(AMINO_ACIDS) + 1
    at = np.arange(length)[:, None] + np.arange(WINDOW) - WINDOW // 2  # (L, 15)
    row, slot = np.nonzero((at >= 0) & (at < length))
    column = slot * width + codes[at[row, slot]]
    return sparse.csr_matrix((np.ones(len(row)), (row, column)), shape=(length, WINDOW * width))


class Embedded:
    """Residues of a task as an untrained trunk embeds them.

    Attributes
    ----------
    examples : list of array, shape (n, D)
        embeddings of the residues that may be learnt from, by protein; n is 0 of a protein that the trunk does not
        read.
    truth : list of array, shape (n, T)
    """

    def __init__(self, task: Task, trunk: Trunk, longest: int | None):
        self.task, self.trunk = task, trunk
        self.readable = [readable(sequence, longest) for sequence in task.table["sequence"]]
        known = [
            np.flatnonzero(np.isfinite(truth).all(axis=1) & read)
            for truth, read in zip(task.truth, self.readable, strict=True)
        ]
        share, rng = MOST_EMBEDDED / max(1, sum(map(len, known))), np.random.default_rng(task.seed)
        drawn = [positions[rng.random(len(positions)) < share] for positions in known]
        rows = [row for row, positions in enumerate(drawn) if len(positions)]
        self.truth = [truth[positions].astype(np.float64) for truth, positions in zip(task.truth, drawn, strict=True)]
        self.examples = [np.zeros((0, trunk.width), np.float32)] * len(drawn)
        embeddings = embedded(trunk, [task.table["sequence"][row] for row in rows])
        for row, values in zip(rows, embeddings, strict=True):
            self.examples[row] = values[drawn[row]]

    def model(self, task: Task, train: Array, valid: Array) -> tuple[Say, Say]:
        """Logistic or ridge regression on the embeddings; of proteins that the trunk does not read, `constant`."""

        def examples(rows: Array) -> tuple[Array, Array]:
            return np.concatenate([self.examples[r] for r in rows]), np.concatenate([self.truth[r] for r in rows])

        def fitted(rows: Array, strength: float) -> models.Predict:
            inputs, truth = examples(rows)
            if len(truth):
                return models.linear(task.kind, task.outputs, inputs, truth, strength, task.seed)
            said = models.knowing_nothing(task.kind, task.known(rows), task.outputs)
            return lambda x: np.tile(said, (len(x), 1))

        best = STRENGTHS[0]
        if sum(len(self.truth[row]) for row in valid):
            best = models.choose(partial(fitted, train), STRENGTHS, task.kind, *examples(valid))
        known = fitted(train, best), fitted(np.concatenate([train, valid]), best)
        return tuple(
            lambda row, read=read, unread=unread: read(self._embedding(row)) if self.readable[row] else unread(row)
            for read, unread in zip(known, constant(task, train, valid), strict=True)
        )

    def _embedding(self, row: int) -> Array:
        return next(self.trunk.embed([self.task.table["sequence"][row]]))


def write_untrained(inputs: Inputs) -> None:
    """Write what a regression says on residue embeddings by a trunk of the same shape with random weights."""
    task, trunk = Task(inputs), trunk_of(inputs)
    baseline = Embedded(task, trunk, inputs.max_length)
    if absent := baseline.readable.count(False):
        print(f"untrained: {absent} of {len(task.table)} proteins have no embedding, as in `embed`", file=sys.stderr)
    _write(inputs, task, baseline.model)


def write(inputs: Inputs, model: Model) -> None:
    """Write what a model says of the residues of the wanted proteins."""
    _write(inputs, Task(inputs), model)


def _write(inputs: Inputs, task: Task, model: Model) -> None:
    number = {one: row for row, one in enumerate(task.table["id"])}
    with row_writer(inputs.output, schema_of(inputs.about)) as writer:
        for plan in progress(inputs.plans(), f"folds of {inputs.about.experiment}"):
            without, whole = model(task, *training(task.table, plan, inputs.about.experiment))
            for split, rows in inputs.rows(plan):
                for row in rows.to_dict("records"):
                    at = number[row["id"]]
                    score = (whole if split == "test" else without)(at).astype(np.float32)
                    truth = task.truth[at].astype(np.float32)
                    writer.write(row | {"truth": truth.ravel(), "score": score.ravel()})

"""Tables of predictions for new sequences: one row per sequence, per residue, or per map of residue pairs."""

import json
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import chain, repeat, tee
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from foldgraft import mmseqs
from foldgraft.errors import FoldgraftError
from foldgraft.models.trunk import Trunk
from foldgraft.predict.nearest import Nearest, nearest
from foldgraft.predict.new import Prediction, predict, readable
from foldgraft.predict.sequences import Candidate, Candidates
from foldgraft.progress import progress
from foldgraft.records.files import STANDARD, sequence_sha256, text_output
from foldgraft.records.rejects import Reject
from foldgraft.records.tables import row_writer
from foldgraft.records.text_tables import Rows
from foldgraft.tasks.pair_features import expand
from foldgraft.tasks.pairs import distances
from foldgraft.tasks.task import Task
from foldgraft.tasks.trained import Trained

PAIRS = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("experiment", pa.string(), nullable=False),
        pa.field("task", pa.string(), nullable=False),
        pa.field("sequence_sha256", pa.string(), nullable=False),
        pa.field("length", pa.int64(), nullable=False),
        pa.field("score", pa.list_(pa.float32()), nullable=False),
        pa.field("distance", pa.list_(pa.float32())),
    ],
    metadata={
        "score": "(L * (L - 1) / 2,) probability of a contact, packed as foldgraft.records.pairs packs it; zero for "
        "pairs fewer than six residues apart",
        "distance": "(L * (L - 1) / 2,) expected distance, angstrom, of a distogram; NaN for those pairs",
    },
)

LIKE = ["nearest", "identity", "coverage"]
"""Columns of the nearest training protein."""
UNSEARCHED = f"fewer than {mmseqs.SHORTEST} residues: the search for the nearest training protein finds none"

Predictions = Iterable[tuple[Candidate, list[Prediction]]]


class Tally(NamedTuple):
    """How many records there were, and the ones that could not be predicted."""

    records: int
    rejected: list[Reject]

    def __str__(self) -> str:
        return f"{self.records - len(self.rejected)} of {self.records} records predicted"

    def why(self, place: str) -> str:
        """The same, and in which place stands why some were not."""
        count = len(self.rejected)
        return f"{self}; why {count} {'was' if count == 1 else 'were'} not is in {place}" if count else str(self)


def predicted_table(
    path: Path | None,
    records: Candidates,
    heads: Sequence[Trained],
    trunk: Trunk,
    learnt: Mapping[str, str] | None = None,
    threads: int = 1,
) -> Tally:
    """Predict for records and write their table; beside `learnt`, names of training proteins by sequence, with the
    nearest of them. Otherwise see `write_table`.

    Raises
    ------
    FoldgraftError
        if maps of pairs are to go to standard output.
    """
    to_standard, given = path is None or path == STANDARD, readable(records, heads, trunk)
    if heads[0].info.level == "pair" and to_standard:
        raise FoldgraftError("maps of residue pairs are no table for standard output; name a file with --output")
    if learnt is None:
        return write_table(path, heads, progress(predict(given, heads, trunk), "sequences", records.total))
    with TemporaryDirectory() if to_standard else mmseqs.scratch(path) as folder:
        scored, searched = tee(given)
        near = nearest(searched, learnt, Path(folder), threads)
        return write_table(path, heads, progress(predict(scored, heads, trunk), "sequences", records.total), near)


def write_table(
    path: Path | None, heads: Sequence[Trained], records: Predictions, near: Iterable[Nearest | None] | None = None
) -> Tally:
    """Write the predictions of all records at the heads' level, to standard output without a path or with `-`.

    Parameters
    ----------
    path : Path or None
    heads : sequence of Trained
    records : iterable of a candidate and what each head says of it
    near : iterable of Nearest or None, optional
        of each record, for columns of the nearest training protein; only in a table of proteins.
    """
    rejected: list[Reject] = []
    count = 0

    def kept() -> Iterator[tuple[Candidate, list[Prediction]]]:
        nonlocal count
        for record, predictions in records:
            count += 1
            if record.reason:
                rejected.append(Reject(record.id, "sequence", str(len(record.sequence)), record.reason))
            yield record, predictions

    write = {"protein": partial(_proteins, near=near), "residue": _residues, "pair": _pairs}[heads[0].info.level]
    write(path, heads, kept())
    return Tally(count, rejected)


def _names(heads: Sequence[Trained]) -> list[tuple[str, Task]]:
    """A name for the columns of each task of each head: the task's if one head predicts it, else with the
    experiment's."""
    tasks = [task.name for head in heads for task in head.info.tasks]
    return [
        (task.name if tasks.count(task.name) == 1 else f"{head.info.name}_{task.name}", task)
        for head in heads
        for task in head.info.tasks
    ]


def _columns(name: str, task: Task) -> list[str]:
    """Of a task in a table for people: class and probabilities, angles in degrees, or the number itself."""
    if task.kind == "classes":
        return [name, *(f"{name}_{label}" for label in task.names)]
    if task.kind == "angles":
        return list(task.names) if name == task.name else [f"{name}_{angle}" for angle in task.names]
    return [name]


def _cells(task: Task, means: np.ndarray) -> list[list[str]]:
    """The columns' text, a row for each of the ensemble's means (n, P)."""
    if task.kind == "classes":
        likeliest = [task.names[number] for number in means.argmax(axis=1).tolist()]
        rows = zip(likeliest, means.tolist(), strict=True)
        return [[name, *(f"{value:.4f}" for value in row)] for name, row in rows]
    if task.kind == "angles":
        angles = np.degrees(np.arctan2(means[:, 0::2], means[:, 1::2]))
        return [[f"{value:.1f}" for value in row] for row in angles.tolist()]
    return [[f"{value:.6g}" for value in row] for row in means.tolist()]


def _proteins(
    path: Path | None, heads: Sequence[Trained], records: Predictions, near: Iterable[Nearest | None] | None
) -> None:
    """id, length, of each task the ensemble's mean and (binary, value) its extremes, the rank in the file by the first
    such task, the nearest training protein and the identity to it where they were looked for, in what the sequence is
    unlike the training proteins, the reason of a rejection, and the words behind the id.

    Ranks are known at the end, so the rows wait in a file, not in memory.
    """
    named = _names(heads)
    columns = []
    for name, task in named:
        columns += _columns(name, task) + ([f"{name}_low", f"{name}_high"] if task.kind in ("binary", "value") else [])
    scores = array("d")
    with TemporaryFile("w+", encoding="utf-8") as waiting:
        for (record, predictions), closest in zip(records, repeat(None) if near is None else near, strict=False):
            cells: list[str] = []
            score = np.nan
            for task, values in _each(predictions):
                cells += _cells(task, task.target.mean(values)[:1].numpy())[0]
                if task.kind in ("binary", "value"):
                    cells += [f"{float(bound):.6g}" for bound in (values.min(), values.max())]
                    score = float(task.target.mean(values)[0]) if np.isnan(score) else score
            scores.append(score)
            short = near is not None and predictions and len(record.sequence) < mmseqs.SHORTEST
            warning = _warning(predictions, [UNSEARCHED] if short else [])
            first = [record.id, len(record.sequence), *(cells or [""] * len(columns))]
            like = () if near is None else _like(closest)
            waiting.write(json.dumps([first, [*like, warning, record.reason, record.description]]) + "\n")
        waiting.seek(0)
        rank = ["rank"] if any(task.kind in ("binary", "value") for _, task in named) else []
        like = [] if near is None else LIKE
        with _csv(path, ["id", "length", *columns, *rank, *like, "warning", "reason", "description"]) as write:
            for line, place in zip(waiting, _ranks(scores), strict=True):
                first, last = json.loads(line)
                write([*first, *([place] if rank else []), *last])


def _warning(predictions: Sequence[Prediction], more: Sequence[str] = ()) -> str:
    """What all heads say of a sequence that is unlike the training proteins, once each."""
    return "; ".join(dict.fromkeys([word for one in predictions for word in one.warnings] + [*more]))


def _like(found: Nearest | None) -> list[str]:
    return [""] * len(LIKE) if found is None else [found.id, f"{found.identity:.3f}", f"{found.coverage:.3f}"]


def _ranks(scores: Sequence[float]) -> Iterator[str]:
    """The rank of each score, the greatest first, equal ones alike; empty where there is no score."""
    values = np.asarray(scores, dtype=np.float64)
    known = np.sort(values[np.isfinite(values)])
    for value in values:
        yield str(len(known) - np.searchsorted(known, value, side="right") + 1) if np.isfinite(value) else ""


def _residues(path: Path | None, heads: Sequence[Trained], records: Predictions) -> None:
    """id, position (from 1), residue, the columns of each task, and in what the sequence is unlike the training
    proteins; a rejected record has one row, without a position, with the reason."""
    columns = [column for name, task in _names(heads) for column in _columns(name, task)]
    with _csv(path, ["id", "position", "residue", *columns, "warning", "reason"]) as write:
        for record, predictions in records:
            if record.reason:
                write([record.id, "", "", *[""] * len(columns), "", record.reason])
                continue
            said = [_cells(task, task.target.mean(values).numpy()) for task, values in _each(predictions)]
            last = [_warning(predictions), ""]
            for number, (letter, *cells) in enumerate(zip(record.sequence, *said, strict=True), start=1):
                write([record.id, number, letter, *chain.from_iterable(cells), *last])


def _pairs(path: Path, heads: Sequence[Trained], records: Predictions) -> None:
    with row_writer(path, PAIRS) as writer:
        for record, predictions in records:
            for prediction in predictions:
                for task, values in _each([prediction]):
                    common = {
                        "id": record.id,
                        "experiment": prediction.head.info.name,
                        "task": task.name,
                        "sequence_sha256": sequence_sha256(record.sequence),
                        "length": len(record.sequence),
                    }
                    mean = task.target.mean(values)
                    if task.kind == "binary":
                        maps = {"score": expand(mean[:, 0].numpy(), len(record.sequence), 0.0), "distance": None}
                    else:
                        maps = distances(mean, len(record.sequence))
                    writer.write(common | maps)


def _each(predictions: Sequence[Prediction]) -> Iterator[tuple[Task, Any]]:
    for prediction in predictions:
        yield from zip(prediction.head.info.tasks, prediction.tasks, strict=True)


@contextmanager
def _csv(path: Path | None, columns: Sequence[str]) -> Iterator[Any]:
    with text_output(path) as handle:
        yield Rows(handle, columns).write

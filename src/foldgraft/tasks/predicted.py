"""Predictions of trained heads as they are written: one table per task, protein by protein."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from foldgraft.records.predictions import About, schema_of
from foldgraft.records.tables import RowWriter, row_writer
from foldgraft.tasks.examples import Examples
from foldgraft.tasks.pair_features import expand
from foldgraft.tasks.pairs import distances
from foldgraft.tasks.task import Task


class Writers:
    """Open tables of predictions, one per task."""

    def __init__(self, examples: Examples, about: Sequence[About], paths: Sequence[Path]):
        self.examples, self.about, self.paths = examples, about, paths
        self._stack = ExitStack()
        self._writers: list[RowWriter] = []

    def __enter__(self) -> "Writers":
        for about, path in zip(self.about, self.paths, strict=True):
            self._writers.append(self._stack.enter_context(row_writer(path, schema_of(about))))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def write(self, row: int, split: str, predicted: Sequence[Tensor]) -> None:
        """Write what the members, of each task (M, n, P), say of one protein."""
        chosen = self.examples.table.iloc[row]
        common = {
            "id": chosen["id"],
            "sequence_sha256": chosen["sequence_sha256"],
            "split": split,
            "fold": int(chosen["fold"]),
        }
        truth = self.examples.truth(row)
        columns = {"protein": protein, "residue": residue, "pair": pair}[self.examples.tasks[0].level]
        for writer, task, values, known in zip(self._writers, self.examples.tasks, predicted, truth, strict=True):
            if not bool(task.target.weight(known).any()) and task.level != "pair":
                continue  # of several tasks this one says nothing of the protein
            writer.write(common | columns(task, values, known, len(chosen["sequence"])))


def protein(task: Task, predicted: Tensor, truth: Tensor, length: int) -> dict[str, Any]:
    """Columns of a protein: truth, the ensemble's mean, and its extremes."""
    values = predicted[:, 0]  # (M, P)
    return {
        "truth": float(truth[0, 0]),
        "score": task.target.mean(values).numpy(),
        "low": values.amin(0).numpy(),
        "high": values.amax(0).numpy(),
    }


def residue(task: Task, predicted: Tensor, truth: Tensor, length: int) -> dict[str, Any]:
    """Columns of the residues of a protein."""
    return {
        "length": length,
        "truth": truth.numpy().ravel(),
        "score": task.target.mean(predicted).numpy().ravel(),
    }


def pair(task: Task, predicted: Tensor, truth: Tensor, length: int) -> dict[str, Any]:
    """Columns of the residue pairs of a chain."""
    mean = task.target.mean(predicted)  # (S, P)
    if task.kind == "binary":
        return {"length": length, "score": expand(mean[:, 0].numpy(), length, 0.0)}
    return {"length": length, **distances(mean, length), "cross_entropy": _cross_entropy(mean, truth)}


def _cross_entropy(probability: Tensor, truth: Tensor) -> float | None:
    known = ~truth[:, 0].isnan()
    if not bool(known.any()):
        return None
    logs = probability[known].clamp_min(torch.finfo(torch.float32).tiny).log()
    return float(F.nll_loss(logs, truth[known, 0].long()))

"""The loss of an experiment: its tasks' losses, weighted, over what is known of each."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from foldgraft.tasks.examples import Batch
from foldgraft.tasks.target import Target
from foldgraft.tasks.task import Task
from foldgraft.train.settings import Experiment


@dataclass(frozen=True)
class Loss:
    """Losses of several tasks; each task's is the mean over its known values.

    Attributes
    ----------
    targets : sequence of Target
    names : sequence of str
        the loss of each.
    weights : sequence of float
        of each task.
    classes : sequence of Tensor or None
        weight of each class of each task, or None where all examples weigh alike.
    smoothing : float
    """

    targets: Sequence[Target]
    names: Sequence[str]
    weights: Sequence[float]
    classes: Sequence[Tensor | None]
    smoothing: float = 0.0

    def counts(self, truth: Sequence[Tensor]) -> Tensor:
        """Weight of what is known of each task in a batch, shape (tasks,)."""
        return torch.stack([self._weighted(task, truth[task])[1].sum() for task in range(len(self.targets))])

    def sum(self, outputs: Sequence[Tensor], truth: Sequence[Tensor], counts: Tensor) -> Tensor:
        """The batch's part of the mean loss over examples that together have these counts; a number."""
        total = outputs[0].new_zeros(())
        for task, target in enumerate(self.targets):
            share, _ = self._weighted(task, truth[task])
            value = target.loss(outputs[task].float(), truth[task], self.names[task], self._smoothing(target))
            total = total + self.weights[task] * (value * share).sum() / counts[task].clamp_min(1e-9)
        return total

    def mean(self, outputs: Sequence[Tensor], truth: Sequence[Tensor]) -> Tensor:
        """Mean loss of a batch by itself."""
        return self.sum(outputs, truth, self.counts(truth))

    def of_batch(self, head, batch: Batch) -> Tensor:
        """Mean loss of a head on a batch."""
        return self.mean(batch.outputs(head), batch.truth)

    def floor(self, truth: Sequence[Tensor]) -> float:
        """The least that any head can reach on this truth, without class weights."""
        return sum(
            weight * target.floor(values, name, self._smoothing(target))
            for target, values, name, weight in zip(self.targets, truth, self.names, self.weights, strict=True)
        )

    def plain(self) -> "Loss":
        """The same without class weights and smoothing: what validation is measured by."""
        return Loss(self.targets, self.names, self.weights, [None] * len(self.targets))

    def _smoothing(self, target: Target) -> float:
        return self.smoothing if target.kind in ("binary", "classes") else 0.0

    def _weighted(self, task: int, truth: Tensor) -> tuple[Tensor, Tensor]:
        """Factor of each example's loss, and the weight of what is known of it; shape (N,)."""
        target, classes = self.targets[task], self.classes[task]
        known = target.weight(truth)
        if classes is None:
            return torch.ones_like(known), known
        share = classes.to(truth.device)[(truth[:, 0].nan_to_num() + 0.5 * (target.kind == "binary")).long()]
        return share, known * share


def build_loss(experiment: Experiment, tasks: Sequence[Task], truth: Sequence[Tensor]) -> Loss:
    """The loss of an experiment, its targets and class weights fitted to the training truth of each task."""
    targets = [task.target.fit(values) for task, values in zip(tasks, truth, strict=True)]
    training = experiment.training
    balanced = training.class_weights == "balanced"
    return Loss(
        targets=targets,
        names=[training.loss or task.losses[0] for task in tasks],
        weights=[experiment.weights.get(task.name, 1.0) for task in tasks],
        classes=[_balance(t, v) if balanced else None for t, v in zip(targets, truth, strict=True)],
        smoothing=training.label_smoothing,
    )


def _balance(target: Target, truth: Tensor) -> Tensor | None:
    """One over the frequency of each class, so that their mean over the examples is 1; None without classes."""
    if target.kind not in ("binary", "classes"):
        return None
    known = truth[~truth.isnan()]
    index = (known + 0.5).long() if target.kind == "binary" else known.long()
    classes = max(2, target.outputs)
    counts = torch.bincount(index, minlength=classes).float()
    present = (counts > 0).sum()
    return torch.where(counts > 0, counts.sum() / (present * counts.clamp_min(1)), 0.0)

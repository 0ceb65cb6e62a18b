"""The training loop: forward, backward, clip, step; early stopping keeps the best weights."""

import math
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from foldgraft.errors import FoldgraftError
from foldgraft.models.heads.layers import Head
from foldgraft.models.heads.tuned import load_trained, trained_state
from foldgraft.tasks.examples import Batch
from foldgraft.train.engine import Engine
from foldgraft.train.losses import Loss
from foldgraft.train.optimizers import Schedule, build_optimizer
from foldgraft.train.resume import Resume, optimizer_tensors, restore_optimizer
from foldgraft.train.settings import Training


class Score(NamedTuple):
    """How a head does on validation proteins."""

    loss: float
    metric: float  # higher is better


@dataclass
class Fit:
    """What a training has come to."""

    history: list[dict[str, Any]] = field(default_factory=list)
    best_epoch: int = 0
    best: tuple[float, float] = (-math.inf, -math.inf)
    weights: dict[str, Tensor] | None = None  # of the best epoch
    last: dict[str, Tensor] | None = None  # of the last

    def finished(self, training: Training) -> bool:
        """Whether patience is at its end, or the loss is no number any more."""
        if not self.history:
            return False
        stale = len(self.history) - self.best_epoch >= training.patience
        return stale or not math.isfinite(self.history[-1]["train_loss"])


@dataclass(frozen=True)
class Run:
    """Where and how a training runs.

    Attributes
    ----------
    engine : Engine
    seed : int
    generator : torch.Generator
        of the order of batches.
    resume : Resume or None
        where the state is kept after every epoch, and taken up from.
    """

    engine: Engine = field(default_factory=Engine)
    seed: int = 0
    generator: torch.Generator = field(default_factory=torch.Generator)
    resume: Resume | None = None

    def seed_epoch(self, epoch: int) -> None:
        """Seed the order of batches, which all processes share, and dropout, which they do not; so an epoch is the same
        whatever was run before it."""
        self.generator.manual_seed(_number(self.seed, epoch))
        torch.manual_seed(_number(self.seed, epoch, self.engine.rank))

    def keep(self, head: Head, optimizer: torch.optim.Optimizer, schedule: Schedule, fit: Fit) -> None:
        """Write where the training stands."""
        if self.resume is None or self.engine.rank:
            return
        tensors = {f"now.{name}": tensor for name, tensor in trained_state(head).items()}
        tensors |= {f"best.{name}": tensor for name, tensor in (fit.weights or {}).items()}
        about = {"history": fit.history, "best_epoch": fit.best_epoch, "best": fit.best, "schedule": schedule.state()}
        self.resume.save(tensors | optimizer_tensors(optimizer), about | {"scaler": self.engine.scaler})

    def take_up(self, head: Head, optimizer: torch.optim.Optimizer, schedule: Schedule) -> tuple[Fit, Any]:
        """Go on from what is on disk, or begin; with it the optimizer as the engine steps it."""
        saved = self.resume.load() if self.resume else None
        if saved is None:
            return Fit(), self.engine.setup(optimizer)
        tensors, about = saved
        load_trained(head, _below("now.", tensors))
        restore_optimizer(optimizer, tensors)
        schedule.restore(about["schedule"])
        print(f"going on after epoch {len(about['history'])} of an earlier attempt", file=sys.stderr)
        fit = Fit(about["history"], about["best_epoch"], tuple(about["best"]), _below("best.", tensors) or None)
        return fit, self.engine.setup(optimizer, about["scaler"])


def _number(*parts: int) -> int:
    return int(np.random.SeedSequence(parts).generate_state(1)[0])


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def seed_everything(seed: int) -> None:
    """Seed torch and choose its deterministic kernels."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.manual_seed(seed)


def fit(
    head: Head,
    batches: Iterable[Batch | None],
    validate: Callable[[Head], Score],
    loss: Loss,
    training: Training,
    run: Run,
) -> Fit:
    """Train a head in place and leave it with the weights of its best epoch, in evaluation mode.

    Parameters
    ----------
    head : Head
    batches : iterable of Batch or None
        gone through once per epoch; it has a length, the same in all processes. None where another has the batch.
    validate : function
        gives the score on validation proteins, for the head in evaluation mode; the same in all processes.
    loss : Loss
    training : Training
    run : Run

    Raises
    ------
    FoldgraftError
        if the loss or the monitored score is no number before any epoch was worth keeping.
    """
    optimizer = build_optimizer(head, training)
    steps = math.ceil(len(batches) / training.accumulate) * training.epochs
    schedule = Schedule(optimizer, training.schedule, steps)
    result, stepper = run.take_up(head, optimizer, schedule)
    for epoch in range(len(result.history) + 1, training.epochs + 1):
        if result.finished(training):
            break
        run.seed_epoch(epoch)
        start, lr = time.monotonic(), optimizer.param_groups[0]["lr"]
        train_loss = _epoch(head, batches, loss, training, run.engine, stepper, schedule)
        score = validate(head.eval())
        seconds = round(time.monotonic() - start, 3)
        row = {"epoch": epoch, "train_loss": train_loss, "valid_loss": score.loss, "valid_metric": score.metric}
        result.history.append({**row, "lr": lr, "seconds": seconds})
        goodness = (score.metric if training.monitor == "metric" else -score.loss, -score.loss)  # the loss breaks ties
        if not any(map(math.isnan, goodness)) and goodness > result.best:
            result.best, result.best_epoch = goodness, epoch
            result.weights = {name: tensor.clone() for name, tensor in trained_state(head).items()}
        schedule.epoch(goodness[0])
        run.keep(head, optimizer, schedule, result)
    if result.weights is None:
        raise FoldgraftError(_nothing_kept(result.history))
    result.last = {name: tensor.clone() for name, tensor in trained_state(head).items()}
    load_trained(head, result.weights)
    head.eval()
    print(f"best epoch {result.best_epoch} of {len(result.history)}, score {abs(result.best[0]):.4f}", file=sys.stderr)
    return result


def _epoch(
    head: Head,
    batches: Iterable[Batch | None],
    loss: Loss,
    training: Training,
    engine: Engine,
    optimizer: Any,
    schedule: Schedule,
) -> float:
    """One pass over the training data; the mean loss over its examples, as they were met."""
    head.train()
    total = weight = torch.zeros((), dtype=torch.float64, device=engine.device)
    for group in groups(batches, training.accumulate):
        known = sum((loss.counts(batch.truth) for batch in group), torch.zeros(len(loss.targets)))
        counts = engine.sum(known.to(engine.device))  # of the whole group, whatever is masked
        optimizer.zero_grad()
        for batch in group:
            batch = _noisy(batch.to(engine.device), head, training.noise)
            with engine.autocast():
                outputs = batch.outputs(head)
            value = loss.sum(outputs, batch.truth, counts)
            engine.backward(value)
            total = total + value.detach() * counts[0]
        if training.l1 and engine.rank == 0:
            engine.backward(
                training.l1 * sum(p.abs().sum() for p in head.parameters() if p.requires_grad and p.ndim > 1)
            )
        engine.step(head, optimizer, training.gradient_clip)
        schedule.step()
        weight = weight + counts[0]
    return float(engine.sum(total)) / max(float(weight), 1e-9)


def groups(batches: Iterable[Batch | None], size: int) -> Iterator[list[Batch]]:
    """Lists of what this process has of `size` batches that make one step; the last may be shorter."""
    remaining = iter(batches)
    while group := list(islice(remaining, size)):
        yield [batch for batch in group if batch is not None]


def _noisy(batch: Batch, head: Head, noise: float) -> Batch:
    """The batch with normal noise on its embeddings, in their standard deviations."""
    normalise = head.body.normalise
    if not noise or normalise is None:
        return batch
    first = batch.inputs[0] + noise * normalise.std * torch.randn_like(batch.inputs[0])
    return batch._replace(inputs=(first, *batch.inputs[1:]))


def _nothing_kept(history: list[dict[str, Any]]) -> str:
    if all(math.isfinite(row["train_loss"]) and math.isfinite(row["valid_loss"]) for row in history):
        return (
            "training: the score that early stopping watches is undefined for these validation proteins; set "
            "training.monitor: loss, or give more of them"
        )
    return f"training: the loss was no number after {len(history)} epochs; lower training.optimizer.lr"

"""The training loop: forward, backward, clip, step; early stopping keeps the best weights."""

import math
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple

import torch
from torch import nn

from foldgraft.errors import FoldgraftError
from foldgraft.models.heads.layers import Head
from foldgraft.models.heads.tuned import load_trained, trained_state
from foldgraft.tasks.examples import Batch
from foldgraft.train.losses import Loss
from foldgraft.train.optimizers import Schedule, build_optimizer
from foldgraft.train.settings import Training


class Score(NamedTuple):
    """How a head does on validation proteins."""

    loss: float
    metric: float  # higher is better


@dataclass
class Fit:
    """What a training leaves behind, besides the head's best weights."""

    history: list[dict[str, Any]] = field(default_factory=list)
    best_epoch: int = 0


def seed_everything(seed: int) -> torch.Generator:
    """Seed torch and choose its deterministic kernels; the generator is for the order of batches."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.manual_seed(seed)
    return torch.Generator().manual_seed(seed)


def fit(
    head: Head,
    batches: Iterable[Batch],
    validate: Callable[[Head], Score],
    loss: Loss,
    training: Training,
) -> Fit:
    """Train a head in place and leave it with the weights of its best epoch, in evaluation mode.

    Parameters
    ----------
    head : Head
    batches : iterable of Batch
        gone through once per epoch; it has a length.
    validate : function
        gives the score on validation proteins, for the head in evaluation mode.
    loss : Loss
    training : Training

    Raises
    ------
    FoldgraftError
        if the loss or the monitored score is no number before any epoch was worth keeping.
    """
    optimizer = build_optimizer(head, training)
    steps = math.ceil(len(batches) / training.accumulate) * training.epochs
    schedule = Schedule(optimizer, training.schedule, steps)
    result, best, weights = Fit(), (-math.inf, -math.inf), None
    for epoch in range(1, training.epochs + 1):
        start, lr = time.monotonic(), optimizer.param_groups[0]["lr"]
        train_loss = _epoch(head, batches, loss, training, optimizer, schedule)
        score = validate(head.eval())
        seconds = round(time.monotonic() - start, 3)
        result.history.append(
            {
                "epoch": epoch,
                "train_loss": train_loss,
                "valid_loss": score.loss,
                "valid_metric": score.metric,
                "lr": lr,
                "seconds": seconds,
            }
        )
        goodness = (score.metric if training.monitor == "metric" else -score.loss, -score.loss)  # the loss breaks ties
        if not any(map(math.isnan, goodness)) and goodness > best:
            best, result.best_epoch = goodness, epoch
            weights = {name: tensor.clone() for name, tensor in trained_state(head).items()}
        schedule.epoch(goodness[0])
        if not math.isfinite(train_loss) or epoch - result.best_epoch >= training.patience:
            break
    if weights is None:
        raise FoldgraftError(_nothing_kept(result.history))
    load_trained(head, weights)
    head.eval()
    print(f"best epoch {result.best_epoch} of {len(result.history)}, score {abs(best[0]):.4f}", file=sys.stderr)
    return result


def _epoch(
    head: Head,
    batches: Iterable[Batch],
    loss: Loss,
    training: Training,
    optimizer: torch.optim.Optimizer,
    schedule: Schedule,
) -> float:
    """One pass over the training data; the mean loss over its examples, as they were met."""
    head.train()
    device = next(head.parameters()).device
    total = weight = 0.0
    for group in groups(batches, training.accumulate):
        counts = sum(loss.counts(batch.truth) for batch in group).to(device)  # of the whole group, whatever is masked
        optimizer.zero_grad()
        seen = 0.0
        for batch in group:
            batch = _noisy(batch.to(device), head, training.noise)
            value = loss.sum(batch.outputs(head), batch.truth, counts)
            value.backward()
            seen += float(value.detach())
        if training.l1:
            (training.l1 * sum(p.abs().sum() for p in head.parameters() if p.requires_grad and p.ndim > 1)).backward()
        nn.utils.clip_grad_norm_([p for p in head.parameters() if p.requires_grad], training.gradient_clip)
        optimizer.step()
        schedule.step()
        total += seen * float(counts[0])
        weight += float(counts[0])
    return total / max(weight, 1e-9)


def groups(batches: Iterable[Batch], size: int) -> Iterator[list[Batch]]:
    """Lists of `size` batches that make one step; the last may be shorter."""
    remaining = iter(batches)
    while group := list(islice(remaining, size)):
        yield group


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

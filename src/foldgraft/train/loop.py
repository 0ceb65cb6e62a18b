"""The training loop: plain, seeded, with warm-up, clipping, and early stopping that keeps the best weights."""

import copy
import math
import os
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from foldgraft.errors import FoldgraftError
from foldgraft.train.losses import loss as mean_loss
from foldgraft.train.optimizers import build_optimizer, build_warmup, penalty
from foldgraft.train.settings import Optimizer


class Batch(NamedTuple):
    """What a head is fitted to."""

    inputs: tuple[Tensor, ...]  # the head's arguments, first axis B
    labels: Tensor  # (B,) in [0, 1]
    offset: Tensor  # (B,) added to the head's logits in training only: the log of how unevenly labels were sampled

    def to(self, device: torch.device) -> "Batch":
        """The batch on a device."""
        moved = tuple(tensor.to(device, non_blocking=True) for tensor in self.inputs)
        return Batch(moved, self.labels.to(device), self.offset.to(device))


class Score(NamedTuple):
    """How a head does on validation proteins."""

    loss: float
    metric: float  # higher is better


@dataclass(frozen=True)
class Plan:
    """How a head is fitted."""

    loss: str
    optimizer: Optimizer
    epochs: int
    patience: int
    gradient_clip: float
    monitor: Literal["loss", "metric"]


@dataclass
class Fit:
    """What a fit leaves behind, besides the head's best weights."""

    history: list[dict[str, Any]] = field(default_factory=list)
    best_epoch: int = 0


def seed_everything(seed: int) -> torch.Generator:
    """Seed torch and choose its deterministic kernels; the generator is for the order of batches."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.manual_seed(seed)
    return torch.Generator().manual_seed(seed)


def fit(
    head: nn.Module,
    batches: Iterable[Batch],
    evaluate: Callable[[nn.Module], Score],
    plan: Plan,
    device: torch.device,
) -> Fit:
    """Train a head in place and leave it with the weights of its best epoch, in evaluation mode.

    Parameters
    ----------
    batches
        gone through once per epoch.
    evaluate
        gives the score on validation proteins, for the head in evaluation mode.

    Raises
    ------
    FoldgraftError
        if the loss or the monitored score is no number before any epoch was worth keeping.
    """
    optimizer = build_optimizer(head, plan.optimizer)
    warmup = build_warmup(optimizer, plan.optimizer.warmup_steps)
    result, best, weights = Fit(), (-math.inf, -math.inf), None
    for epoch in range(1, plan.epochs + 1):
        start, lr = time.monotonic(), optimizer.param_groups[0]["lr"]
        train_loss = _epoch(head, batches, plan, optimizer, warmup, device)
        score = evaluate(head.eval())
        result.history.append(
            {
                "epoch": epoch,
                "train_loss": train_loss,
                "valid_loss": score.loss,
                "valid_metric": score.metric,
                "lr": lr,
                "seconds": round(time.monotonic() - start, 3),
            }
        )
        goodness = (score.metric if plan.monitor == "metric" else -score.loss, -score.loss)  # the loss breaks ties
        if not any(map(math.isnan, goodness)) and goodness > best:
            best, result.best_epoch, weights = goodness, epoch, copy.deepcopy(head.state_dict())
        if not math.isfinite(train_loss) or epoch - result.best_epoch >= plan.patience:
            break
    if weights is None:
        raise FoldgraftError(_nothing_kept(result.history))
    head.load_state_dict(weights)
    head.eval()
    print(f"best epoch {result.best_epoch} of {len(result.history)}, score {abs(best[0]):.4f}", file=sys.stderr)
    return result


def _nothing_kept(history: list[dict[str, Any]]) -> str:
    if all(math.isfinite(row["train_loss"]) and math.isfinite(row["valid_loss"]) for row in history):
        return (
            "training: the score that early stopping watches is undefined for these validation proteins; set monitor: "
            "loss, or give more of them"
        )
    return f"training: the loss was no number after {len(history)} epochs; lower the optimizer's lr"


def _epoch(
    head: nn.Module,
    batches: Iterable[Batch],
    plan: Plan,
    optimizer: torch.optim.Optimizer,
    warmup: torch.optim.lr_scheduler.LambdaLR,
    device: torch.device,
) -> float:
    """One pass over the training data; the mean loss over its examples, as they were met."""
    head.train()
    total = count = 0.0
    for batch in batches:
        batch = batch.to(device)

        def closure(batch: Batch = batch) -> Tensor:
            optimizer.zero_grad()
            value = mean_loss(plan.loss, head(*batch.inputs) + batch.offset, batch.labels)
            value = value + penalty(head, plan.optimizer)
            value.backward()
            if plan.optimizer.name != "lbfgs":  # its line search needs the gradient as it is
                nn.utils.clip_grad_norm_(head.parameters(), plan.gradient_clip)
            return value.detach()

        value = optimizer.step(closure)
        warmup.step()
        total += float(value) * len(batch.labels)
        count += len(batch.labels)
    return total / count

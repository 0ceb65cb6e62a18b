"""Optimizers, and the schedule of their learning rate."""

import math

import torch
from torch import nn
from torch.optim import Optimizer

from foldgraft.models.heads.tuned import OUTSIDE, depths
from foldgraft.train.settings import Schedule as ScheduleSettings
from foldgraft.train.settings import Training

KINDS: dict[str, tuple[type[Optimizer], dict[str, float | bool]]] = {
    "sgd": (torch.optim.SGD, {}),
    "momentum": (torch.optim.SGD, {"momentum": 0.9}),
    "nesterov": (torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
    "adagrad": (torch.optim.Adagrad, {}),
    "adadelta": (torch.optim.Adadelta, {}),
    "rmsprop": (torch.optim.RMSprop, {}),
    "adam": (torch.optim.Adam, {}),
    "adamw": (torch.optim.AdamW, {}),
}


def build_optimizer(model: nn.Module, training: Training) -> Optimizer:
    """An optimizer of the parameters that are trained; matrices decay, biases do not; layers of the trunk have learning
    rates of their own."""
    settings = training.optimizer
    kind, options = KINDS[settings.name]
    found = list(depths(model))
    top = max((depth for _, _, depth in found if depth not in (None, OUTSIDE)), default=0)
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for _, parameter, depth in found:
        lr = settings.lr
        if depth is not None:
            lr = (training.trunk_lr or settings.lr) * training.layer_decay ** max(0, top - depth)
        decay = settings.weight_decay if parameter.ndim > 1 else 0.0
        groups.setdefault((lr, decay), []).append(parameter)
    made = [{"params": parameters, "lr": lr, "weight_decay": decay} for (lr, decay), parameters in groups.items()]
    return kind(made, lr=settings.lr, **options)


class Schedule:
    """The learning rate: a linear rise, then what `settings.name` says.

    Parameters
    ----------
    optimizer : Optimizer
        whose groups' learning rates are its highest.
    settings : Schedule settings
    steps : int
        of the whole training.
    """

    def __init__(self, optimizer: Optimizer, settings: ScheduleSettings, steps: int):
        self.optimizer, self.settings, self.steps = optimizer, settings, max(1, steps)
        self.highest = [group["lr"] for group in optimizer.param_groups]
        self.step_count, self.factor, self.best, self.stale = 0, 1.0, -math.inf, 0
        self._apply()

    def step(self) -> None:
        """After each optimizer step."""
        self.step_count += 1
        self._apply()

    def epoch(self, goodness: float) -> None:
        """After each epoch; higher is better."""
        if goodness > self.best:
            self.best, self.stale = goodness, 0
        else:
            self.stale += 1
        if self.settings.name == "plateau" and self.stale >= self.settings.patience:
            self.factor, self.stale = self.factor * self.settings.factor, 0
        self._apply()

    def _apply(self) -> None:
        warmup, step = self.settings.warmup_steps, self.step_count
        share = self.factor
        if step < warmup:
            share *= (step + 1) / (warmup + 1)
        elif self.settings.name == "cosine":
            left = min(1.0, (step - warmup) / max(1, self.steps - warmup))
            share *= 0.5 * (1 + math.cos(math.pi * left))
        for group, highest in zip(self.optimizer.param_groups, self.highest, strict=True):
            group["lr"] = highest * share

    def state(self) -> dict[str, float]:
        """What `restore` takes."""
        return {"step_count": self.step_count, "factor": self.factor, "best": self.best, "stale": self.stale}

    def restore(self, state: dict[str, float]) -> None:
        """Go on from where another schedule was."""
        self.step_count, self.stale = int(state["step_count"]), int(state["stale"])
        self.factor, self.best = state["factor"], state["best"]
        self._apply()

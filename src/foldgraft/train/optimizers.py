"""The optimizer of a head and of what is trained of its trunk, and the schedule of its learning rate."""

import math

from torch import nn
from torch.optim import Optimizer

from foldgraft.models.heads.tuned import OUTSIDE, depths
from foldgraft.models.optimizers import cosine, new_optimizer, warmup
from foldgraft.train.settings import Schedule as ScheduleSettings
from foldgraft.train.settings import Training


def build_optimizer(model: nn.Module, training: Training) -> Optimizer:
    """An optimizer of the parameters that are trained; layers of the trunk have learning rates of their own."""
    settings = training.optimizer
    parameters = list(depths(model))
    top = max((depth for _, _, depth in parameters if depth not in (None, OUTSIDE)), default=0)
    highest = training.trunk_lr or settings.lr
    rates = [
        (p, settings.lr if depth is None else highest * training.layer_decay ** max(0, top - depth))
        for _, p, depth in parameters
    ]
    return new_optimizer(settings.name, rates, settings.weight_decay)


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
        rise = self.settings.warmup_steps
        share = self.factor * warmup(self.step_count, rise)
        if self.settings.name == "cosine" and self.step_count > rise:
            share *= cosine((self.step_count - rise) / max(1, self.steps - rise))
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

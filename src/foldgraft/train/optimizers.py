"""Optimizers and the warm-up of their learning rate."""

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from foldgraft.train.settings import Optimizer as OptimizerSettings

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
LBFGS_STEPS = 5  # iterations per epoch: few enough for early stopping to have a say


def build_optimizer(head: nn.Module, settings: OptimizerSettings) -> Optimizer:
    """An optimizer of the head's parameters; matrices decay, biases do not."""
    if settings.name == "lbfgs":
        return torch.optim.LBFGS(head.parameters(), lr=settings.lr, max_iter=LBFGS_STEPS, line_search_fn="strong_wolfe")
    kind, options = KINDS[settings.name]
    groups = [
        {"params": [p for p in head.parameters() if p.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in head.parameters() if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return kind([group for group in groups if group["params"]], lr=settings.lr, **options)


def penalty(head: nn.Module, settings: OptimizerSettings) -> Tensor | float:
    """The L2 penalty that has to go into the loss, for lbfgs, which knows no weight decay."""
    if settings.name != "lbfgs" or not settings.weight_decay:
        return 0.0
    return 0.5 * settings.weight_decay * sum(p.square().sum() for p in head.parameters() if p.ndim > 1)


def build_warmup(optimizer: Optimizer, steps: int) -> LambdaLR:
    """A schedule, stepped after every optimizer step, under which the learning rate rises linearly over `steps`."""
    return LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / (steps + 1)))

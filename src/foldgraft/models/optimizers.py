"""Optimizers, and what schedules of their learning rate are made of; for heads and for trunks that are pretrained."""

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

OPTIMIZERS: dict[str, tuple[type[Optimizer], dict[str, float | bool]]] = {
    "sgd": (torch.optim.SGD, {}),
    "momentum": (torch.optim.SGD, {"momentum": 0.9}),
    "nesterov": (torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
    "adagrad": (torch.optim.Adagrad, {}),
    "adadelta": (torch.optim.Adadelta, {}),
    "rmsprop": (torch.optim.RMSprop, {}),
    "adam": (torch.optim.Adam, {}),
    "adamw": (torch.optim.AdamW, {}),
}


def new_optimizer(
    name: str, rates: Iterable[tuple[nn.Parameter, float]], weight_decay: float, **options: Any
) -> Optimizer:
    """An optimizer of parameters with their learning rates; matrices decay, biases and scales do not.

    Parameters
    ----------
    name : str
        a key of `OPTIMIZERS`.
    rates : iterable of (Parameter, float)
    weight_decay : float
    **options : Any
        other arguments of the class.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for parameter, rate in rates:
        groups.setdefault((rate, weight_decay if parameter.ndim > 1 else 0.0), []).append(parameter)
    kind, defaults = OPTIMIZERS[name]
    made = [{"params": parameters, "lr": rate, "weight_decay": decay} for (rate, decay), parameters in groups.items()]
    return kind(made, **(defaults | options))


def warmup(step: int, steps: int) -> float:
    """Share of the learning rate in a step, counted from 0, of a linear rise over so many steps; 1 after it."""
    return min(1.0, (step + 1) / max(1, steps))


def cosine(spent: float) -> float:
    """Share of the learning rate when this fraction of the training is spent: half a cosine, from 1 to 0."""
    return 0.5 * (1 + math.cos(math.pi * min(1.0, spent)))


def linear_fall(spent: float, share: float) -> float:
    """Share of the learning rate: 1, and a linear fall to 0 over the last `share` of the training."""
    return max(0.0, min(1.0, (1 - spent) / share)) if share else 1.0

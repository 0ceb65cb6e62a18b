"""What makes the probabilities of a trained head fit: a temperature and a shift, fitted on validation proteins."""

import math
from collections.abc import Callable

import torch
from pydantic import Field
from torch import Tensor

from foldgraft.settings import Settings

COLDEST, HOTTEST = 0.05, 20.0
"""Bounds of a calibration's temperature."""


class Calibration(Settings):
    """What makes probabilities of a trained head's outputs fit the validation proteins; see `Target.predict`."""

    temperature: float = Field(1.0, gt=0)
    """Outputs are divided by this (Guo et al. 2017)."""
    shift: float = 0.0
    """Added to the outputs of a binary target after that (Platt 1999)."""


def least(value: Callable[[Tensor, Tensor], Tensor]) -> Calibration:
    """The temperature and shift at which `value(log_scale, shift)` is least, the scale being one over the former."""
    parameters = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([parameters], max_iter=100, line_search_fn="strong_wolfe")
    bounds = (-math.log(HOTTEST), -math.log(COLDEST))

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = value(parameters[0].clamp(*bounds), parameters[1])
        loss.backward()
        return loss

    optimizer.step(closure)
    log_scale, shift = parameters.detach().tolist()
    return Calibration(temperature=math.exp(-min(max(log_scale, bounds[0]), bounds[1])), shift=shift)

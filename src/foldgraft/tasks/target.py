"""Targets: what the outputs of a head mean, how they are trained, and what a user reads.

Truth has shape (N, T) and is NaN where it is not known: such values are neither trained on nor counted. Outputs have
shape (N, K), straight from the last layer. `loss` gives the sum over the known values of each example and `weight`
how many those are, so that a mean over several batches is the ratio of two sums, whatever is masked in each.
"""

import math
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from foldgraft.tasks.calibration import Calibration, least
from foldgraft.tasks.kinds import checked_loss

RAREST = 1e-4
"""Probabilities are kept this far from 0 and 1 where their logarithm is taken."""


class Target(Protocol):
    """What the outputs of a head mean; N examples, K outputs, T numbers of truth."""

    kind: str
    outputs: int
    width: int  # T

    def fit(self, truth: Tensor) -> "Target":
        """The target with what it must know of the training truth, shape (N, T)."""

    def bias(self, truth: Tensor) -> Tensor:
        """Outputs of who knows the training truth and nothing else, shape (K,)."""

    def weight(self, truth: Tensor) -> Tensor:
        """How many known values each example has, shape (N,)."""

    def loss(self, outputs: Tensor, truth: Tensor, name: str, smoothing: float = 0.0) -> Tensor:
        """Loss summed over the known values of each example, shape (N,); zero where none is known."""

    def floor(self, truth: Tensor, name: str, smoothing: float = 0.0) -> float:
        """The least mean loss that any head can reach on this truth."""

    def predict(self, outputs: Tensor, calibration: Calibration) -> Tensor:
        """What a user reads, from outputs of shape (..., K)."""

    def mean(self, predicted: Tensor) -> Tensor:
        """The prediction of an ensemble, from those of its members, shape (M, ...)."""

    def fit_calibration(self, outputs: Tensor, truth: Tensor) -> Calibration:
        """The calibration at which the ensemble's mean has the least loss; outputs of shape (M, N, K)."""


class Binary:
    """Yes or no, or a fraction between; one logit, read as a probability."""

    kind = "binary"
    outputs = width = 1

    def fit(self, truth: Tensor) -> "Binary":
        return self

    def bias(self, truth: Tensor) -> Tensor:
        rate = truth[~truth.isnan()].double().mean().clamp(RAREST, 1 - RAREST)
        return torch.logit(rate).float()[None]

    def weight(self, truth: Tensor) -> Tensor:
        return (~truth[:, 0].isnan()).float()

    def loss(self, outputs: Tensor, truth: Tensor, name: str, smoothing: float = 0.0) -> Tensor:
        """`bce`: cross-entropy of the logit; `kl`: that less the entropy of the truth; `mse`: Brier's squared error of
        the probability. All are least where the probability is the expected truth."""
        known, expected = self.weight(truth), _smooth(truth[:, 0], smoothing)
        logit = outputs[:, 0]
        if checked_loss(name, self.kind) == "mse":
            value = (torch.sigmoid(logit) - expected).square()
        else:
            value = F.binary_cross_entropy_with_logits(logit, expected, reduction="none")
            if name == "kl":
                value = value - F.binary_cross_entropy(expected, expected, reduction="none")
        return value * known

    def floor(self, truth: Tensor, name: str, smoothing: float = 0.0) -> float:
        if name != "bce":
            return 0.0
        expected = _smooth(truth[:, 0], smoothing)
        entropy = F.binary_cross_entropy(expected, expected, reduction="none") * self.weight(truth)
        return float(entropy.sum() / self.weight(truth).sum().clamp_min(1))

    def predict(self, outputs: Tensor, calibration: Calibration) -> Tensor:
        return torch.sigmoid(outputs / calibration.temperature + calibration.shift)

    def mean(self, predicted: Tensor) -> Tensor:
        return predicted.mean(0)

    def fit_calibration(self, outputs: Tensor, truth: Tensor) -> Calibration:
        """Temperature and shift; 1 and 0 where the truth is all 0 or all 1, since the surest would be the best."""
        known = ~truth[:, 0].isnan()
        outputs, truth = outputs[:, known].double(), truth[known].double()
        if not len(truth) or (truth == 0).all() or (truth == 1).all():
            return Calibration()

        def value(log_scale: Tensor, shift: Tensor) -> Tensor:
            probability = torch.sigmoid(outputs * log_scale.exp() + shift).mean(0)
            return F.binary_cross_entropy(probability.clamp(1e-7, 1 - 1e-7), truth)

        return least(value)


class Value:
    """A number in a unit. Outputs are in standard deviations of the training truth, from its mean.

    Parameters
    ----------
    unit : str
    mean, scale : float
        of the training truth; `fit` sets them.
    """

    kind = "value"
    outputs = width = 1

    def __init__(self, unit: str = "", mean: float = 0.0, scale: float = 1.0):
        self.unit, self.average, self.scale = unit, mean, scale

    def fit(self, truth: Tensor) -> "Value":
        known = truth[~truth.isnan()].double()
        scale = float(known.std(correction=0)) if len(known) else 1.0
        return Value(self.unit, float(known.mean()) if len(known) else 0.0, scale if scale > 0 else 1.0)

    def bias(self, truth: Tensor) -> Tensor:
        known = truth[~truth.isnan()]
        return ((known.double().mean() - self.average) / self.scale).float()[None]

    def weight(self, truth: Tensor) -> Tensor:
        return (~truth[:, 0].isnan()).float()

    def loss(self, outputs: Tensor, truth: Tensor, name: str, smoothing: float = 0.0) -> Tensor:
        """`mse` and `mae` in standard deviations; `msle`: squared error of log(1 + value), for values above -1."""
        known, expected = self.weight(truth), truth[:, 0].nan_to_num()
        if checked_loss(name, self.kind) == "msle":
            predicted = (outputs[:, 0] * self.scale + self.average).clamp_min(RAREST - 1)
            return (predicted.log1p() - expected.clamp_min(RAREST - 1).log1p()).square() * known
        distance = outputs[:, 0] - (expected - self.average) / self.scale
        return (distance.square() if name == "mse" else distance.abs()) * known

    def floor(self, truth: Tensor, name: str, smoothing: float = 0.0) -> float:
        return 0.0

    def predict(self, outputs: Tensor, calibration: Calibration) -> Tensor:
        return outputs * self.scale + self.average

    def mean(self, predicted: Tensor) -> Tensor:
        return predicted.mean(0)

    def fit_calibration(self, outputs: Tensor, truth: Tensor) -> Calibration:
        return Calibration()


class Classes:
    """One of several classes; the truth is its number, the outputs are logits, read as probabilities.

    Parameters
    ----------
    names : sequence of str
    """

    kind = "classes"
    width = 1

    def __init__(self, names: tuple[str, ...]):
        self.names, self.outputs = names, len(names)

    def fit(self, truth: Tensor) -> "Classes":
        return self

    def bias(self, truth: Tensor) -> Tensor:
        known = truth[~truth.isnan()].long()
        counts = torch.bincount(known, minlength=self.outputs).double()
        return ((counts + RAREST) / (counts.sum() + RAREST * self.outputs)).clamp_min(RAREST).log().float()

    def weight(self, truth: Tensor) -> Tensor:
        return (~truth[:, 0].isnan()).float()

    def loss(self, outputs: Tensor, truth: Tensor, name: str, smoothing: float = 0.0) -> Tensor:
        """`ce`: cross-entropy of the softmax; `kl`: that less the entropy of the (smoothed) truth."""
        index = truth[:, 0].nan_to_num().long()
        value = F.cross_entropy(outputs, index, reduction="none", label_smoothing=smoothing)
        if checked_loss(name, self.kind) == "kl":
            value = value - self._entropy(smoothing)
        return value * self.weight(truth)

    def _entropy(self, smoothing: float) -> float:
        other = smoothing / self.outputs
        shares = [1 - smoothing + other] + [other] * (self.outputs - 1)
        return -sum(share * math.log(share) for share in shares if share > 0)

    def floor(self, truth: Tensor, name: str, smoothing: float = 0.0) -> float:
        return self._entropy(smoothing) if name == "ce" else 0.0

    def predict(self, outputs: Tensor, calibration: Calibration) -> Tensor:
        return torch.softmax(outputs / calibration.temperature, dim=-1)

    def mean(self, predicted: Tensor) -> Tensor:
        return predicted.mean(0)

    def fit_calibration(self, outputs: Tensor, truth: Tensor) -> Calibration:
        """The temperature; 1 where all examples are of one class."""
        known = ~truth[:, 0].isnan()
        outputs, index = outputs[:, known].double(), truth[known, 0].long()
        if len(index.unique()) < 2:
            return Calibration()

        def value(log_scale: Tensor, shift: Tensor) -> Tensor:
            probability = torch.softmax(outputs * log_scale.exp(), dim=-1).mean(0)
            return F.nll_loss(probability.clamp_min(1e-7).log(), index) + 0.0 * shift

        return least(value)


class Angles:
    """Angles as sine and cosine; truth and outputs hold (sin, cos) of each angle, read on the unit circle.

    Parameters
    ----------
    names : sequence of str
    pi_periodic : sequence of str
        those of the angles that half a turn leaves as they are.
    """

    kind = "angles"

    def __init__(self, names: tuple[str, ...], pi_periodic: tuple[str, ...] = ()):
        self.names, self.pi_periodic = names, pi_periodic
        self.outputs = self.width = 2 * len(names)
        self._turned = torch.tensor([name in pi_periodic for name in names])

    def fit(self, truth: Tensor) -> "Angles":
        return self

    def bias(self, truth: Tensor) -> Tensor:
        return truth.double().nanmean(0).nan_to_num().float()

    def weight(self, truth: Tensor) -> Tensor:
        return (~truth[:, ::2].isnan()).float().sum(-1)

    def loss(self, outputs: Tensor, truth: Tensor, name: str, smoothing: float = 0.0) -> Tensor:
        """`mse`: squared distance of (sin, cos), halved; `mae`: difference of the angles, radians, around the circle.

        Of a pi-periodic angle the nearer of the two equal truths counts.
        """
        pairs, expected = outputs.unflatten(-1, (-1, 2)), truth.unflatten(-1, (-1, 2))  # (N, A, 2)
        known = ~expected[..., 0].isnan()
        expected = expected.nan_to_num()
        measure = _squared if checked_loss(name, self.kind) == "mse" else _around
        value = measure(pairs, expected)
        if self.pi_periodic:
            turned = self._turned.to(value.device)
            value = torch.where(turned, torch.minimum(value, measure(pairs, -expected)), value)
        return torch.where(known, value, 0.0).sum(-1)

    def floor(self, truth: Tensor, name: str, smoothing: float = 0.0) -> float:
        return 0.0

    def predict(self, outputs: Tensor, calibration: Calibration) -> Tensor:
        return F.normalize(outputs.unflatten(-1, (-1, 2)), dim=-1).flatten(-2)

    def mean(self, predicted: Tensor) -> Tensor:
        return self.predict(predicted.mean(0), Calibration())

    def fit_calibration(self, outputs: Tensor, truth: Tensor) -> Calibration:
        return Calibration()


def build(kind: str, names: tuple[str, ...], unit: str) -> Target:
    """The target of a kind."""
    if kind == "binary":
        return Binary()
    if kind == "value":
        return Value(unit)
    if kind == "classes":
        return Classes(names)
    return Angles(names)


def _smooth(truth: Tensor, smoothing: float) -> Tensor:
    """Truth between 0 and 1, drawn towards one half; what is not known becomes 0."""
    return truth.nan_to_num() * (1 - smoothing) + smoothing / 2


def _squared(pairs: Tensor, expected: Tensor) -> Tensor:
    return (pairs - expected).square().sum(-1) / 2


def _around(pairs: Tensor, expected: Tensor) -> Tensor:
    """Angle between two directions, shape (N, A, 2) to (N, A), radians from 0 to pi."""
    cross = pairs[..., 0] * expected[..., 1] - pairs[..., 1] * expected[..., 0]
    dot = (pairs * expected).sum(-1)
    return torch.atan2(cross, dot).abs()

"""Heads with one minimum, linear and logistic: solved to convergence, for penalties from strong to weak."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import torch
from scipy.optimize import minimize
from torch import Tensor

from foldgraft.models.heads.layers import Head
from foldgraft.tasks.examples import Batch
from foldgraft.train.losses import Loss

PENALTIES = (10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 1e-4, 1e-5)
"""Penalties tried, strongest first; in scikit-learn's terms C = 1 / (penalty * examples)."""

TOLERANCE = 1e-5
"""Largest slope of the objective, in any coordinate, at which a solution counts as found."""

LEAST_GAIN = 1e-7
"""Share of the objective that a step must gain, else a solution counts as found; float32 tells no less."""

MOST_STEPS = 500
ROWS = 1 << 11
"""Examples whose outputs are computed together."""

ROUNDING = 1e-6
"""Share of its trace by which float32 may be wrong about the matrix of second derivatives, so that of features that
depend on each other it is not positive definite."""

WIDEST = 6000
"""Features up to which the matrix of second derivatives is worth its memory, 288 MB."""


class Convex:
    """The output layers of a head as one convex problem on fixed features.

    Parameters
    ----------
    head : Head
        whose body has no parameters of its own; its normalisation is fitted.
    batch : Batch
        the training examples.
    loss : Loss
    """

    def __init__(self, head: Head, batch: Batch, loss: Loss):
        self.head, self.loss = head, loss
        with torch.no_grad():
            self.features = head.join(head.body(*batch.inputs), batch.covariates)  # (N, F)
        self.truth, self.offset = batch.truth, batch.offset
        self.counts = loss.counts(batch.truth)
        self._hessian: Tensor | None = None  # of the mean loss, about, (F, F)

    def solve(self, penalty: float) -> None:
        """Set the output layers to the minimum of mean loss + penalty / 2 * squared weights, from where they are."""
        layers, basis = list(self.head.out), self._basis(penalty)

        def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
            self._set(flat, basis)
            for layer in layers:
                layer.zero_grad()
            total = 0.0
            for start in range(0, len(self.features), ROWS):
                value = self._part(slice(start, start + ROWS))
                value.backward()
                total += float(value.detach())
            weights = sum(layer.weight.square().sum() for layer in layers)
            (0.5 * penalty * weights).backward()
            slopes = _flat((basis.slopes(layer.weight.grad.double()), layer.bias.grad) for layer in layers)
            return total + 0.5 * penalty * float(weights.detach()), slopes

        solution = minimize(
            objective,
            _flat((basis.coordinates(layer.weight.detach().double()), layer.bias.detach()) for layer in layers),
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": MOST_STEPS, "gtol": TOLERANCE, "ftol": LEAST_GAIN, "maxcor": 20},
        )
        self._set(solution.x, basis)

    def _basis(self, penalty: float) -> "Basis":
        if self.features.shape[1] > WIDEST:
            return Basis(None)
        if self._hessian is None:
            count = min(len(self.features), 4 * self.features.shape[1])
            rows = torch.linspace(0, len(self.features) - 1, count).long()
            some = self.features[rows]
            self._hessian = self._curvature(rows[:: -(-count // 1000)]) * (some.T @ some).double() / count
        trace = float(self._hessian.trace())
        for added in (penalty, penalty + ROUNDING * trace):  # the minimum is the same in any basis
            matrix = self._hessian.clone()
            matrix.diagonal().add_(added)
            lower, failed = torch.linalg.cholesky_ex(matrix)
            if not failed:
                return Basis(lower)
        return Basis(None)

    def _curvature(self, rows: Tensor) -> float:
        """Mean second derivative of the loss by an output, where all weights are zero."""
        bias = torch.cat([layer.bias.detach() for layer in self.head.out])
        truth = [values[rows] for values in self.truth]
        offset = 0.0 if self.offset is None else self.offset[rows]

        def loss(outputs: Tensor) -> Tensor:
            every = outputs.split([layer.out_features for layer in self.head.out])
            return self.loss.mean([values.expand(len(rows), -1) + offset for values in every], truth)

        return max(1e-6, float(torch.autograd.functional.hessian(loss, bias).diagonal().mean()))

    @torch.no_grad()
    def value(self) -> float:
        """Mean loss on the training examples, without the penalty."""
        return sum(float(self._part(slice(start, start + ROWS))) for start in range(0, len(self.features), ROWS))

    def _part(self, rows: slice) -> Tensor:
        features, truth = self.features[rows], [values[rows] for values in self.truth]
        outputs = [layer(features) for layer in self.head.out]
        if self.offset is not None:
            outputs = [values + self.offset[rows] for values in outputs]
        return self.loss.sum(outputs, truth, self.counts)

    def _set(self, flat: np.ndarray, basis: "Basis") -> None:
        sizes = [parameter.numel() for layer in self.head.out for parameter in (layer.weight, layer.bias)]
        pieces = iter(torch.from_numpy(flat).split(sizes))
        with torch.no_grad():
            for layer in self.head.out:
                layer.weight.copy_(basis.weights(next(pieces).reshape(layer.weight.shape)))
                layer.bias.copy_(next(pieces))


@dataclass
class Solutions:
    """Solutions of one training set, by penalty, strongest first."""

    head: Head
    loss: Loss
    states: dict[float, dict[str, Tensor]] = field(default_factory=dict)
    losses: dict[float, float] = field(default_factory=dict)
    training: dict[float, float] = field(default_factory=dict)

    def worse(self) -> int:
        """How many of the last penalties in a row did worse than the best."""
        values = list(self.losses.values())
        return len(values) - 1 - int(np.argmin(values))


class Basis:
    """Coordinates of weights, shape (K, F), in which the objective is about as steep in every direction: W = U inv(L).

    Layers of a trunk side by side are alike: in W itself the objective is a long valley, which takes hundreds of steps.

    Parameters
    ----------
    lower : Tensor or None, shape (F, F), float64
        L, with L L' about the matrix of second derivatives; None for the weights themselves.
    """

    def __init__(self, lower: Tensor | None):
        self.lower = lower

    def coordinates(self, weights: Tensor) -> Tensor:
        """U of W."""
        return weights if self.lower is None else weights @ self.lower

    def weights(self, coordinates: Tensor) -> Tensor:
        """W of U."""
        if self.lower is None:
            return coordinates
        return torch.linalg.solve_triangular(self.lower, coordinates, upper=False, left=False)

    def slopes(self, gradient: Tensor) -> Tensor:
        """Derivatives by U, of those by W."""
        if self.lower is None:
            return gradient
        return torch.linalg.solve_triangular(self.lower, gradient.T, upper=False).T


def _flat(layers: Iterable[tuple[Tensor, Tensor]]) -> np.ndarray:
    return torch.cat([part.double().reshape(-1) for layer in layers for part in layer]).numpy()


def measured(head: Head, batch: Batch, loss: Loss) -> float:
    """Mean loss of a head on validation examples."""
    with torch.no_grad():
        return float(loss.of_batch(head, batch))

"""Heads with one minimum, linear and logistic: solved to convergence, for penalties from strong to weak."""

from collections.abc import Sequence

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
"""Largest slope of the objective, in any direction, at which a solution counts as found."""

MOST_STEPS = 500
ROWS = 1 << 15
"""Examples whose outputs are computed together."""


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

    def solve(self, penalty: float) -> None:
        """Set the output layers to the minimum of mean loss + penalty / 2 * squared weights, from where they are."""
        layers = list(self.head.out)
        sizes = [parameter.numel() for layer in layers for parameter in (layer.weight, layer.bias)]

        def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
            self._set(flat, sizes)
            for layer in layers:
                layer.zero_grad()
            total = 0.0
            for start in range(0, len(self.features), ROWS):
                value = self._part(slice(start, start + ROWS))
                value.backward()
                total += float(value.detach())
            weights = sum(layer.weight.square().sum() for layer in layers)
            (0.5 * penalty * weights).backward()
            gradient = [p.grad.reshape(-1) for layer in layers for p in (layer.weight, layer.bias)]
            return total + 0.5 * penalty * float(weights.detach()), torch.cat(gradient).double().numpy()

        start = torch.cat([p.detach().reshape(-1) for layer in layers for p in (layer.weight, layer.bias)])
        found = minimize(
            objective,
            start.double().numpy(),
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": MOST_STEPS, "gtol": TOLERANCE, "ftol": 1e-9, "maxcor": 20},
        )
        self._set(found.x, sizes)

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

    def _set(self, flat: np.ndarray, sizes: Sequence[int]) -> None:
        pieces = torch.from_numpy(flat).float().split(list(sizes))
        parameters = [p for layer in self.head.out for p in (layer.weight, layer.bias)]
        with torch.no_grad():
            for parameter, piece in zip(parameters, pieces, strict=True):
                parameter.copy_(piece.reshape(parameter.shape))


def measured(head: Head, batch: Batch, loss: Loss) -> float:
    """Mean loss of a head on validation examples."""
    with torch.no_grad():
        return float(loss.of_batch(head, batch))

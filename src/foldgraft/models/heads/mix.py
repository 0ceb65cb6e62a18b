"""A learnt mix of the trunk's layers."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from foldgraft.models.heads.layers import Body, Standardise

SPEED = 10.0
"""By what the learnt numbers are multiplied before the softmax, so that the shares move that much faster than other
weights do: a head is trained for a few hundred steps, in which they would else stay near where they start."""


class Mix(Body):
    """A body that reads one mix of all layers: γ Σ s_k h_k with s = softmax(10 w), where w and γ are learnt with it.

    This is the scalar mix of Peters et al. 2018 (NAACL, equation 1). Each h_k is standardised, in the place of their
    layer norm, so that the s_k can be compared. They start equal, with γ = 1.

    Inputs: those of the body, with the layers side by side, F = K * D.

    Parameters
    ----------
    body : Body
        on vectors of width D; its own normalisation stays as it is, which changes nothing.
    layers, width : int
        K and D.
    """

    reads = "residues"

    def __init__(self, body: Body, layers: int, width: int):
        super().__init__()
        self.body, self.hidden = body, body.hidden
        self.normalise = Standardise(layers * width)
        self.weights = nn.Parameter(torch.zeros(layers))
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, values: Tensor, *mask: Tensor) -> Tensor:
        layers = len(self.weights)
        scales = self._shares()[:, None] / self.normalise.std.view(layers, -1)  # (K, D)
        mixed = -(scales * self.normalise.mean.view(layers, -1)).sum(0)
        for scale, layer in zip(scales, values.float().chunk(layers, dim=-1), strict=True):
            mixed = mixed + scale * layer  # layer by layer: no standardised copy of them all
        return self.body(self.scale * mixed, *mask)

    def _shares(self) -> Tensor:
        return torch.softmax(SPEED * self.weights, 0)

    def shares(self) -> list[float]:
        """The s_k."""
        return self._shares().detach().tolist()


def shares(heads: Sequence[nn.Module]) -> list[list[float]]:
    """The share of each layer in the mix of each head that has one, shape (heads, K)."""
    return [module.shares() for head in heads for module in head.modules() if isinstance(module, Mix)]

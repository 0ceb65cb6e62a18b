"""What all heads are made of: a body, and an output layer for each task."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

Reads = Literal["pooled", "residues", "tokens", "trunk", "pairs", "map"]
"""What a body reads: the protein's mean embedding, residue embeddings, numbers of the amino acids, the trunk's
tokens, features of single residue pairs, or a rectangle of the map of them."""


class Standardise(nn.Module):
    """Features minus their training mean over their training standard deviation; the two are saved with the head."""

    def __init__(self, width: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("std", torch.ones(width))

    def fit(self, values: Tensor) -> None:
        """Take mean and deviation from training values, shape (N, width); constant features are only centred."""
        self.fit_parts([values])

    def fit_parts(self, parts: Iterable[Tensor]) -> None:
        """`fit` on values that come in parts, of which one at a time is in memory (Chan et al. 1983)."""
        count, mean, squares = 0, torch.zeros_like(self.mean.double()), torch.zeros_like(self.std.double())
        for part in parts:
            variance, centre = torch.var_mean(part.to(mean.device).double(), dim=0, correction=0)
            total, shift = count + len(part), centre - mean
            mean += shift * (len(part) / total)
            squares += variance * len(part) + shift.square() * (count * len(part) / total)
            count = total
        std = (squares / count).sqrt()
        self.mean.copy_(mean)
        self.std.copy_(torch.where(std > 1e-6, std, torch.ones_like(std)))

    def forward(self, x: Tensor) -> Tensor:
        return (x.float() - self.mean) / self.std


class Body(nn.Module, ABC):
    """From the inputs of a batch to one vector per example.

    Attributes
    ----------
    reads : str
        the kind of input.
    hidden : int
        width H of the vectors.
    normalise : Standardise or None
        of the inputs; to be fitted before training.
    """

    reads: ClassVar[Reads]
    hidden: int
    normalise: Standardise | None

    @abstractmethod
    def forward(self, *inputs: Tensor) -> Tensor:
        """One vector per example, shape (N, H); examples of padded batches are those that the mask, the last of the
        inputs, names, in its order."""


class Head(nn.Module):
    """A body, and an output layer per task that also reads covariates.

    Parameters
    ----------
    body : Body
    outputs : sequence of int
        K of each task.
    covariates : int
        numbers known of each example besides its sequence.
    """

    def __init__(self, body: Body, outputs: Sequence[int], covariates: int = 0):
        super().__init__()
        self.body = body
        self.covariates = Standardise(covariates) if covariates else None
        self.out = nn.ModuleList(_last_layer(body.hidden + covariates, width) for width in outputs)

    def join(self, hidden: Tensor, covariates: Tensor | None) -> Tensor:
        """What the output layers read: the body's vectors, and the standardised covariates beside them."""
        if self.covariates is None:
            return hidden
        return torch.cat([hidden, self.covariates(covariates)], dim=-1)

    def forward(self, inputs: Sequence[Tensor], covariates: Tensor | None = None) -> list[Tensor]:
        """Outputs of each task, shape (N, K)."""
        joined = self.join(self.body(*inputs), covariates)
        return [layer(joined) for layer in self.out]


def _last_layer(width: int, outputs: int) -> nn.Linear:
    """A layer that starts near zero, so that an untrained head says what its bias says."""
    layer = nn.Linear(width, outputs)
    nn.init.normal_(layer.weight, std=0.1 / max(width, 1) ** 0.5)
    nn.init.zeros_(layer.bias)
    return layer


def without_dropout(head: nn.Module) -> nn.Module:
    """A copy of a head that drops nothing, also while it trains."""
    head = copy.deepcopy(head)
    for module in head.modules():
        if isinstance(module, nn.Dropout | nn.Dropout2d):
            module.p = 0.0
    return head


def masked_softmax(scores: Tensor, mask: Tensor) -> Tensor:
    """Softmax over the last axis among the positions where `mask` is true; zero elsewhere."""
    return torch.softmax(scores.masked_fill(~mask, -torch.inf), dim=-1)

"""Bodies of heads for residue pairs."""

from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from foldgraft.models.heads.layers import Body, Head, Standardise
from foldgraft.models.heads.settings import LogisticSettings, ResidualSettings


class Logistic(Body):
    """The features of a pair themselves: with an output layer, logistic regression (Rao et al. 2021, for attention).

    Inputs: features (N, width).
    """

    reads = "pairs"

    def __init__(self, width: int, embedding: int, settings: LogisticSettings):
        super().__init__()
        self.hidden = width
        self.normalise = Standardise(width)

    def forward(self, features: Tensor) -> Tensor:
        return self.normalise(features)


class Residual(Body):
    """A residual network with dilated convolutions over the map of residue pairs.

    Features of a pair are those of `foldgraft.tasks.pair_features`; of embeddings, projected to a small width, it takes
    sum and product of the two residues, so that the map is symmetric. Inputs: features (width, I, J) of a rectangle
    of the map, embeddings (I, D) and (J, D) of its rows and columns, D = 0 without.
    """

    reads = "map"

    def __init__(self, width: int, embedding: int, settings: ResidualSettings):
        super().__init__()
        self.hidden, self.embedding = settings.hidden, embedding
        self.normalise = Standardise(width)
        self.first = nn.Linear(width, settings.hidden)
        if embedding:
            self.normalise_residues = Standardise(embedding)
            self.project = nn.Linear(embedding, settings.rank)
            self.outer = nn.Linear(2 * settings.rank, settings.hidden)
        self.blocks = nn.ModuleList(
            _Block(settings.hidden, 2 ** (number % 4), settings.dropout) for number in range(settings.blocks)
        )

    def first_bias(self, length: int) -> Tensor:
        """What the first layer gives without any features, shape (H, L, L)."""
        return self.first.bias[:, None, None].expand(-1, length, length)

    def columns(self, start: int, values: Tensor) -> Tensor:
        """What some columns of the features from `start` on add to the first layer; (columns, I, J) to (H, I, J)."""
        stop = start + len(values)
        weight = self.first.weight[:, start:stop] / self.normalise.std[start:stop]  # (H, columns)
        centred = values.float() - self.normalise.mean[start:stop, None, None]
        return torch.einsum("hc,cij->hij", weight, centred)

    def finish(self, first: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        """From the first layer's sums, shape (H, I, J), to (I * J, H)."""
        x = first
        if self.embedding:
            left, right = (self.project(self.normalise_residues(values)) for values in (rows, columns))
            left, right = left[:, None], right[None]
            joined = torch.cat([left + right, left * right / self.project.out_features**0.5], dim=-1)  # (I, J, 2 rank)
            x = x + self.outer(joined).permute(2, 0, 1)
        x = x[None]
        for block in self.blocks:
            x = block(x)
        return F.elu(x[0]).flatten(1).T

    def forward(self, features: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        return self.finish(self.columns(0, features) + self.first.bias[:, None, None], rows, columns)


class _Block(nn.Module):
    """Two 3 x 3 convolutions, the second dilated, beside the identity."""

    def __init__(self, hidden: int, dilation: int, dropout: float):
        super().__init__()
        self.first = nn.Conv2d(hidden, hidden, 3, padding=1)
        self.second = nn.Conv2d(hidden, hidden, 3, padding=dilation, dilation=dilation)
        self.dropout = nn.Dropout2d(dropout)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.dropout(self.second(F.elu(self.first(F.elu(x)))))


def logistic_outputs(heads: Sequence[Head], blocks: Iterable[tuple[int, Tensor]]) -> list[list[Tensor]]:
    """Outputs of logistic heads for many pairs, from features that come some columns at a time.

    Parameters
    ----------
    heads : sequence of Head
        whose bodies are `Logistic`.
    blocks : iterable of (first column, Tensor of shape (columns, S))

    Returns
    -------
    for each head a list of Tensor, shape (S, K), of each task; no more than one block is held.
    """
    totals: list[list[Tensor]] = [[layer.bias for layer in head.out] for head in heads]
    for column, values in blocks:
        stop = column + len(values)
        for number, head in enumerate(heads):
            normalise = head.body.normalise
            scaled = (values.float() - normalise.mean[column:stop, None]) / normalise.std[column:stop, None]
            added = [(layer.weight[:, column:stop] @ scaled).T for layer in head.out]
            totals[number] = [total + more for total, more in zip(totals[number], added, strict=True)]
    return totals


def symmetric(outputs: Sequence[Tensor], length: int) -> list[Tensor]:
    """Outputs of a whole map, shape (L * L, K), as the mean of both halves: (P, K), packed row by row above the
    diagonal."""
    i, j = torch.triu_indices(length, length, 1, device=outputs[0].device)
    return [(values[i * length + j] + values[j * length + i]) / 2 for values in outputs]

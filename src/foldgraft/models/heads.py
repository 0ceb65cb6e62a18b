"""Solubility heads: from what the trunk says of a protein, or from its letters alone, to one logit."""

import copy
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from foldgraft.models.features import LETTERS, Reads


class Standardise(nn.Module):
    """Features minus their training mean over their training standard deviation; the two are saved with the head."""

    def __init__(self, width: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("std", torch.ones(width))

    def fit(self, values: Tensor) -> None:
        """Take mean and deviation from training values, shape (N, width); constant features are only centred."""
        self.mean.copy_(values.float().mean(dim=0))
        std = values.float().std(dim=0, correction=0)
        self.std.copy_(torch.where(std > 1e-6, std, torch.ones_like(std)))

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.std


def last_layer(width: int) -> nn.Linear:
    """The layer that gives the logit; it starts near zero, so that an untrained head says the base rate."""
    layer = nn.Linear(width, 1)
    nn.init.normal_(layer.weight, std=0.01)
    nn.init.zeros_(layer.bias)
    return layer


class SolubilityHead(nn.Module):
    """What the heads below share.

    `forward(inputs, mask)` takes what `foldgraft.models.features.collate` gives for inputs of the kind `reads` and
    returns logits, shape (B,). `normalise` is to be fitted before training, `out` is the last layer.
    """

    reads: ClassVar[Reads]
    normalise: Standardise | None
    out: nn.Linear


class Linear(SolubilityHead):
    """Logistic regression on the pooled embedding."""

    reads = "pooled"

    def __init__(self, width: int, hidden: int, dropout: float):
        super().__init__()
        self.normalise = Standardise(width)
        self.dropout = nn.Dropout(dropout)
        self.out = last_layer(width)

    def forward(self, inputs: Tensor, mask: Tensor) -> Tensor:
        return self.out(self.dropout(self.normalise(inputs))).squeeze(-1)


class MLP(SolubilityHead):
    """One hidden layer on the pooled embedding."""

    reads = "pooled"

    def __init__(self, width: int, hidden: int, dropout: float):
        super().__init__()
        self.normalise = Standardise(width)
        self.hidden = nn.Linear(width, hidden)
        self.dropout = nn.Dropout(dropout)
        self.out = last_layer(hidden)

    def forward(self, inputs: Tensor, mask: Tensor) -> Tensor:
        x = F.relu(self.hidden(self.normalise(inputs)))
        return self.out(self.dropout(x)).squeeze(-1)


class LightAttention(SolubilityHead):
    """Light attention (Stärk et al. 2021, Bioinformatics Advances 1:vbab035) on residue embeddings.

    One convolution gives values, another the attention over the residues, each per channel; the attended mean and the
    maximum of the values go through a small network.
    """

    reads = "residue"
    WINDOW: ClassVar[int] = 9  # residues

    def __init__(self, width: int, hidden: int, dropout: float):
        super().__init__()
        self.normalise = Standardise(width)
        self.values = nn.Conv1d(width, hidden, self.WINDOW, padding="same")
        self.attention = nn.Conv1d(width, hidden, self.WINDOW, padding="same")
        self.dropout = nn.Dropout(dropout)
        self.hidden = nn.Linear(2 * hidden, hidden)
        self.out = last_layer(hidden)

    def forward(self, inputs: Tensor, mask: Tensor) -> Tensor:
        there = mask[:, None]  # (B, 1, L)
        x = self.normalise(inputs).transpose(1, 2) * there  # (B, D, L)
        values = self.dropout(self.values(x))  # (B, H, L)
        weights = masked_softmax(self.attention(x), there)
        highest = values.masked_fill(~there, -torch.inf).amax(dim=-1)
        x = torch.cat([(values * weights).sum(dim=-1), highest], dim=-1)  # (B, 2H)
        return self.out(self.dropout(F.relu(self.hidden(x)))).squeeze(-1)


class FromScratch(SolubilityHead):
    """A convolutional network that knows the sequence alone: what the trunk's embeddings are to be better than.

    Letters embedded in 64 dimensions, two convolutions of width 5 and 128 channels, the mean over the residues.
    """

    reads = "letters"
    EMBEDDING: ClassVar[int] = 64
    CHANNELS: ClassVar[int] = 128
    WINDOW: ClassVar[int] = 5  # residues

    def __init__(self, width: int, hidden: int, dropout: float):
        super().__init__()
        self.normalise = None
        self.embedding = nn.Embedding(LETTERS, self.EMBEDDING, padding_idx=0)
        self.first = nn.Conv1d(self.EMBEDDING, self.CHANNELS, self.WINDOW, padding="same")
        self.second = nn.Conv1d(self.CHANNELS, self.CHANNELS, self.WINDOW, padding="same")
        self.dropout = nn.Dropout(dropout)
        self.out = last_layer(self.CHANNELS)

    def forward(self, inputs: Tensor, mask: Tensor) -> Tensor:
        there = mask[:, None]  # (B, 1, L)
        x = self.embedding(inputs).transpose(1, 2)  # (B, 64, L)
        # Biases would otherwise leak from the padding into the residues beside it.
        x = F.relu(self.first(x)) * there
        x = F.relu(self.second(x)) * there  # (B, 128, L)
        x = x.sum(dim=-1) / there.sum(dim=-1)
        return self.out(self.dropout(x)).squeeze(-1)


HEADS: dict[str, type[SolubilityHead]] = {
    "linear": Linear,
    "mlp": MLP,
    "light_attention": LightAttention,
    "cnn_from_scratch": FromScratch,
}


def build(head: str, width: int, hidden: int, dropout: float) -> SolubilityHead:
    """A new solubility head.

    Parameters
    ----------
    head
        one of `HEADS`.
    width
        of the trunk's embeddings, D.
    hidden
        units of `mlp`, channels of `light_attention`; the other heads have none.
    dropout
        fraction of features dropped in training.
    """
    return HEADS[head](width, hidden, dropout)


def masked_softmax(scores: Tensor, mask: Tensor) -> Tensor:
    """Softmax over the last axis among the positions where `mask` is true; zero elsewhere."""
    return torch.softmax(scores.masked_fill(~mask, -torch.inf), dim=-1)


def without_dropout(head: nn.Module) -> nn.Module:
    """A copy of a head that drops nothing, also while it trains."""
    head = copy.deepcopy(head)
    for module in head.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return head


@torch.no_grad()
def logits(members: list[nn.Module], inputs: Tensor, mask: Tensor) -> Tensor:
    """Logits of every member; shape (M, B)."""
    return torch.stack([member.eval()(inputs, mask) for member in members])

"""Contact heads: from the features of a residue pair to one logit."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from foldgraft.models.heads import Standardise, last_layer


class ContactHead(nn.Module, ABC):
    """What both heads share: a first linear layer that can be applied to some columns of the features at a time.

    `forward(features, left, right)` takes features of shape (B, width), and the embeddings of the two residues of each
    pair, shape (B, D), D = 0 where the head does without; it returns logits, shape (B,).
    """

    normalise: Standardise
    first: nn.Linear
    embedding = 0

    def forward(self, features: Tensor, left: Tensor, right: Tensor) -> Tensor:
        return self.finish(self.first(self.normalise(features)), self.residues(left), self.residues(right))

    def columns(self, start: int, values: Tensor) -> Tensor:
        """What the columns from `start` on add to the first layer; values (columns, S) to (S, hidden)."""
        stop = start + len(values)
        scale = self.first.weight[:, start:stop] / self.normalise.std[start:stop]  # (hidden, columns)
        return (scale @ (values - self.normalise.mean[start:stop, None])).T

    @abstractmethod
    def finish(self, hidden: Tensor, left: Tensor, right: Tensor) -> Tensor:
        """From the first layer's sums, shape (B, hidden), and what `residues` gives of each pair, to logits, (B,)."""

    def residues(self, embedding: Tensor) -> Tensor:
        """What `finish` needs of a residue; (..., D) to (..., any width)."""
        return embedding


class Logistic(ContactHead):
    """Logistic regression on the pair features (Rao et al. 2021, for attention maps)."""

    def __init__(self, width: int, embedding: int, hidden: int, rank: int, dropout: float):
        super().__init__()
        self.normalise = Standardise(width)
        self.first = last_layer(width)

    @property
    def out(self) -> nn.Linear:
        return self.first

    def finish(self, hidden: Tensor, left: Tensor, right: Tensor) -> Tensor:
        return hidden.squeeze(-1)


class Pair(ContactHead):
    """A small network on the pair features, plus a symmetric product of the two residues' projected embeddings."""

    def __init__(self, width: int, embedding: int, hidden: int, rank: int, dropout: float):
        super().__init__()
        self.embedding = embedding
        self.normalise = Standardise(width)
        self.first = nn.Linear(width, hidden)
        self.dropout = nn.Dropout(dropout)
        self.out = last_layer(hidden)
        if embedding:
            self.normalise_residue = Standardise(embedding)
            self.project = nn.Linear(embedding, rank)
            self.sign = nn.Parameter(torch.linspace(-0.1, 0.1, rank))  # of either sign: charges attract and repel

    def finish(self, hidden: Tensor, left: Tensor, right: Tensor) -> Tensor:
        logit = self.out(self.dropout(F.relu(hidden))).squeeze(-1)
        if self.embedding:
            logit = logit + (left * right * self.sign).sum(dim=-1)
        return logit

    def residues(self, embedding: Tensor) -> Tensor:
        if not self.embedding:
            return embedding
        return self.project(self.normalise_residue(embedding)) / self.sign.numel() ** 0.5


CONTACT_HEADS: dict[str, type[ContactHead]] = {"logistic": Logistic, "pair": Pair}


def build_contact(head: str, width: int, embedding: int, hidden: int, rank: int, dropout: float) -> ContactHead:
    """A new contact head.

    Parameters
    ----------
    head
        one of `CONTACT_HEADS`.
    width
        number of pair features.
    embedding
        width of the residue embeddings, 0 to do without.
    hidden, rank, dropout
        of `pair`: units, width of the projected embeddings, and fraction of units dropped in training.
    """
    return CONTACT_HEADS[head](width, embedding, hidden, rank, dropout)


@torch.no_grad()
def score_pairs(
    members: Sequence[ContactHead],
    blocks: Iterable[tuple[int, np.ndarray]],
    i: np.ndarray,
    j: np.ndarray,
    embedding: np.ndarray | None,
    device: torch.device,
) -> Tensor:
    """Logits of all members for the pairs (i, j) of one chain, from features that come a block at a time.

    Parameters
    ----------
    blocks
        (first column, values of shape (columns, S)), as `foldgraft.models.feature_pairs.Layout.blocks` yields them.
    i, j
        residues of the S pairs.
    embedding
        residue embeddings of the chain, shape (L, D), for heads that want them.

    Returns
    -------
    shape (M, S). No more than one block and the members' hidden sums, (M, S, hidden), are held.
    """
    for member in members:
        member.eval()
    sums = [member.first.bias.expand(len(i), -1) for member in members]
    for start, values in blocks:
        block = torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32)).to(device)
        sums = [total + member.columns(start, block) for total, member in zip(sums, members, strict=True)]
    left, right = torch.from_numpy(np.stack([i, j])).to(device)
    if embedding is None:
        embedding = np.zeros((int(j.max(initial=0)) + 1, 0), dtype=np.float32)
    residue = torch.from_numpy(embedding.astype(np.float32)).to(device)  # (L, D)
    scored = []
    for total, member in zip(sums, members, strict=True):
        projected = member.residues(residue)  # before pairs are formed: (L, rank) is small, (S, D) is not
        scored.append(member.finish(total, projected[left], projected[right]))
    return torch.stack(scored)

"""Bodies of heads for proteins and for residues."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from foldgraft.models.heads.layers import Body, Standardise, masked_softmax
from foldgraft.models.heads.settings import (
    CnnFromScratchSettings,
    ConvolutionSettings,
    LightAttentionSettings,
    LinearSettings,
    MLPSettings,
    Ss3MlpSettings,
)
from foldgraft.models.heads.tokens import TOKENS


class Linear(Body):
    """The embedding itself: with an output layer, logistic or linear regression.

    Inputs: vectors (N, F), or residues (B, L, F) and their mask (B, L).
    """

    reads = "pooled"

    def __init__(self, width: int, settings: LinearSettings):
        super().__init__()
        self.hidden = width
        self.normalise = Standardise(width)

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.normalise(_examples(*inputs))


class MLP(Body):
    """One hidden layer on the embedding; inputs as for `Linear`."""

    reads = "pooled"

    def __init__(self, width: int, settings: MLPSettings):
        super().__init__()
        self.hidden = settings.hidden
        self.normalise = Standardise(width)
        self.first = nn.Linear(width, settings.hidden)
        self.dropout = nn.Dropout(settings.dropout)

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.dropout(F.relu(self.first(self.normalise(_examples(*inputs)))))


class LightAttention(Body):
    """Light attention (Stärk et al. 2021, Bioinformatics Advances 1:vbab035).

    One convolution gives values, another the attention over the residues, each per channel; the attended mean and the
    maximum of the values go through a small network. Inputs: residues (B, L, F) and their mask (B, L).
    """

    reads = "residues"

    def __init__(self, width: int, settings: LightAttentionSettings):
        super().__init__()
        self.hidden = settings.hidden
        self.normalise = Standardise(width)
        self.values = nn.Conv1d(width, settings.hidden, settings.window, padding="same")
        self.attention = nn.Conv1d(width, settings.hidden, settings.window, padding="same")
        self.dropout = nn.Dropout(settings.dropout)
        self.last = nn.Linear(2 * settings.hidden, settings.hidden)

    def forward(self, residues: Tensor, mask: Tensor) -> Tensor:
        present = mask[:, None]  # (B, 1, L)
        x = self.normalise(residues).transpose(1, 2) * present  # (B, F, L)
        values = self.dropout(self.values(x))  # (B, H, L)
        weights = masked_softmax(self.attention(x), present)
        highest = values.masked_fill(~present, -torch.inf).amax(dim=-1)
        x = torch.cat([(values * weights).sum(dim=-1), highest], dim=-1)  # (B, 2H)
        return self.dropout(F.relu(self.last(x)))


class Convolution(Body):
    """Two convolutions along the chain: a vector per residue. Inputs: residues (B, L, F) and their mask (B, L)."""

    reads = "residues"

    def __init__(self, width: int, settings: ConvolutionSettings):
        super().__init__()
        self.hidden = settings.hidden
        self.normalise = Standardise(width)
        self.first = nn.Conv1d(width, settings.hidden, settings.window, padding="same")
        self.second = nn.Conv1d(settings.hidden, settings.hidden, settings.window, padding="same")
        self.dropout = nn.Dropout(settings.dropout)

    def channels(self, residues: Tensor, mask: Tensor) -> Tensor:
        """Shape (B, H, L), zero at padding: biases would otherwise leak from it into the residues beside it."""
        present = mask[:, None]
        x = self.normalise(residues).transpose(1, 2) * present
        x = self.dropout(F.relu(self.first(x))) * present
        return self.dropout(F.relu(self.second(x))) * present

    def forward(self, residues: Tensor, mask: Tensor) -> Tensor:
        return self.channels(residues, mask).transpose(1, 2)[mask]


class MeanConvolution(Convolution):
    """`Convolution`, then the mean over the residues: a vector per protein."""

    def forward(self, residues: Tensor, mask: Tensor) -> Tensor:
        return self.channels(residues, mask).sum(-1) / mask.sum(-1, keepdim=True)


class CnnFromScratch(Body):
    """Learned vectors of the amino acids, two convolutions, the mean over the residues.

    Inputs: tokens (B, L) and their mask (B, L).
    """

    reads = "tokens"

    def __init__(self, width: int, settings: CnnFromScratchSettings):
        super().__init__()
        self.hidden = settings.hidden
        self.normalise = None
        self.embedding = nn.Embedding(TOKENS, settings.embedding, padding_idx=0)
        self.first = nn.Conv1d(settings.embedding, settings.hidden, settings.window, padding="same")
        self.second = nn.Conv1d(settings.hidden, settings.hidden, settings.window, padding="same")
        self.dropout = nn.Dropout(settings.dropout)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        present = mask[:, None]
        x = self.embedding(tokens).transpose(1, 2)  # (B, E, L)
        x = F.relu(self.first(x)) * present
        x = F.relu(self.second(x)) * present
        return self.dropout(x.sum(dim=-1) / present.sum(dim=-1))


class Ss3Mlp(Body):
    """One hidden layer on one-hot windows of the sequence. Inputs: tokens (B, L) and their mask (B, L)."""

    reads = "tokens"

    def __init__(self, width: int, settings: Ss3MlpSettings):
        super().__init__()
        self.hidden = settings.hidden
        self.normalise = None
        # A layer on one-hot windows is a convolution over one-hot channels.
        self.first = nn.Conv1d(TOKENS, settings.hidden, settings.window, padding="same")
        self.dropout = nn.Dropout(settings.dropout)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        x = F.one_hot(tokens, TOKENS).float().transpose(1, 2) * mask[:, None]
        return self.dropout(F.relu(self.first(x))).transpose(1, 2)[mask]


def _examples(values: Tensor, mask: Tensor | None = None) -> Tensor:
    """One vector per example: as they are, or the residues that the mask names."""
    return values if mask is None else values[mask]

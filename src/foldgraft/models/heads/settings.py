"""Settings of each head, nested under its name; torch is not needed to read them."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from foldgraft.settings import Settings

Dropout = Annotated[float, Field(ge=0, lt=1)]
Width = Annotated[int, Field(ge=1, le=8192)]


class LinearSettings(Settings):
    """Logistic or linear regression on the embedding, solved to convergence."""

    name: Literal["linear"] = "linear"
    """Regression on the embedding of the protein or residue."""
    penalty: float | None = Field(None, gt=0)
    """L2 penalty: this, halved, times the squared weights is added to the mean loss; null chooses it on validation."""
    max_examples: int = Field(200_000, ge=100)
    """Most training proteins or residues, drawn by the seed: all of their embeddings are in memory."""


class MLPSettings(Settings):
    """One hidden layer on the embedding."""

    name: Literal["mlp"] = "mlp"
    """One hidden layer on the embedding of the protein or residue."""
    hidden: Width = 64
    """Hidden units."""
    dropout: Dropout = 0.3
    """Fraction of the hidden units dropped in training."""


class LightAttentionSettings(Settings):
    """Light attention (Stärk et al. 2021) on residue embeddings, for protein-level tasks."""

    name: Literal["light_attention"] = "light_attention"
    """Attention-weighted mean and maximum over the residues."""
    hidden: Width = 64
    """Channels."""
    window: int = Field(9, ge=1, le=101)
    """Residues that each convolution sees."""
    dropout: Dropout = 0.3
    """Fraction of the features dropped in training."""


class ConvolutionSettings(Settings):
    """Two convolutions along the chain on residue embeddings; for proteins, followed by the mean over the residues."""

    name: Literal["convolution"] = "convolution"
    """Convolutions along the chain."""
    hidden: Width = 64
    """Channels."""
    window: int = Field(7, ge=1, le=101)
    """Residues that each convolution sees."""
    dropout: Dropout = 0.3
    """Fraction of the channels dropped in training."""


class CnnFromScratchSettings(Settings):
    """A convolutional network that reads the sequence alone: what the trunk's embeddings are to be better than."""

    name: Literal["cnn_from_scratch"] = "cnn_from_scratch"
    """Two convolutions on learned vectors of the amino acids, without the trunk."""
    embedding: Width = 64
    """Width of the vector learned for each amino acid."""
    hidden: Width = 128
    """Channels of both convolutions."""
    window: int = Field(5, ge=1, le=101)
    """Residues that each convolution sees."""
    dropout: Dropout = 0.3
    """Fraction of the features dropped in training."""


class Ss3MlpSettings(Settings):
    """A network on one-hot windows of the sequence, without the trunk, for residue-level tasks."""

    name: Literal["ss3_mlp"] = "ss3_mlp"
    """One hidden layer on the amino acids around each residue, without the trunk."""
    window: int = Field(15, ge=1, le=101)
    """Residues of the window, the predicted one in its middle."""
    hidden: Width = 128
    """Hidden units."""
    dropout: Dropout = 0.3
    """Fraction of the hidden units dropped in training."""


class LogisticSettings(Settings):
    """Regression on the features of a residue pair (Rao et al. 2021), solved to convergence on sampled pairs."""

    name: Literal["logistic"] = "logistic"
    """Regression on the features of a residue pair."""
    penalty: float | None = Field(None, gt=0)
    """L2 penalty: this, halved, times the squared weights is added to the mean loss; null chooses it on validation."""
    pairs_per_chain: int = Field(1000, ge=2)
    """Most pairs taken of a training chain: its contacts, up to half of them, and others drawn by the seed."""


class ResidualSettings(Settings):
    """A residual network with dilated convolutions over the map of residue pairs."""

    name: Literal["residual"] = "residual"
    """Dilated convolutions over the map of residue pairs."""
    hidden: Width = 24
    """Channels."""
    blocks: int = Field(4, ge=1, le=64)
    """Residual blocks; their dilations are 1, 2, 4, 8, and again."""
    rank: Width = 16
    """Width to which embeddings are projected before sums and products of two residues are taken of them."""
    crop: int = Field(96, ge=16, le=2048)
    """Side of the square of the map that a training step sees, residues."""
    dropout: Dropout = 0.1
    """Fraction of the channels dropped in training."""


HeadSettings = (
    LinearSettings
    | MLPSettings
    | LightAttentionSettings
    | ConvolutionSettings
    | CnnFromScratchSettings
    | Ss3MlpSettings
    | LogisticSettings
    | ResidualSettings
)

HEADS: dict[str, tuple[str, ...]] = {
    "protein": ("linear", "mlp", "light_attention", "convolution", "cnn_from_scratch"),
    "residue": ("linear", "mlp", "convolution", "ss3_mlp"),
    "pair": ("logistic", "residual"),
}
"""Heads of each level."""

FROM_SCRATCH = ("cnn_from_scratch", "ss3_mlp")
"""Heads that read the sequence alone."""

CONVEX = ("linear", "logistic")
"""Heads whose loss has one minimum, which is solved for rather than trained towards."""


def _named(value: Any) -> Any:
    """`head: mlp` is short for `head: {name: mlp}`."""
    return {"name": value} if isinstance(value, str) else value


HeadChoice = Annotated[
    HeadSettings,
    Field(discriminator="name"),
    BeforeValidator(_named, json_schema_input_type=str | HeadSettings),
]
"""A head by name with its settings, or the bare name."""


class Last(Settings):
    """The last layers of the trunk are trained."""

    last: int = Field(ge=1)
    """How many layers, counted from the end; the norm after them too."""


class LoraSettings(Settings):
    """Low-rank additions to the trunk's matrices (Hu et al. 2021)."""

    rank: int = Field(8, ge=1, le=1024)
    """Rank of each addition."""
    alpha: float = Field(16.0, gt=0)
    """Additions are scaled by this over the rank."""
    targets: tuple[Literal["query", "key", "value", "output", "up", "down"], ...] = Field(
        ("query", "key", "value", "output", "up", "down"), min_length=1
    )
    """Matrices of each layer that get one."""


class Lora(Settings):
    """Low-rank additions to the trunk are trained."""

    lora: LoraSettings = LoraSettings()
    """Their rank, scale and the matrices that they adapt."""

    @property
    def rank(self) -> int:
        """Rank of each addition."""
        return self.lora.rank

    @property
    def alpha(self) -> float:
        """Its scale times the rank."""
        return self.lora.alpha

    @property
    def targets(self) -> tuple[str, ...]:
        """Matrices of each layer that get one."""
        return self.lora.targets


Unfreeze = Literal[0, "all"] | Last | Lora
"""What of the trunk is trained along with the head."""

"""A new head by name."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from foldgraft.models.heads import pair, sequence
from foldgraft.models.heads.layers import Body, Head
from foldgraft.models.heads.mix import Mix
from foldgraft.models.heads.settings import HeadSettings, Unfreeze
from foldgraft.models.heads.tuned import TunedSequence
from foldgraft.models.heads.tuned_pairs import TunedPairs
from foldgraft.models.trunk.network import Network


class Widths(NamedTuple):
    """Of what a head reads."""

    features: int
    embeddings: int = 0  # for pairs, of the residue embeddings beside the features
    mixed: int = 1  # layers among the features, of which a learnt mix is read; 1 where there is no mix


class TrunkPart(NamedTuple):
    """What is trained of a trunk, and what is read of it."""

    network: Network
    layers: Sequence[int]  # whose states are read
    unfreeze: Unfreeze
    mixed: bool = False  # whether a learnt mix of the layers is read, rather than the layers side by side
    pairs: Widths | None = None  # of what a pair head reads
    attention: bool = False  # whether a pair head reads it


BODIES: dict[tuple[str, str], type[Any]] = {
    ("protein", "linear"): sequence.Linear,
    ("protein", "mlp"): sequence.MLP,
    ("protein", "light_attention"): sequence.LightAttention,
    ("protein", "convolution"): sequence.MeanConvolution,
    ("protein", "cnn_from_scratch"): sequence.CnnFromScratch,
    ("residue", "linear"): sequence.Linear,
    ("residue", "mlp"): sequence.MLP,
    ("residue", "convolution"): sequence.Convolution,
    ("residue", "ss3_mlp"): sequence.Ss3Mlp,
    ("pair", "logistic"): pair.Logistic,
    ("pair", "residual"): pair.Residual,
}
"""The body of each head, by level and name."""


def reads(level: str, settings: HeadSettings) -> str:
    """What the head reads, see `foldgraft.models.heads.layers.Reads`."""
    kind = BODIES[level, settings.name].reads
    return "residues" if (level, kind) == ("residue", "pooled") else kind


def build_tuned(
    level: str, settings: HeadSettings, trunk: TrunkPart, outputs: Sequence[int], covariates: int = 0
) -> Head:
    """A new head that trains a part of the trunk; parameters as for `build`."""
    kind = BODIES[level, settings.name]
    if trunk.pairs is not None:
        body = kind(trunk.pairs.features, trunk.pairs.embeddings, settings)
        return Head(TunedPairs(body, trunk.network, trunk.layers, trunk.unfreeze, trunk.attention), outputs, covariates)
    layers = len(trunk.layers)
    widths = Widths(layers * trunk.network.architecture.width, mixed=layers if trunk.mixed else 1)
    pooled = kind.reads == "pooled" and level == "protein"
    body = _body(kind, settings, widths)
    return Head(TunedSequence(body, trunk.network, trunk.layers, trunk.unfreeze, pooled), outputs, covariates)


def build(
    level: str, settings: HeadSettings, widths: Sequence[int], outputs: Sequence[int], covariates: int = 0
) -> Head:
    """A new head.

    Parameters
    ----------
    level : str
    settings : settings of the head
    widths : Widths
    outputs : sequence of int
        K of each task.
    covariates : int
        numbers known of each protein besides its sequence.
    """
    kind, widths = BODIES[level, settings.name], Widths(*widths)
    if level == "pair":
        return Head(kind(widths.features, widths.embeddings, settings), outputs, covariates)
    return Head(_body(kind, settings, widths), outputs, covariates)


def _body(kind: type[Any], settings: HeadSettings, widths: Widths) -> Body:
    width = widths.features // widths.mixed
    body: Body = kind(width, settings)
    return body if widths.mixed == 1 else Mix(body, widths.mixed, width)

"""What a pretraining learns from, the shape of its network, its budget and its optimizer."""

from pathlib import Path
from typing import Any

from pydantic import ConfigDict, Field, model_validator

from foldgraft.settings import Settings

SHAPE = ("layers", "width", "heads")
CONTINUED_RATE = 1e-4
"""Learning rate for weights that have learnt already: a quarter of that which ESM-2 was trained with."""


class PretrainSettings(Settings):
    """Masked-language modelling of a small ESM-2 network, from random weights or going on from another trunk."""

    model_config = ConfigDict(serialize_by_alias=True)

    start: str | None = Field(None, alias="from", min_length=1)
    """A trunk to go on from in place of random weights, such as to adapt it to one family: an ESM-2 name, or a path as
    `trunk.checkpoint` takes it. Its shape is kept, so `layers`, `width` and `heads` must not be given."""
    corpus: tuple[str, ...] = ()
    """Patterns of text files of one sequence per line, plain or .xz, to learn from in place of `sequences`."""
    valid: Path | None = None
    """A text file of one sequence per line, plain or .xz, to measure the perplexity on; held back from the others if
    not given."""
    layers: int | None = Field(4, ge=1, le=48)
    """Transformer layers."""
    width: int | None = Field(128, ge=8, le=5120)
    """Width of the representations, in numbers per residue; an even multiple of `heads`."""
    heads: int | None = Field(4, ge=1, le=64)
    """Attention heads of each layer."""
    minutes: float | None = Field(None, gt=0, le=100_000)
    """Wall-clock limit in minutes, counted from the first step; 5 if neither this nor `steps` is given."""
    steps: int | None = Field(None, ge=0, le=100_000_000)
    """Limit in optimizer steps; with the same seed they give the same trunk. 0 leaves it random, as a baseline."""
    save_seconds: float = Field(60, ge=0, le=86_400)
    """Seconds between checkpoints, from which an interrupted pretraining goes on when it is run again."""
    batch_tokens: int = Field(1024, ge=64, le=4_194_304)
    """Tokens of a batch, padding included; small batches learn most in minutes on a CPU, a GPU wants more."""
    accumulate: int = Field(1, ge=1, le=10_000)
    """Batches whose gradients make one step, in which every masked residue weighs alike: large batches in little
    memory."""
    crop_length: int = Field(128, ge=16, le=4096)
    """Residues; from longer sequences a random stretch of this length is taken each time."""
    learning_rate: float = Field(1e-3, gt=0, le=1)
    """Peak learning rate of AdamW: linear warm-up, then constant, then linear decay to zero at the limit; 0.0001 by
    default if `from` is given."""
    warmup_steps: int = Field(50, ge=0)
    """Steps of the warm-up."""
    decay: float = Field(0.4, ge=0, le=1)
    """Fraction of the time or steps, at the end, over which the learning rate falls to zero."""
    weight_decay: float = Field(0.01, ge=0, le=1)
    """Weight decay of AdamW, on matrices only."""
    valid_sequences: int = Field(200, ge=1)
    """Most sequences to measure the perplexity on; held back from the others they are never more than a tenth."""
    valid_every: int = Field(100, ge=1)
    """Steps between measurements of the perplexity."""
    test_identity: float = Field(0.5, ge=0, le=1)
    """Sequences with at least this fraction of identical residues to a protein of the test split (of any fold, where
    an experiment is cross-validated) are left out ..."""
    test_coverage: float = Field(0.5, ge=0, le=1)
    """... if the alignment covers at least this fraction of the shorter of the two."""
    seed: int = Field(0, ge=0)
    """Seed of the initial weights, the crops and the masks."""

    @model_validator(mode="before")
    @classmethod
    def _completed(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        shape = {key: given[key] for key in SHAPE if given.get(key) is not None}
        filled = {key: value for key, value in given.items() if key not in SHAPE} | shape
        if filled.get("minutes") is None and filled.get("steps") is None:
            filled["minutes"] = 5.0
        if filled.get("from") is not None:
            if shape:
                raise ValueError(f"{' and '.join(shape)}: the shape is that of `from`; leave one of the two out")
            filled |= {"learning_rate": filled.get("learning_rate", CONTINUED_RATE), **dict.fromkeys(SHAPE)}
        return filled

    @model_validator(mode="after")
    def _shape(self) -> "PretrainSettings":
        if self.width and self.heads and (self.width % self.heads or self.width // self.heads % 2):
            raise ValueError(f"width {self.width} must be an even multiple of heads {self.heads}")
        return self

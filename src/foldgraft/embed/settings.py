"""How sequences run through the trunk."""

from typing import Literal

from pydantic import Field

from foldgraft.settings import Settings


class EmbedSettings(Settings):
    """How sequences are gathered on their way through the trunk."""

    max_length: int = Field(10_000, ge=16)
    """Residues; longer sequences are rejected. The trunk reads 1,022 at once, and more in overlapping windows."""
    batch_tokens: int = Field(4096, ge=64, le=4_194_304)
    """Tokens of a batch, padding included; more need more memory, and are faster on a GPU."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """In which matrices are multiplied. bfloat16 is for GPUs, several times faster there; values move by about 1 %."""

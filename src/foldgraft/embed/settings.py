"""How sequences run through the trunk."""

from pydantic import Field

from foldgraft.settings import Settings


class EmbedSettings(Settings):
    """How sequences are cut and gathered on their way through the trunk."""

    max_window: int = Field(1022, ge=16, le=16_384)
    """Residues that the trunk reads at once; longer sequences are read in overlapping windows, overlaps averaged."""
    max_length: int = Field(10_000, ge=16)
    """Residues; longer sequences are rejected."""
    batch_tokens: int = Field(4096, ge=64, le=4_194_304)
    """Tokens of a batch, padding included; more need more memory, and are faster on a GPU."""

"""Settings of the predict stage."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from foldgraft.settings import Settings

TableName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]

RESERVED = (
    "coevolution", "trunk",  # maps that need no head
    "rank", "i", "residue_i", "j", "residue_j", "separation",  # columns of the table of pairs
    "sequence", "file", "allow_pickle",  # numpy.savez has arguments of these names
)  # fmt: skip
"""Names that no experiment can have, since its own stands beside these in what is written of contacts."""


class PredictSettings(Settings):
    """New sequences to predict for."""

    sequences: dict[TableName, Path] = Field(default_factory=dict)
    """FASTA files, plain or gzip-compressed, by the name that their table gets."""
    alignments: dict[TableName, Path] = Field(default_factory=dict)
    """Alignments, in any of the formats of `msa.alignments`, by the name that their table gets: contacts of their first
    row by coevolution, by the trunk, and by the heads of residue pairs."""
    experiments: tuple[str, ...] = ()
    """Experiments whose heads predict; if empty, all protein-level experiments for sequences, all of residue pairs for
    alignments."""
    min_length: int = Field(10, ge=1)
    """Shorter sequences are rejected, residues."""
    max_length: int = Field(5000, ge=1)
    """Longer sequences are rejected, residues."""

    @model_validator(mode="after")
    def _sensible(self) -> "PredictSettings":
        if self.min_length > self.max_length:
            raise ValueError("min_length is greater than max_length")
        return self

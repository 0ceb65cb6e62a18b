"""What curate may drop, and the bounds within which it reads."""

from datetime import date
from typing import Self

from pydantic import Field, model_validator

from foldgraft.settings import Settings


class CurateSettings(Settings):
    """Filters on entries and chains; each drop is a row of rejects, and a filter that is not set drops nothing.

    A filter that is set drops what cannot be shown to meet it: an entry that states no resolution does not pass
    `max_resolution` (nuclear magnetic resonance and predicted models state none), one without a release date does not
    pass a date.
    """

    max_resolution: float | None = Field(default=None, gt=0)
    """Worst resolution kept, in angstrom."""
    methods: list[str] | None = Field(default=None, min_length=1)
    """Methods kept, as `_exptl.method` spells them in any case, e.g. "X-RAY DIFFRACTION"; "PREDICTED" for models."""
    released_before: date | None = None
    """Keep entries first released before this day (exclusive)."""
    released_after: date | None = None
    """Keep entries first released on this day or later (inclusive)."""
    min_length: int = Field(default=20, ge=1)
    """Shortest chain kept, in residues of the SEQRES sequence."""
    max_length: int = Field(default=2000, ge=1)
    """Longest chain kept, in residues of the SEQRES sequence; pair tables grow with its square."""
    min_resolved: float = Field(default=0.3, ge=0, le=1)
    """Least fraction of residues that have a CA with coordinates."""
    min_plddt: float | None = Field(default=None, ge=0, le=100)
    """Least mean pLDDT (0 to 100; fractions are scaled) over the CA atoms of a predicted model. Experimental entries
    are not asked; a file that names no method is dropped unless its B-factors are recognised as pLDDT."""
    sequences: list[str] = Field(default=[], max_length=1000)
    """Patterns (globs) of FASTA files, gzip-compressed or not, relative to the data folder: whole sequences of chains
    whose files declare none (no SEQRES), by the id of the chain (`entry_A`) or of the entry. The observed residues are
    aligned to them; one without a place is left out and listed, and a chain of which more than a tenth disagree is
    dropped."""
    max_decompressed_mb: int = Field(default=1024, ge=1, le=65536)
    """Largest structure file read, in megabytes after decompression."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_length > self.max_length:
            raise ValueError(f"min_length ({self.min_length}) is above max_length ({self.max_length})")
        if self.released_before and self.released_after and self.released_after >= self.released_before:
            raise ValueError(f"released_after ({self.released_after}) leaves nothing before {self.released_before}")
        return self

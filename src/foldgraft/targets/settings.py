"""What may be chosen about structure targets; cutoffs and bins are definitions and stand in `foldgraft.geometry`."""

from pydantic import Field

from foldgraft.settings import Settings


class TargetsSettings(Settings):
    """How a chain of atoms becomes targets."""

    max_peptide_bond: float = Field(default=2.0, ge=1.4, le=2.5)
    """Longest distance in angstrom from a C to the next N at which two neighbours in sequence count as bonded."""
    orientations: bool = False
    """Add trRosetta's classes of distance, omega, theta and phi of every pair, for heads of your own to learn; a pair
    then takes 2.1 bytes instead of 0.45."""

"""Settings of what alignments keep, and of how they are scored."""

from typing import Annotated, Literal

from pydantic import Field

from foldgraft.settings import Settings


class FilterSettings(Settings):
    """Which homologs an alignment keeps."""

    max_sequences: int = Field(5000, ge=1, le=100_000)
    """Largest number of sequences in an alignment, the query included; of more, an even selection is kept."""

    min_coverage: float = Field(0.5, ge=0.0, le=1.0)
    """Least fraction of the query's residues that a homolog must align with; of a given alignment, of the residues that
    it has columns for. X, B, Z and other unknown letters cover nothing."""

    min_identity: float = Field(0.0, ge=0.0, le=1.0)
    """Least fraction of identical residues, of those aligned, between a homolog and the query."""

    max_identity: float = Field(1.0, gt=0.0, le=1.0)
    """Fraction of identical residues from which the second of two homologs is dropped, counted as for the weights; 1
    drops none but copies."""


class Pseudolikelihood(Settings):
    """Pseudolikelihood maximisation: the best couplings; uses a GPU where there is one."""

    name: Literal["pseudolikelihood"] = "pseudolikelihood"
    """Its name."""

    regularization: float = Field(0.01, gt=0.0, le=10.0)
    """Penalty on squared couplings, for each other letter and other position."""


class MeanField(Settings):
    """Mean-field direct-coupling analysis: for very deep alignments or long proteins, ten times faster."""

    name: Literal["mean_field"]
    """Its name."""

    pseudocount: float = Field(0.7, gt=0.0, lt=1.0)
    """Weight of the uniform distribution mixed into the frequencies, a fraction. Lower values trust the alignment
    more."""


class MutualInformation(Settings):
    """Mutual information: what couplings are measured against."""

    name: Literal["mutual_information"]
    """Its name."""


Method = Annotated[Pseudolikelihood | MeanField | MutualInformation, Field(discriminator="name")]


class CoevolutionSettings(Settings):
    """How pairs of columns that change together are scored."""

    method: Method = Pseudolikelihood()
    """What measures the strength of a pair, before the average-product correction."""

    identity: float = Field(0.8, gt=0.0, le=1.0)
    """Fraction of identical residues from which two sequences share their weight."""

    max_length: int = Field(1000, ge=2, le=5000)
    """Aligned positions (residues) above which a chain is not scored: its scores are zero, and the log says so. Memory
    grows with this times `max_sequences`."""


class AlignmentSettings(FilterSettings):
    """What is made of an alignment."""

    coevolution: CoevolutionSettings = CoevolutionSettings()
    """How coevolution is scored."""

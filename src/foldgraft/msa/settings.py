"""Settings of the msa stage."""

from typing import Annotated, Literal

from pydantic import Field

from foldgraft.settings import Settings


class AlignmentFiles(Settings):
    """Alignments that exist already; each replaces the search for the chains that one of its rows fits."""

    files: list[str] = Field([], max_length=10_000)
    """Patterns (globs) of alignment files, gzip-compressed or not, relative to the data folder. They may be A3M, A2M,
    aligned FASTA, Stockholm, Clustal, PSICOV rows, or lines of name and sequence, told by their content. What each is
    used for, or why not, is in `msa/given.csv`."""

    queries: list[str] = Field([], max_length=10_000)
    """Patterns (globs) of aligned FASTA files with a single row whose columns are those of the alignment in the same
    folder: that row is then its query. Without one, the row that fits a chain best is."""

    identity: float = Field(0.9, ge=0.5, le=1.0)
    """Tolerance: least fraction of identical residues, of those known on both sides, between a chain and the row that
    stands for it."""

    coverage: float = Field(0.5, gt=0.0, le=1.0)
    """Tolerance: least fraction of the shorter of chain and row that must be aligned. Stretches below 20 residues count
    only as a whole first row."""


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


class MsaSettings(Settings):
    """How homologs are found and aligned."""

    alignments: AlignmentFiles = AlignmentFiles()
    """Alignments that exist already."""

    database: Literal["sequences"] = "sequences"
    """What is searched: the sequences of the run."""

    iterations: int = Field(2, ge=1, le=5)
    """Rounds of search (number); from the second on a profile of the hits so far is searched."""

    sensitivity: float = Field(5.7, ge=1.0, le=7.5)
    """MMseqs2's search sensitivity (-s), from 1 (fast) to 7.5 (sensitive)."""

    evalue: float = Field(1e-3, gt=0.0, le=10.0)
    """Largest expected number of chance hits per search (E-value) of a homolog."""

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

    coevolution: CoevolutionSettings = CoevolutionSettings()
    """How coevolution is scored."""

"""Settings of the msa stage."""

from typing import Self

from pydantic import Field, model_validator

from foldgraft.evolution.settings import AlignmentSettings
from foldgraft.settings import Settings

COLABFOLD = "colabfold"
"""Stands for ColabFold's server among the databases."""


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


class MsaSettings(AlignmentSettings):
    """How homologs are found and aligned."""

    alignments: AlignmentFiles = AlignmentFiles()
    """Alignments that exist already."""

    database: str = Field("sequences", min_length=1)
    """What is searched: `sequences`, those of the run, or the path of a prepared MMseqs2 database of proteins, such as
    UniRef50, relative to the data folder. Of one of clusters, as ColabFold's are (`_seq` and `_aln` lie beside it), the
    representatives are searched and the members of the clusters found are aligned. With `colabfold` nothing is searched
    here: the stage `fetch` asks ColabFold's server (`fetch.services.colabfold`), one sequence after another. **The
    sequence of every chain without a given alignment then leaves this machine** and is known to whoever runs the
    server. It takes a minute or so for each, and `fetch.contact` must say who asks. The public server is meant for some
    hundred proteins, asked for from one machine; for more, or in confidence, search a database of your own."""

    iterations: int = Field(2, ge=1, le=5)
    """Rounds of search (number); from the second on a profile of the hits so far is searched."""

    sensitivity: float = Field(5.7, ge=1.0, le=7.5)
    """MMseqs2's search sensitivity (-s), from 1 (fast) to 7.5 (sensitive)."""

    evalue: float = Field(1e-3, gt=0.0, le=10.0)
    """Largest expected number of chance hits per search (E-value) of a homolog."""

    @model_validator(mode="after")
    def _heeded(self) -> Self:
        if self.database == COLABFOLD:
            for name in ("iterations", "sensitivity", "evalue"):
                if getattr(self, name) != type(self).model_fields[name].default:
                    raise ValueError(f"{name}: ColabFold's server searches in a way of its own; remove it")
        return self

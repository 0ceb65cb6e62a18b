"""What is fetched, from where, and within which bounds."""

from datetime import date
from typing import Literal, Self

from pydantic import Field, model_validator

from foldgraft.settings import Settings


class RcsbQuery(Settings):
    """A search of the PDB for entries with a protein; what is not set is not asked."""

    resolution: float | None = Field(default=None, gt=0)
    """Worst resolution, in angstrom."""
    method: Literal["x-ray", "nmr", "em"] | None = None
    """Experimental method."""
    released_before: date | None = None
    """First released before this day (exclusive)."""
    released_after: date | None = None
    """First released on this day or later (inclusive)."""
    max_entries: int = Field(gt=0)
    """At most this many entries, the earliest released first, so that a later run appends."""


class RcsbSettings(Settings):
    """Entries of the PDB, by id, by search, or both."""

    ids: list[str] = Field(default_factory=list)
    """PDB ids, of four characters or extended (pdb_00001abc), in any case."""
    query: RcsbQuery | None = None
    """A search; entries that are also listed by id are taken once."""


class AlphafoldSettings(Settings):
    """Predicted structures of the AlphaFold database."""

    accessions: list[str] = Field(default_factory=list)
    """UniProt accessions."""


class StructuresSettings(Settings):
    """Structures, from any mix of sources."""

    files: list[str] = Field(default_factory=list)
    """Glob patterns of mmCIF or PDB files, gzip-compressed or not."""
    rcsb: RcsbSettings = RcsbSettings()
    """Entries of the PDB."""
    alphafold: AlphafoldSettings = AlphafoldSettings()
    """Entries of the AlphaFold database."""
    limit: int | None = Field(default=None, ge=1)
    """Take at most this many of the local files, spread evenly over their sorted list."""

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not (self.files or self.rcsb.ids or self.rcsb.query or self.alphafold.accessions):
            raise ValueError("name at least one of files, rcsb.ids, rcsb.query and alphafold.accessions")
        return self


class UniprotSettings(Settings):
    """Sequences of UniProtKB, by accession, by query, or both."""

    accessions: list[str] = Field(default_factory=list)
    """UniProt accessions."""
    query: str | None = Field(default=None, min_length=1)
    """A UniProtKB query, e.g. "reviewed:true AND organism_id:83333"."""


class SequencesSettings(Settings):
    """Sequences that alignments search and a small trunk is pretrained on."""

    files: list[str] = Field(default_factory=list)
    """Glob patterns of FASTA files, gzip-compressed or not."""
    uniprot: UniprotSettings = UniprotSettings()
    """Sequences of UniProtKB."""
    limit: int | None = Field(default=None, ge=1)
    """Take at most this many sequences: a subsample that depends on nothing but their ids."""

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not (self.files or self.uniprot.accessions or self.uniprot.query):
            raise ValueError("name at least one of files, uniprot.accessions and uniprot.query")
        return self


class ColumnsSettings(Settings):
    """The table's own names for its columns."""

    id: str = "id"
    """Column of the ids; each at most once."""
    sequence: str = "sequence"
    """Column of the amino-acid sequences."""
    label: str = "label"
    """Column of the labels: 0 or 1, or a fraction between them."""
    fold: str | None = None
    """Column of the published fold, a whole number from 0; null if there is none."""


class SolubilitySettings(Settings):
    """A table of sequences labelled as soluble or not."""

    table: str
    """Path of a CSV (or, with .tsv in its name, tab-separated) table, gzip-compressed or not."""
    columns: ColumnsSettings = ColumnsSettings()
    """The table's own names for its columns."""
    limit: int | None = Field(default=None, ge=1)
    """Take at most this many rows: a random subsample in the table's order."""
    seed: int = Field(default=0, ge=0)
    """Seed of that subsample."""


class ServicesSettings(Settings):
    """Base URL of each service: its own, or a mirror's. Only https, except on this very machine."""

    rcsb_files: str = "https://files.rcsb.org/download"
    """Structure files of the PDB."""
    rcsb_search: str = "https://search.rcsb.org/rcsbsearch/v2/query"
    """The PDB's search."""
    alphafold: str = "https://alphafold.ebi.ac.uk/api/prediction"
    """The AlphaFold database's entries."""
    uniprot: str = "https://rest.uniprot.org/uniprotkb"
    """UniProtKB."""


class FetchSettings(Settings):
    """Shards, manners and bounds of fetching."""

    shard_size: int = Field(default=256, ge=1, le=10000)
    """Structures in a shard."""
    label_shard_size: int = Field(default=2048, ge=1, le=1000000)
    """Labelled sequences in a shard."""
    timeout: float = Field(default=60, gt=0)
    """Seconds without a byte before an attempt is given up."""
    retries: int = Field(default=5, ge=0, le=20)
    """Further attempts after one that failed for a passing reason."""
    backoff: float = Field(default=1, gt=0)
    """Seconds before the first retry; they double with each, with a random part, up to two minutes."""
    connections: int = Field(default=4, ge=1, le=32)
    """Downloads at a time in one job."""
    contact: str = ""
    """An e-mail or web address, sent in the User-Agent so that a service can reach you."""
    max_file_mb: int = Field(default=256, ge=1, le=65536)
    """Largest file taken, in megabytes as it arrives."""
    max_decompressed_mb: int = Field(default=1024, ge=1, le=65536)
    """Largest file taken, in megabytes after decompression."""
    services: ServicesSettings = ServicesSettings()
    """Base URLs."""

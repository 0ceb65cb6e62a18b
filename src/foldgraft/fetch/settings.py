"""What is fetched, from where, and within which bounds."""

from datetime import date
from typing import Any, Literal, Self

from pydantic import Field, RootModel, field_validator, model_validator

from foldgraft.fetch.identifiers import accession
from foldgraft.settings import Settings


class Locations(RootModel[list[str]]):
    """The files, PDB ids or UniProt accessions of a shard."""


class RcsbQuery(Settings):
    """A search of the PDB for entries with a protein; what is not set is not asked.

    An entry is taken whole, also the chains of it that nothing here asks for; `curate` may drop those.
    """

    resolution: float | None = Field(default=None, gt=0)
    """Worst resolution, in angstrom."""
    method: Literal["x-ray", "nmr", "em"] | None = None
    """Experimental method."""
    released_before: date | None = None
    """First released before this day (exclusive)."""
    released_after: date | None = None
    """First released on this day or later (inclusive)."""
    polymer: Literal["protein", "with_protein"] = "with_protein"
    """Entries whose polymers are proteins only, or all that have a protein, e.g. with nucleic acids."""
    min_length: int | None = Field(default=None, ge=1)
    """Shortest protein sequence, in residues; of the same protein as max_length and organism."""
    max_length: int | None = Field(default=None, ge=1)
    """Longest protein sequence, in residues."""
    organism: str | int | None = None
    """Source of the protein: a scientific name, e.g. Homo sapiens, or a taxonomy id, whose descendants count too."""
    identity: Literal[30, 50, 70, 90, 95, 100] | None = None
    """The earliest released of each group of proteins at this sequence identity, in percent, as the PDB clusters them;
    the entry of each is taken whole, so that a group may recur in other chains of other entries."""
    raw: dict[str, Any] | None = None
    """A query of your own in the JSON of search.rcsb.org, a node or a whole request, in place of all other keys but
    max_entries; its paging, sorting and verbosity are overwritten."""
    max_entries: int = Field(gt=0)
    """At most this many entries, the earliest released first and by id within a day, so that a later run appends."""

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if self.raw is not None:
            fields = type(self).model_fields.items()
            other = [name for name, field in fields if not field.is_required() and getattr(self, name) != field.default]
            other.remove("raw")
            if other:
                raise ValueError(f"raw: it stands alone; put {', '.join(other)} into it")
            check_request(self.raw)
        if self.min_length and self.max_length and self.min_length > self.max_length:
            raise ValueError(f"min_length: {self.min_length} is more than max_length, {self.max_length}")
        return self


RETURN_TYPES = ("entry", "polymer_entity", "polymer_instance", "assembly")
SERVICES = ("text", "text_chem", "full_text", "sequence", "seqmotif", "structure", "strucmotif", "chemical")


def check_request(raw: dict[str, Any]) -> None:
    """Raise a `ValueError` unless it has the shape of a query node or a request of search.rcsb.org."""
    if "query" in raw:
        unknown = sorted(raw.keys() - {"query", "return_type", "request_options", "request_info"})
        if unknown:
            raise ValueError(f"raw.{unknown[0]}: a request has query, return_type and request_options")
        if raw.get("return_type", "entry") not in RETURN_TYPES:
            raise ValueError(f"raw.return_type: {raw['return_type']!r} is none of {', '.join(RETURN_TYPES)}")
        if not isinstance(raw.get("request_options", {}), dict):
            raise ValueError("raw.request_options: it is no mapping")
    _check_node(raw.get("query", raw), "raw.query" if "query" in raw else "raw")


def _check_node(node: Any, where: str, depth: int = 0) -> None:
    kind = node.get("type") if isinstance(node, dict) else None
    if depth > 20:
        raise ValueError(f"{where}: groups are nested more than 20 deep")
    if kind == "terminal":
        if node.get("service") not in SERVICES:
            raise ValueError(f"{where}.service: {node.get('service')!r} is none of {', '.join(SERVICES)}")
        if not isinstance(node.get("parameters", {}), dict):
            raise ValueError(f"{where}.parameters: it is no mapping")
    elif kind == "group":
        if node.get("logical_operator") not in ("and", "or"):
            raise ValueError(f"{where}.logical_operator: {node.get('logical_operator')!r} is neither 'and' nor 'or'")
        if not isinstance(node.get("nodes"), list) or not node["nodes"]:
            raise ValueError(f"{where}.nodes: a group needs a list of nodes")
        for number, member in enumerate(node["nodes"]):
            _check_node(member, f"{where}.nodes.{number}", depth + 1)
    else:
        raise ValueError(f"{where}.type: {kind!r} is neither 'terminal' nor 'group'")


class RcsbSettings(Settings):
    """Entries of the PDB, by id, by search, or both."""

    ids: list[str] = Field(default_factory=list)
    """PDB ids, of four characters or extended (pdb_00001abc), in any case; those of withdrawn entries are replaced by
    their successors."""
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
    sifts: str | None = Field(default=None, min_length=1)
    """Which residues of a PDB chain are which of a UniProt entry: "download" for the table of SIFTS, or the path of a
    local pdb_chain_uniprot.csv.gz or .tsv.gz; null for what the structure files say themselves."""
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
    """UniProt accessions; a withdrawn one is replaced by its successors. Not isoforms: give those in a FASTA file."""
    query: str | None = Field(default=None, min_length=1)
    """A UniProtKB query, e.g. "reviewed:true AND organism_id:83333"; it is asked anew each time this is fetched."""

    @field_validator("accessions")
    @classmethod
    def _whole_entries(cls, given: list[str]) -> list[str]:
        for text in given:
            entry, dash, number = text.partition("-")
            if dash and accession(entry) and number.isdigit():
                raise ValueError(f"{text} is an isoform; write the entry {entry}, or give its sequence in a FASTA file")
        return given


class SequencesSettings(Settings):
    """Sequences that alignments search and a small trunk is pretrained on."""

    files: list[str] = Field(default_factory=list)
    """Glob patterns of FASTA files, gzip-compressed or not."""
    uniprot: UniprotSettings = UniprotSettings()
    """Sequences of UniProtKB."""
    limit: int | None = Field(default=None, ge=1)
    """Take at most this many sequences: a subsample that depends on nothing but their ids. A query is read only so far
    that it alone would suffice."""

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not (self.files or self.uniprot.accessions or self.uniprot.query):
            raise ValueError("name at least one of files, uniprot.accessions and uniprot.query")
        return self


class ServicesSettings(Settings):
    """Base URL of each service: its own, or a mirror's. Only https, except on this very machine."""

    rcsb_files: str = "https://files.rcsb.org/download"
    """Structure files of the PDB."""
    rcsb_search: str = "https://search.rcsb.org/rcsbsearch/v2/query"
    """The PDB's search."""
    rcsb_data: str = "https://data.rcsb.org"
    """The PDB's data service: release dates of what a search finds, and what replaced a withdrawn entry."""
    alphafold: str = "https://alphafold.ebi.ac.uk/api/prediction"
    """The AlphaFold database's entries."""
    uniprot: str = "https://rest.uniprot.org/uniprotkb"
    """UniProtKB."""
    sifts: str = "https://ftp.ebi.ac.uk/pub/databases/msd/sifts/flatfiles/csv/pdb_chain_uniprot.csv.gz"
    """The table of SIFTS."""
    colabfold: str = "https://api.colabfold.com"
    """ColabFold's MSA server, asked only with `msa.database: colabfold`. The public one makes a few thousand alignments
    a day for all its users; a server of your own has no such limit."""


class FetchSettings(Settings):
    """Shards, manners and bounds of fetching."""

    shard_size: int = Field(default=512, ge=1, le=10000)
    """Structures in a shard. The 400,000 entries that hold a million chains are then 4,000 jobs of all stages; for a
    million models of one chain each take 1,280."""
    label_shard_size: int = Field(default=2048, ge=1, le=1000000)
    """Labelled sequences in a shard."""
    timeout: float = Field(default=60, gt=0, le=3600)
    """Seconds without a byte before an attempt is given up."""
    retries: int = Field(default=5, ge=0, le=20)
    """Further attempts after one that failed for a passing reason."""
    backoff: float = Field(default=1, gt=0, le=120)
    """Seconds before the first retry; they double with each, with a random part, up to two minutes."""
    connections: int = Field(default=4, ge=1, le=32)
    """Downloads at a time in one job."""
    contact: str = Field(default="", max_length=200, pattern=r"^[ -~]*$")
    """An e-mail or web address in ASCII, sent in the User-Agent so that a service can reach you."""
    max_file_mb: int = Field(default=256, ge=1, le=65536)
    """Largest file taken, in megabytes as it arrives."""
    max_decompressed_mb: int = Field(default=1024, ge=1, le=65536)
    """Largest file taken, in megabytes after decompression."""
    refreshed_after: date | None = None
    """Ask again for what was last downloaded or confirmed before this day (UTC); only what changed is downloaded: of
    UniProt, all entries if there has been a new release, else none."""
    services: ServicesSettings = ServicesSettings()
    """Base URLs."""

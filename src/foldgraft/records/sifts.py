"""Which residues of a PDB chain are which of a UniProt entry, by SIFTS: `fetch/sifts.parquet`, sorted by entry."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from foldgraft.records.tables import read_selected

SEGMENT = [
    pa.field("accession", pa.string(), nullable=False),
    pa.field("label_start", pa.int32()),
    pa.field("label_end", pa.int32()),
    pa.field("auth_start", pa.string()),
    pa.field("auth_end", pa.string()),
    pa.field("uniprot_start", pa.int32()),
    pa.field("uniprot_end", pa.int32()),
]
SCHEMA = pa.schema(
    [pa.field("entry", pa.string(), nullable=False), pa.field("auth_asym_id", pa.string(), nullable=False), *SEGMENT],
    metadata={
        "entry": "PDB id in lower case; rows are sorted by it",
        "auth_asym_id": "chain as the authors name it",
        "accession": "UniProt accession",
        "label_start": "first residue of the segment, counted from 1 along SEQRES (RES_BEG); label_end the last",
        "auth_start": "its author number with insertion code, null where the residue has none; auth_end likewise",
        "uniprot_start": "the same residue's number in UniProt's sequence; uniprot_end that of the last",
    },
)
ROW_GROUP = 4096
"""Rows to write together: what a reader of one entry takes in."""


class Segment(NamedTuple):
    """A stretch of a chain that is a stretch of a UniProt entry; ends included, numbers as in the schema's metadata."""

    accession: str
    label_start: int | None
    label_end: int | None
    auth_start: str | None
    auth_end: str | None
    uniprot_start: int | None
    uniprot_end: int | None
    origin: str = "sifts"  # sifts; else what a structure file says of itself: mmcif, struct_ref or dbref


def read_segments(path: Path, entries: Iterable[str]) -> dict[tuple[str, str], list[Segment]]:
    """Segments of the entries asked for, by (entry in lower case, auth_asym_id), in the order of the table.

    Row groups that hold none of the entries are not read.

    Raises
    ------
    FoldgraftError
        if the file is no such table.
    """
    table = read_selected(path, SCHEMA, "entry", {entry.lower() for entry in entries})
    segments: dict[tuple[str, str], list[Segment]] = {}
    for row in table.to_pylist():
        key = row.pop("entry"), row.pop("auth_asym_id")
        segments.setdefault(key, []).append(Segment(**row))
    return segments

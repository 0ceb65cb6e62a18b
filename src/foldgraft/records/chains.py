"""Protein chains: `curate/chains/<shard>.parquet`, one row per chain."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from foldgraft.errors import FoldgraftError
from foldgraft.records.sifts import SEGMENT, Segment
from foldgraft.records.tables import read_arrays
from foldgraft.residues import ATOMS

ORIGIN = pa.field("origin", pa.string(), nullable=False)
SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("entry", pa.string(), nullable=False),
        pa.field("label_asym_id", pa.string(), nullable=False),
        pa.field("auth_asym_id", pa.string()),
        pa.field("entity", pa.string()),
        pa.field("sequence", pa.string(), nullable=False),
        pa.field("sequence_sha256", pa.string(), nullable=False),
        pa.field("resolved", pa.list_(pa.bool_()), nullable=False),
        pa.field("label_seq_id", pa.list_(pa.int32()), nullable=False),
        pa.field("auth_seq_id", pa.list_(pa.string()), nullable=False),
        pa.field("coordinates", pa.list_(pa.float32()), nullable=False),
        pa.field("b_factor", pa.list_(pa.float32()), nullable=False),
        pa.field("method", pa.string()),
        pa.field("resolution", pa.float32()),
        pa.field("r_free", pa.float32()),
        pa.field("released", pa.string()),
        pa.field("revised", pa.string()),
        pa.field("models", pa.int32(), nullable=False),
        pa.field("uniprot", pa.string()),
        pa.field("uniprot_segments", pa.list_(pa.struct([*SEGMENT, ORIGIN])), nullable=False),
        pa.field("organism", pa.string()),
        pa.field("same_as", pa.string()),
        pa.field("source", pa.string(), nullable=False),
    ],
    metadata={
        "sequence": "SEQRES, one letter per residue, modified residues as their parents, X where unknown",
        "resolved": "(L,) true where the residue has a CA with coordinates",
        "label_seq_id": "(L,) number of the residue in SEQRES, from 1",
        "auth_seq_id": "(L,) author residue number with insertion code; of an unresolved residue what the file's table "
        "of the polymer says, empty where it says nothing",
        "coordinates": f"(L, {len(ATOMS)}, 3) float32, angstrom, row-major, NaN where unresolved; "
        f"atoms: {' '.join(ATOMS)}",
        "b_factor": "(L,) of the CA: B-factor in square angstrom, or pLDDT (0-100) of predicted models; NaN unresolved",
        "resolution": "angstrom",
        "r_free": "fraction, of the refinement stated first",
        "released": "ISO date of the first release",
        "revised": "ISO date of the last revision",
        "models": "in the file; coordinates are those of the first",
        "uniprot": "accessions, comma-separated where there are several",
        "uniprot_segments": "stretches of the chain that are stretches of a UniProt entry, ends included: accession, "
        "label and author numbers, UniProt's numbers, origin (sifts: the SIFTS table; mmcif: the file's SIFTS table; "
        "struct_ref, dbref: the depositor's reference)",
        "same_as": "id of the first chain of the entry with the same sequence, null for that one itself",
        "source": "which input the entry came from: files, rcsb, alphafold or synth",
    },
)


@dataclass(frozen=True)
class Chain:
    """One protein chain; the shapes and units are those of the schema's metadata."""

    id: str
    entry: str
    label_asym_id: str
    auth_asym_id: str | None
    entity: str | None
    sequence: str
    sequence_sha256: str
    resolved: np.ndarray  # (L,) bool
    label_seq_id: np.ndarray  # (L,) int32
    auth_seq_id: list[str]  # (L,)
    coordinates: np.ndarray  # (L, 37, 3) float32, angstrom
    b_factor: np.ndarray  # (L,) float32
    method: str | None
    resolution: float | None
    released: str | None
    uniprot: str | None
    organism: str | None
    source: str
    r_free: float | None = None
    revised: str | None = None
    models: int = 1
    uniprot_segments: Sequence[Segment] = ()
    same_as: str | None = None

    def __len__(self) -> int:
        return len(self.sequence)

    def row(self) -> dict[str, Any]:
        """The chain as a row of the table."""
        segments = [segment._asdict() for segment in self.uniprot_segments]
        return vars(self) | {
            "coordinates": self.coordinates.astype(np.float32, copy=False).ravel(),
            "uniprot_segments": segments,
        }


def read_chains(path: Path) -> Iterator[Chain]:
    """Yield the chains of a shard with a few in memory at a time.

    Raises
    ------
    FoldgraftError
        if the file is no such table, or a row's arrays are not as long as its sequence.
    """
    for row in read_arrays(path, SCHEMA):
        length = len(row["sequence"])
        sizes = [len(row[name]) for name in ("resolved", "label_seq_id", "auth_seq_id", "b_factor", "coordinates")]
        if sizes != [length, length, length, length, length * len(ATOMS) * 3]:
            raise FoldgraftError(f"{path}: the arrays of {row['id']} do not fit its sequence; rerun the curate stage")
        row["resolved"] = np.array(row["resolved"], dtype=bool)
        row["label_seq_id"] = np.array(row["label_seq_id"], dtype=np.int32)
        row["b_factor"] = np.array(row["b_factor"], dtype=np.float32)
        row["coordinates"] = np.array(row["coordinates"], dtype=np.float32).reshape(length, len(ATOMS), 3)
        row["uniprot_segments"] = tuple(Segment(**segment) for segment in row["uniprot_segments"])
        yield Chain(**row)

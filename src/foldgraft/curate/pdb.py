"""Legacy PDB files to an entry: the atoms of the first model, SEQRES, and what the head says of the entry."""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

import numpy as np

from foldgraft.curate.entry import MISSING, Declared, Entry, Header, Residues, Strand, text
from foldgraft.curate.model import Model
from foldgraft.curate.pdb_atoms import read_model
from foldgraft.curate.polymers import find_polymers
from foldgraft.curate.predicted import stated
from foldgraft.curate.residue_names import only_parents
from foldgraft.curate.strands import pdb_strands
from foldgraft.curate.uniprot import dbref_segments, pdb_organisms

FREE_R = re.compile(rb"^REMARK   3 +FREE R VALUE *(?:\(NO CUTOFF\))? *: *(0?\.[0-9]+)", re.MULTILINE)
RESOLUTION = (
    re.compile(rb"^REMARK   2 RESOLUTION\. +([0-9.]+) +ANGSTROM", re.MULTILINE),
    re.compile(rb"^REMARK   3 +RESOLUTION RANGE HIGH \(ANGSTROMS\) *: *([0-9.]+)", re.MULTILINE),
)
SPEAKING = (b"HEADE", b"TITLE", b"COMPN", b"REMAR", b"PAREN", b"AUTHO", b"CAVEA")
"""Records that may name a predictor."""


def read_pdb(content: bytes) -> Entry:
    """Read the first model of a PDB file.

    Raises
    ------
    UnreadableError
        if no atom record holds coordinates, or the file is PQR.
    """
    pdb = read_model(content)
    records = _records(pdb.lines)
    parents = only_parents((text(line[12:15]).strip(), text(line[24:27])) for line in records[b"MODRE"])
    sequences = _seqres(records[b"SEQRE"])
    strands, which, late = pdb_strands(pdb, sequences, parents)
    residues = Residues(
        strand=which,
        name=pdb.residues.name,
        number=np.full(len(which), MISSING, dtype=np.int64),
        author=pdb.residues.author,
        author_number=pdb.residues.number,
        hetero=pdb.residues.hetero,
        late=late,
        start=pdb.residues.start,
    )
    model = Model(pdb.atoms, residues, parents)
    polymers, others = find_polymers(model, strands, _declared(strands, sequences))
    segments, organism = dbref_segments(records[b"DBREF"]), pdb_organisms(records[b"COMPN"] + records[b"SOURC"])
    polymers = [
        replace(
            polymer,
            segments=segments.get(polymer.strand.auth_asym_id or " ", ()),
            organism=organism.get(polymer.strand.auth_asym_id or " ", organism.get("")),
        )
        for polymer in polymers
    ]
    return Entry(
        _header(records, pdb.models), pdb.atoms, residues, strands, model.amino, polymers, others, parents=parents
    )


def _records(lines: list[bytes]) -> dict[bytes, list[bytes]]:
    """The lines by the first five letters of their record."""
    records: dict[bytes, list[bytes]] = defaultdict(list)
    for line in lines:
        records[line[:5]].append(line)
    return records


def _seqres(lines: list[bytes]) -> dict[str, list[str]]:
    """SEQRES by chain name."""
    found: dict[str, list[str]] = {}
    for line in map(text, lines):
        if line[:6] == "SEQRES" and (monomers := line[19:70].split()):
            found.setdefault(line[10:12].strip(), []).extend(monomers)
    return found


def _declared(strands: list[Strand], sequences: Mapping[str, list[str]]) -> dict[int, Declared]:
    return {
        index: Declared(monomers, np.arange(1, len(monomers) + 1))
        for index, strand in enumerate(strands)
        if (monomers := sequences.get(strand.auth_asym_id))
    }


def _header(records: Mapping[bytes, list[bytes]], models: int) -> Header:
    method = "".join(text(line[10:79]).rstrip() for line in records[b"EXPDT"])
    remarks = "" if method else "\n".join(text(line) for record in SPEAKING for line in records[record])
    dated = [(text(line[7:10]).strip(), _date(line[13:22])) for line in records[b"REVDA"]]
    numbered = b"\n".join(line for line in records[b"REMAR"] if line[:10] in (b"REMARK   2", b"REMARK   3"))
    free = FREE_R.search(numbered)
    return Header(
        method=stated(method, remarks),
        resolution=next(filter(None, (_resolution(pattern.search(numbered)) for pattern in RESOLUTION)), None),
        released=next((date for number, date in dated if number == "1" and date), None),
        revised=max((date for _, date in dated if date), default=None),
        r_free=(float(free[1]) or None) if free else None,
        models=models,
    )


def _resolution(match: re.Match[bytes] | None) -> float | None:
    try:
        value = float(match[1]) if match else 0.0
    except ValueError:  # as 1.2.3
        return None
    return value if 0 < value < 1000 else None


def _date(field: bytes) -> str | None:
    """ISO date of a `01-JAN-90`; years from 70 on are of the last century, as the archive began in 1971."""
    try:
        day = datetime.strptime(text(field).strip().title(), "%d-%b-%y")
    except ValueError:
        return None
    century = 1900 if day.year % 100 >= 70 else 2000
    return day.replace(year=century + day.year % 100).date().isoformat()

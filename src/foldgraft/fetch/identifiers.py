"""Identifiers of entries: their syntax, and the one spelling under which each is known."""

import re
from pathlib import Path

PDB = re.compile(r"(?:pdb_0000)?([1-9][a-z0-9]{3})")
EXTENDED_PDB = re.compile(r"pdb_[a-z0-9]{8}")
ACCESSION = re.compile(r"[OPQ][0-9][A-Z0-9]{3}[0-9]|[A-NR-Z][0-9](?:[A-Z][A-Z0-9]{2}[0-9]){1,2}")
"""uniprot.org/help/accession_numbers"""
SUFFIXES = re.compile(r"(?:\.(?:cif|mmcif|pdb\d*|ent\d*))?(?:\.gz)?$", re.IGNORECASE)


def pdb_id(text: str) -> str | None:
    """The lower-case PDB id, of four characters where it has such a form; None if `text` is none."""
    lower = text.strip().lower()
    short = PDB.fullmatch(lower)
    if short:
        return short.group(1)
    return lower if EXTENDED_PDB.fullmatch(lower) else None


def accession(text: str) -> str | None:
    """The upper-case UniProt accession; None if `text` is none."""
    upper = text.strip().upper()
    return upper if ACCESSION.fullmatch(upper) else None


def alphafold_entry(name: str) -> str:
    """Entry id of an accession's model in the AlphaFold database."""
    return f"AF-{name}-F1"


def file_entry(path: Path) -> str:
    """Entry id of a local file: its name without .cif, .mmcif, .pdb or .ent, and .gz."""
    return SUFFIXES.sub("", path.name)

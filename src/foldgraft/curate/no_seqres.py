"""Protein chains of files without SEQRES: the sequence is read off the coordinates and its gaps are marked.

Decisions
---------
- A residue counts if it has a CA and is an amino acid by the tables, or has N, CA and C; calcium ions do not.
- Two residues are joined where C and N are at most 2.5 angstrom apart or CA and CA at most 4.5, whatever their numbers
  say: many numbering schemes jump without a gap, and nothing fits between two CA that near.
- Where they are not joined, a jump of n in the author's numbers stands for n - 1 missing residues, unresolved X.
  A jump of more than 101, a jump backwards, or none at all is one X, so that the break stays visible.
"""

from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from foldgraft.curate.entry import Atoms, Polymer, text
from foldgraft.curate.residue_names import is_amino_acid

BOND = 2.5  # angstrom, C to N; a peptide bond is 1.33
STEP = 4.5  # angstrom, CA to CA; 3.8 across a trans peptide bond, at least 5 with a residue between
WIDEST = 100  # residues; what a larger jump means is anyone's guess


class Residue(NamedTuple):
    """A run of atoms with one author number: its name, its number, its atoms from start to stop."""

    name: str
    number: int | None
    start: int
    stop: int
    points: dict[bytes, np.ndarray]  # N, CA, C: (3,) angstrom


def polymers_from_atoms(atoms: Atoms, parents: dict[str, str]) -> tuple[Atoms, list[Polymer]]:
    """Number the residues of each chain along its coordinates.

    Parameters
    ----------
    atoms : Atoms
        those to be numbered have the `number` 0; where none has, all
    parents : dict
        modified residue: parent

    Returns
    -------
    atoms : Atoms
        the same, with `number` counted from 1 along each chain read off, and -1 where it was 0 outside of them
    polymers : list of Polymer
        one per protein chain
    """
    eligible = atoms.number == 0
    if not eligible.any():
        eligible = np.ones(len(atoms), dtype=bool)
    number = np.where(eligible, -1, atoms.number)
    chosen = np.flatnonzero(eligible)
    polymers = []
    for asym, found in atoms.take(chosen).by_asym().items():
        members = chosen[found]
        chain = [residue for residue in _residues(atoms.take(members)) if _in_protein(residue, parents)]
        monomers: list[str] = []
        for before, residue in zip([None, *chain], chain, strict=False):
            monomers += [""] * (missing_between(before, residue) if before else 0) + [residue.name or "UNK"]
            number[members[residue.start : residue.stop]] = len(monomers)
        if chain:
            polymers.append(
                Polymer(
                    label_asym_id=text(asym),
                    auth_asym_id=text(atoms.auth_asym[members[0]]) or None,
                    entity=text(atoms.entity[members[0]]) or None,
                    monomers=monomers,
                    numbers=np.arange(1, len(monomers) + 1),
                    declared=False,
                )
            )
    return replace(atoms, number=number), polymers


def _residues(atoms: Atoms) -> list[Residue]:
    changes = (atoms.auth_number[1:] != atoms.auth_number[:-1]) | (atoms.insertion[1:] != atoms.insertion[:-1])
    edges = np.flatnonzero(np.concatenate([[True], changes, [True]])).tolist()
    residues = []
    for start, stop in pairwise(edges):
        points: dict[bytes, np.ndarray] = {}
        for at in range(start, stop):
            if atoms.name[at] in (b"N", b"CA", b"C"):
                points.setdefault(atoms.name[at], atoms.position[at])
        residues.append(Residue(text(atoms.residue[start]), _integer(atoms.auth_number[start]), start, stop, points))
    return residues


def _integer(value: bytes) -> int | None:
    try:
        return int(value)
    except ValueError:
        return None


def _in_protein(residue: Residue, parents: dict[str, str]) -> bool:
    if b"CA" not in residue.points:
        return False
    return len(residue.points) == 3 or is_amino_acid(residue.name) or residue.name in parents


def missing_between(before: Residue, after: Residue) -> int:
    """How many unresolved residues to mark between two that follow each other in the file."""
    if _joined(before, after):
        return 0
    if before.number is None or after.number is None:
        return 1
    jump = after.number - before.number
    return jump - 1 if 1 < jump <= WIDEST + 1 else 1


def _joined(before: Residue, after: Residue) -> bool:
    pairs = ((b"CA", b"CA", STEP), (b"C", b"N", BOND))
    return any(
        a in before.points and b in after.points and np.linalg.norm(before.points[a] - after.points[b]) <= cutoff
        for a, b, cutoff in pairs
    )

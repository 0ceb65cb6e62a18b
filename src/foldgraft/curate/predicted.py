"""Predicted models, and whether their B-factors are pLDDT.

Decisions
---------
- A model is predicted if the file says so: THEORETICAL MODEL as the method, tables of ModelCIF (`_ma_...`), or, where
  no method is stated, the name of a predictor or of pLDDT in its title or remarks (PARENT N/A, as ESMFold writes).
- pLDDT is a number from 0 to 100. Where no CA of a predicted model has more than 1, they are fractions and are scaled.
- Where B-factors are all zero, negative or beyond 100, they are no pLDDT.
- A file that names no method at all may hold either. Its B-factors count as pLDDT if all atoms of a residue have one
  value, residues have several, and they lie in one of the two ranges. Else it cannot be known.
"""

import re
from typing import NamedTuple

import numpy as np

from foldgraft.curate.atom_site import numbers
from foldgraft.curate.entry import Atoms, Entry
from foldgraft.residues import ATOM_INDEX

PREDICTED = "PREDICTED"
THEORETICAL = "THEORETICAL MODEL"
PREDICTORS = re.compile(
    r"ALPHAFOLD|COLABFOLD|ESMFOLD|OPENFOLD|OMEGAFOLD|ROSETTAFOLD|HELIXFOLD|UNIFOLD|\bBOLTZ|\bCHAI-1|\bPLDDT\b"
    r"|PARENT +N/A"
)


class Confidence(NamedTuple):
    """By what B-factors are multiplied to be pLDDT of 0 to 100; None with the reason where they are none."""

    scale: float | None
    reason: str = ""


def stated(method: str, remarks: str) -> str | None:
    """The method of an entry, PREDICTED for models; `remarks` is what a file without a method says of itself."""
    method = method.strip().upper()
    if method == THEORETICAL or (not method and PREDICTORS.search(remarks.upper())):
        return PREDICTED
    return method or None


def scale(atoms: Atoms) -> Confidence:
    """The scale of a predicted model's pLDDT."""
    values = numbers(atoms.b_factor[atoms.kind == ATOM_INDEX["CA"]])
    values = values[np.isfinite(values)]
    if not len(values) or not values.any():
        return Confidence(None, "the predicted model states no pLDDT: its B-factors are zero or absent")
    if values.min() < 0 or values.max() > 100:
        return Confidence(None, "the B-factors of the predicted model are no pLDDT: they are not from 0 to 100")
    return Confidence(100.0 if values.max() <= 1 else 1.0)


def confidence(entry: Entry) -> Confidence | None:
    """What the B-factors of an entry are; None for an experimental one."""
    if entry.header.method == PREDICTED:
        return scale(entry.atoms)
    if entry.header.method is not None:
        return None
    assumed = scale(entry.atoms)
    if assumed.scale is not None and _one_per_residue(entry.atoms):
        return assumed
    return Confidence(None, "the file names no method, and its B-factors do not look like pLDDT, so it cannot be known")


def _one_per_residue(atoms: Atoms) -> bool:
    same = atoms.residue[1:] == atoms.residue[:-1]
    equal = atoms.b_factor[1:] == atoms.b_factor[:-1]
    return bool(equal[same].all()) and bool(same.any()) and not bool(equal.all())

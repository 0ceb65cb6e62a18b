"""From residue names to letters, and from atom names to places in the coordinate array.

Decisions
---------
- A modified residue is written as its parent. The file's own tables are asked first (`_pdbx_struct_mod_residue`,
  `_chem_comp.mon_nstd_parent_comp_id`, MODRES), then gemmi's excerpt of the chemical component dictionary.
- A residue that has several parents, such as the chromophore CRO made of three residues, has no letter of its own: X.
- Selenocysteine is U and pyrrolysine is O, as sequence databases write them; ASX is B, GLX is Z, UNK is X.
- D-amino acids in an L-polypeptide take the letter of their mirror image.
- Only atoms that the parent has are placed. Selenium stands in for the sulphur of its parent.
"""

from collections.abc import Iterable
from functools import lru_cache

import gemmi
import numpy as np

from foldgraft.residues import ATOM_INDEX, ATOMS, SIDE_CHAIN, THREE_TO_ONE

LETTERS = THREE_TO_ONE | {"SEC": "U", "PYL": "O", "ASX": "B", "GLX": "Z", "UNK": "X"}
BACKBONE = ("N", "CA", "C", "O", "OXT")
PLACED = SIDE_CHAIN | {"U": "CB SG", "O": "CB CG CD CE NZ", "B": "CB CG", "Z": "CB CG CD", "X": "CB"}
"""Side-chain atoms placed for each letter."""
LETTER_ORDER = "".join(sorted(PLACED))
PLACES = np.array([[a in (*BACKBONE, *PLACED[x].split()) for a in ATOMS] for x in LETTER_ORDER])  # (25, 37) bool
SELENIUM = {"M": ATOM_INDEX["SD"], "C": ATOM_INDEX["SG"], "U": ATOM_INDEX["SG"]}

_SORTED_NAMES = np.array(sorted(name.encode() for name in ATOMS))
_SORTED_PLACE = np.array([ATOM_INDEX[name.decode()] for name in _SORTED_NAMES])


def only_parents(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Parent of each modified residue, from (name, parents) as a file's tables pair them; '' if there are several."""
    parents: dict[str, set[str]] = {}
    for name, stated in pairs:
        if stated:
            parents.setdefault(name, set()).update(stated.upper().replace(",", " ").split())
    return {name: next(iter(found)) if len(found) == 1 else "" for name, found in parents.items()}


def letter(name: str, parents: dict[str, str]) -> str:
    """One letter for a residue name, X where nothing is known of it."""
    if name in LETTERS:
        return LETTERS[name]
    parent = parents.get(name)
    if parent is None:
        return tabulated(name)
    return LETTERS.get(parent) or tabulated(parent)


@lru_cache(maxsize=4096)
def tabulated(name: str) -> str:
    """The parent's letter by gemmi's table of components, X if it is no amino acid there."""
    component = gemmi.find_tabulated_residue(name)
    code = component.one_letter_code.upper()
    return code if component.is_amino_acid() and code in PLACED else "X"


def is_amino_acid(name: str) -> bool:
    """Whether gemmi's table of components calls it an amino acid (in either hand, or modified)."""
    return gemmi.find_tabulated_residue(name).is_amino_acid()


def atom_places(names: np.ndarray, letters: np.ndarray) -> np.ndarray:
    """Column of the coordinate array for each atom of a residue with this letter.

    Parameters
    ----------
    names : (A,) bytes
        atom names
    letters : (A,) uint8
        index into `LETTER_ORDER` of the residue's letter

    Returns
    -------
    (A,) int64, -1 for atoms that are not placed, hydrogens among them.
    """
    spot = np.minimum(np.searchsorted(_SORTED_NAMES, names), len(_SORTED_NAMES) - 1)
    place = np.where(_SORTED_NAMES[spot] == names, _SORTED_PLACE[spot], -1)
    for one, column in SELENIUM.items():
        place[(names == b"SE") & (letters == LETTER_ORDER.index(one))] = column
    return np.where((place >= 0) & PLACES[letters, place], place, -1)

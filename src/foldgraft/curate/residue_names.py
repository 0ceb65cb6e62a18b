"""From residue names to letters, and from atom names to columns of the coordinate array.

Decisions
---------
- A modified residue is written as its parent. The file's own tables are asked first (`_pdbx_struct_mod_residue`,
  `_chem_comp.mon_nstd_parent_comp_id`, MODRES), then the names that force fields use, then gemmi's excerpt of the
  chemical component dictionary.
- A residue that has several parents, such as the chromophore CRO made of three residues, has no letter of its own: X.
- Selenocysteine is U and pyrrolysine is O, as sequence databases write them; ASX is B, GLX is Z, UNK is X.
- D-amino acids in an L-polypeptide take the letter of their mirror image.
- Only atoms that the parent has are placed. Selenium stands in for the sulphur of its parent, CD of an isoleucine for
  CD1, and the terminal oxygens of force fields (OT1, OT2) for O and OXT.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

import gemmi
import numpy as np

from foldgraft.residues import ATOM_INDEX, ATOMS, SIDE_CHAIN, THREE_TO_ONE

LETTERS = THREE_TO_ONE | {"SEC": "U", "PYL": "O", "ASX": "B", "GLX": "Z", "UNK": "X"}
FORCE_FIELD = {
    "H": "HID HIE HIP HSD HSE HSP HISA HISB HISD HISE HISH HISP HIS1 HIS2 HISN HSDP",
    "C": "CYX CYM CYN CYSH CYS1 CYS2 CYSX CYSD",
    "D": "ASH ASPH ASPP",
    "E": "GLH GLUH GLUP",
    "K": "LYN LYSH LYSN LSN LYP",
    "R": "ARN ARGN",
    "Y": "TYM TYRM",
}
"""Residue names of Amber, CHARMM, GROMOS and OPLS for protonation states and disulphides."""
ALIASES = {name: letter for letter, names in FORCE_FIELD.items() for name in names.split()}
BACKBONE = ("N", "CA", "C", "O", "OXT")
PLACED = SIDE_CHAIN | {"U": "CB SG", "O": "CB CG CD CE NZ", "B": "CB CG", "Z": "CB CG CD", "X": "CB"}
"""Side-chain atoms placed for each letter."""
LETTER_ORDER = "".join(sorted(PLACED))
SELENIUM = {"M": ATOM_INDEX["SD"], "C": ATOM_INDEX["SG"], "U": ATOM_INDEX["SG"]}

KINDS = (*ATOMS, "SE")
"""Atoms with a column in the coordinate array, and selenium."""
OTHER, HYDROGEN = -1, -2
SPELLINGS = {"OT1": "O", "OT2": "OXT", "OC1": "O", "OC2": "OXT"}


def _columns() -> np.ndarray:
    """(25, 40) column of the coordinate array by letter and kind of atom, -1 where it has none."""
    columns = np.full((len(LETTER_ORDER), len(KINDS) + 2), -1, dtype=np.int64)  # the last two: HYDROGEN and OTHER
    for row, letter in enumerate(LETTER_ORDER):
        for name in (*BACKBONE, *PLACED[letter].split()):
            columns[row, ATOM_INDEX[name]] = ATOM_INDEX[name]
        columns[row, KINDS.index("SE")] = SELENIUM.get(letter, -1)
    columns[LETTER_ORDER.index("I"), ATOM_INDEX["CD"]] = ATOM_INDEX["CD1"]
    return columns


COLUMNS = _columns()


def only_parents(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Parent of each modified residue, from (name, parents) as a file's tables pair them; '' if there are several."""
    parents: dict[str, set[str]] = {}
    for name, stated in pairs:
        if stated:
            parents.setdefault(name, set()).update(stated.upper().replace(",", " ").split())
    return {name: next(iter(names)) if len(names) == 1 else "" for name, names in parents.items()}


def letter(name: str, parents: Mapping[str, str]) -> str:
    """One letter for a residue name, X where nothing is known of it."""
    if name in LETTERS:
        return LETTERS[name]
    parent = parents.get(name)
    if parent is None:
        return tabulated(name)
    return LETTERS.get(parent) or tabulated(parent)


@lru_cache(maxsize=4096)
def tabulated(name: str) -> str:
    """The parent's letter by the names of force fields and gemmi's table of components, X if it is no amino acid."""
    if known := force_field(name):
        return known
    component = gemmi.find_tabulated_residue(name)
    code = component.one_letter_code.upper()
    return code if component.is_amino_acid() and code in PLACED else "X"


def force_field(name: str) -> str | None:
    """The letter of a force field's name; a terminal residue is N or C and its name (NALA, CHIE)."""
    if name in ALIASES:
        return ALIASES[name]
    if len(name) == 4 and name[0] in "NC":
        return THREE_TO_ONE.get(name[1:]) or ALIASES.get(name[1:])
    return None


@lru_cache(maxsize=4096)
def is_amino_acid(name: str) -> bool:
    """Whether it is the name of an amino acid (in either hand, modified, or a force field's)."""
    return name in LETTERS or force_field(name) is not None or gemmi.find_tabulated_residue(name).is_amino_acid()


@lru_cache(maxsize=4096)
def is_mirrored(name: str) -> bool:
    """Whether it is the name of a D-amino acid."""
    return gemmi.find_tabulated_residue(name).kind == gemmi.ResidueKind.AAD


@lru_cache(maxsize=4096)
def _kind(raw: bytes) -> int:
    name = raw.strip(b" \0").decode("latin-1")
    name = SPELLINGS.get(name, name)
    if name in ATOM_INDEX:
        return ATOM_INDEX[name]
    if name == "SE":
        return KINDS.index("SE")
    return HYDROGEN if name.lstrip("0123456789'\"*")[:1] in ("H", "D") else OTHER


def _known_names() -> tuple[np.ndarray, np.ndarray]:
    """Names of atoms with a column, of four bytes as both formats write them, sorted as numbers, and their kinds."""
    known = {}
    for name in (*KINDS, *SPELLINGS):
        for spelled in (name, name.ljust(4), f" {name}".ljust(4)):
            if len(spelled) <= 4:
                known[int.from_bytes(spelled.encode().ljust(4, b"\0"), "little")] = _kind(name.encode())
    codes = np.array(sorted(known), dtype="<u4")
    return codes, np.array([known[code] for code in codes.tolist()], dtype=np.int64)


KNOWN_NAMES, KNOWN_KINDS = _known_names()


def kinds(names: np.ndarray) -> np.ndarray:
    """(A,) int64 kind of each atom by its name, (A,) bytes: index of `KINDS`, HYDROGEN or OTHER."""
    if names.dtype.itemsize > 4:
        return _each_kind(names)
    codes = names.astype("S4", copy=False).view("<u4")
    at = np.minimum(np.searchsorted(KNOWN_NAMES, codes), len(KNOWN_NAMES) - 1)
    kind = KNOWN_KINDS[at]
    unknown = np.flatnonzero(KNOWN_NAMES[at] != codes)
    if len(unknown):
        kind[unknown] = _each_kind(names[unknown])
    return kind


def _each_kind(names: np.ndarray) -> np.ndarray:
    different, which = np.unique(names, return_inverse=True)
    return np.array([_kind(name) for name in different.tolist()], dtype=np.int64)[which]


def amino_acids(names: Sequence[str], parents: Mapping[str, str]) -> np.ndarray:
    """(R,) bool, whether each residue is an amino acid by its name."""
    known = {name: is_amino_acid(name) or is_amino_acid(parents.get(name) or "") for name in set(names)}
    if all(known.values()):
        return np.ones(len(names), dtype=bool)
    return np.array([known[name] for name in names], dtype=bool)

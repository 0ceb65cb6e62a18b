"""The atom records of a legacy PDB file as columns, cut at their fixed places for all lines at once.

Decisions
---------
- The first model ends at its ENDMDL or at the next MODEL.
- A coordinate that is no number is NaN, so that the atom is counted and has no place.
- A blank occupancy is unstated, so 1.
- A fourth letter behind the residue name belongs to the name where all such names are known ones of four letters, else
  to the chain.
- Columns 73 to 80 hold segments, elements and charges, or in files of before 1996 the entry's id and line numbers. Only
  segments are read.
"""

import re
from typing import NamedTuple

import numpy as np

from foldgraft.curate.entry import MISSING, Atoms, UnreadableError
from foldgraft.curate.residue_names import force_field, kinds
from foldgraft.residues import THREE_TO_ONE

PADDING = b"\n" + b" " * 100
"""Behind the content, so that every field of the last line lies within."""
NUMBER = re.compile(rb" *[+-]?(?:\d+\.?\d*|\.\d+) *")
OLD_TAIL = re.compile(r"[0-9][A-Z0-9]{3} *\d+")
ATOM, HETATM, TER, MODEL, ENDMDL = (
    int.from_bytes(word, "little") for word in (b"ATOM", b"HETA", b"TER", b"MODE", b"ENDM")
)
THREE_BYTES, SIX_BYTES = 0xFFFFFF, 0xFFFFFFFFFFFF
NEGATIVE = 0.1
"""More occupancies below zero than this fraction, and they are charges."""

DIGIT, BLANK, SIGN, POINT, OTHER = 1, 2, 4, 8, 16
CLASS = np.full(256, OTHER, dtype=np.uint8)
CLASS[ord("0") : ord("9") + 1] = DIGIT
CLASS[ord(" ")], CLASS[ord("-")], CLASS[ord(".")] = BLANK, SIGN, POINT
VALUE = np.zeros(256)
VALUE[ord("0") : ord("9") + 1] = np.arange(10)
THOUSANDTHS = np.array([1e6, 1e5, 1e4, 1e3, 0, 100, 10, 1])
"""What a digit counts at each place of `1234.678`, in thousandths."""


def _everywhere(classes: list[int]) -> np.uint64:
    """The classes that are wrong at each of eight places, as one number to be compared with eight bytes at once."""
    return np.array([0xFF ^ allowed for allowed in classes], dtype=np.uint8).view("<u8")[0]


WRONG = _everywhere([DIGIT | BLANK | SIGN] * 3 + [DIGIT, POINT, DIGIT, DIGIT, DIGIT])


class PdbResidues(NamedTuple):
    """Runs of atoms with one name, chain and number, as the file spells them; columns of length R."""

    start: np.ndarray  # (R + 1,) int64
    name: list[str]
    chain: list[str]
    author: list[str]  # number with insertion code
    number: np.ndarray  # int64, or MISSING
    hetero: np.ndarray  # bool
    segment: list[str]
    ters: np.ndarray  # int64, how many TER records stand before it


class PdbModel(NamedTuple):
    """The first model, the other lines of the file up to its end, and how many models the file has."""

    atoms: Atoms
    residues: PdbResidues
    lines: list[bytes]
    models: int


def read_model(content: bytes) -> PdbModel:
    """Cut the first model of a PDB file into columns.

    Raises
    ------
    UnreadableError
        if no atom record has numbers where coordinates stand, or the file is PQR.
    """
    padded = content + PADDING
    size = len(content) + 1
    ends = np.flatnonzero(np.frombuffer(padded, dtype=np.uint8, count=size) == 10)
    starts = np.concatenate([[0], ends[:-1] + 1])
    record = _fields(padded, starts, "<u4")
    starts, ends, record, models = _first_model(starts, ends, record)
    is_atom = (record == ATOM) | (record == HETATM)
    others = np.flatnonzero(~is_atom)
    lines = [content[a:b] for a, b in zip(starts[others].tolist(), ends[others].tolist(), strict=True)]
    ters = starts[others[(record[others] & THREE_BYTES) == TER]]
    starts, ends, hetero = starts[is_atom], ends[is_atom], (record == HETATM)[is_atom]
    if not len(starts):
        raise UnreadableError("no_atoms", "the first model has no atom record")
    position = _coordinates(padded, starts, ends)
    if np.isnan(position).any(axis=1).all():
        raise _without_coordinates(content, starts, ends)
    first, residues = _residues(padded, starts, ends, hetero, ters)
    atoms = Atoms(
        residue=np.cumsum(first) - 1,
        kind=kinds(_fields(padded, starts + 12, "<u4").view("S4")),
        altloc=_cell(padded, starts + 16, "S1"),
        occupancy=_occupancies(padded, starts, ends),
        position=position,
        b_factor=_cell(padded, starts + 60, "S6"),
    )
    return PdbModel(atoms, residues, lines, models)


def _fields(padded: bytes, at: np.ndarray, kind: str) -> np.ndarray:
    """The bytes from each offset on as one value of this type."""
    width = np.dtype(kind).itemsize
    return np.ndarray((len(padded) - width + 1,), dtype=kind, buffer=padded, strides=(1,))[at]


def _cell(padded: bytes, at: np.ndarray, kind: str) -> np.ndarray:
    """Short text fields without the blanks behind; those before stay. A blank field is empty."""
    column = _fields(padded, at, kind)
    if column.dtype.itemsize == 1:
        column[column == b" "] = b""
    return column


def _first_model(
    starts: np.ndarray, ends: np.ndarray, record: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """The lines up to the end of the first model, and how many models there are."""
    opened, closed = np.flatnonzero(record == MODEL), np.flatnonzero(record == ENDMDL)
    stops = [*opened[1:2].tolist(), *closed[:1].tolist()]
    if not stops:
        return starts, ends, record, 1
    stop = min(stops)
    return starts[:stop], ends[:stop], record[:stop], max(len(opened), 1)


def _coordinates(padded: bytes, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """(A, 3) float64, angstrom.

    Fields written as the format asks (`-123.456` at its full width) are computed from their digits, all at once; in
    thousandths, so that the quotient is what the text says to the last bit. Others are read one by one.
    """
    fields = _fields(padded, starts[:, None] + np.array([30, 38, 46]), "<u8")  # (A, 3)
    letters = fields.view(np.uint8).reshape(-1, 8)
    classes = CLASS[letters].view("<u8").ravel()
    blank, sign = (classes & np.uint64(0x0101010101010101 * one) for one in (BLANK, SIGN))
    # a blank or a sign may stand only behind blanks: the byte before it (8 bits lower) must be blank
    led = ((blank >> 1) | (sign >> 2)) >> 8 & ~(blank >> 1) & np.uint64(0x0000000000FFFF)
    good = ((classes & WRONG) | led) == 0
    good &= np.repeat(ends - starts >= 54, 3)
    values = VALUE[letters] @ THOUSANDTHS / 1000
    values[sign != 0] *= -1
    for at in np.flatnonzero(~good).tolist():
        line, axis = divmod(at, 3)
        start = int(starts[line]) + 30 + 8 * axis
        cell = padded[start : min(start + 8, int(ends[line]))].rstrip(b"\r")
        values[at] = float(cell) if NUMBER.fullmatch(cell) else np.nan
    return values.reshape(-1, 3)


def _occupancies(padded: bytes, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    cells = np.where(ends - starts >= 60, _fields(padded, starts + 54, "<u8") & SIX_BYTES, 0)
    if (cells == cells[0]).all():
        values = np.full(len(cells), _occupancy(int(cells[0])))
    else:
        different, which = np.unique(cells, return_inverse=True)
        values = np.array([_occupancy(cell) for cell in different.tolist()])[which]
    if np.count_nonzero(values < 0) > NEGATIVE * len(values):
        raise UnreadableError("pqr", "the file is PQR: charges and radii stand where occupancies and B-factors should")
    return values


def _occupancy(cell: int) -> float:
    field = cell.to_bytes(6, "little")
    if not field.strip(b" \0"):
        return 1.0
    return float(field) if NUMBER.fullmatch(field) else 0.0


def _residues(
    padded: bytes, starts: np.ndarray, ends: np.ndarray, hetero: np.ndarray, ters: np.ndarray
) -> tuple[np.ndarray, PdbResidues]:
    """Whether each atom opens a residue (A,), and the residues."""
    key = _fields(padded, starts + 17, "<u8"), _fields(padded, starts + 19, "<u8")  # columns 18 to 27
    first = np.ones(len(starts), dtype=bool)
    first[1:] = (key[0][1:] != key[0][:-1]) | (key[1][1:] != key[1][:-1])
    segments, which = _segments(padded, starts, ends)
    if len(segments) > 1:
        first[1:] |= which[1:] != which[:-1]
    ter = np.searchsorted(ters, starts) if len(ters) else np.zeros(len(starts), dtype=np.int64)
    if len(ters):
        first[1:] |= ter[1:] != ter[:-1]
    at = np.flatnonzero(first)
    cells = [padded[a + 17 : a + 27].decode("latin-1") for a in starts[at].tolist()]
    wide = _four_letters(cells)
    names = [cell[: 4 if wide else 3].strip() for cell in cells]
    numbers = [_number(cell[5:10]) for cell in cells]
    residues = PdbResidues(
        start=np.append(at, len(starts)),
        name=names,
        chain=[cell[4 if wide else 3 : 5].strip() for cell in cells],
        author=[author for author, _ in numbers],
        number=np.array([number for _, number in numbers], dtype=np.int64),
        hetero=hetero[at],
        segment=[segments[k] for k in which[at].tolist()] if len(segments) > 1 else [*segments] * len(at),
        ters=ter[at],
    )
    return first, residues


def _four_letters(cells: list[str]) -> bool:
    """Whether the letter behind three-letter names belongs to the names, not to the chains."""
    names = {cell[:4] for cell in cells if cell[3] != " "}
    return bool(names) and all(force_field(name) or name[:3].strip() not in THREE_TO_ONE for name in names)


def _number(cell: str) -> tuple[str, int]:
    """Author number with insertion code, and the number alone, of columns 23 to 27; hybrid-36 numbers as numbers."""
    author = cell.strip()
    for digits in (author, author[:-1]):  # five digits, or four and an insertion code
        try:
            return author, int(digits)
        except ValueError:
            pass
    digits = cell[:4]
    if digits.isalnum() and (digits.isupper() or digits.islower()):
        offset = 10 * 36**3 if digits.isupper() else 10 * 36**3 - 26 * 36**3
        number = int(digits, 36) - offset + 10**4
        return f"{number}{cell[4:].strip()}", number
    return author, MISSING


def _segments(padded: bytes, starts: np.ndarray, ends: np.ndarray) -> tuple[list[str], np.ndarray]:
    """The names of segments (columns 73 to 76), and which of them each atom has; one blank one where there are none."""
    cells = np.where(ends - starts >= 73, _fields(padded, starts + 72, "<u4"), 0x20202020)
    none = np.zeros(len(starts), dtype=np.int64)
    if (cells == cells[0]).all():
        different = cells[:1]
    else:
        different, none = np.unique(cells, return_inverse=True)
    names = [int(cell).to_bytes(4, "little").partition(b"\n")[0].decode("latin-1").strip() for cell in different]
    at = int(starts[0])
    if OLD_TAIL.fullmatch(padded[at + 72 : int(ends[0])].decode("latin-1").strip()):
        return [""], np.zeros(len(starts), dtype=np.int64)
    return names, none


def _without_coordinates(content: bytes, starts: np.ndarray, ends: np.ndarray) -> UnreadableError:
    """Why no atom has a place."""
    words = content[int(starts[0]) : int(ends[0])].split()
    try:
        tail = [float(word) for word in words[-5:]]
    except ValueError:
        tail = []
    if len(tail) == 5 and len(words) in (10, 11):
        return UnreadableError("pqr", "the file is PQR: fields are divided by blanks and end in charge and radius")
    return UnreadableError("no_atoms", "no atom record has numbers in columns 31 to 54, where coordinates stand")

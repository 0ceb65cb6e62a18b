"""The atom records of a legacy PDB file as columns, cut at their fixed columns for all lines at once.

Decisions
---------
- The first model ends at its ENDMDL or at the next MODEL.
- A coordinate that is no number is NaN, so that the atom is counted and has no coordinates.
- A blank occupancy is unstated, so 1.
- A fourth letter behind the residue name belongs to the name where all such names are known ones of four letters, else
  to the chain.
- Columns 73 to 80 hold segments, elements and charges, or in files of before 1996 the entry's id and line numbers. Only
  segments are read.
"""

import re
from collections.abc import Iterable
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
THREE_BYTES, FIVE_BYTES, SIX_BYTES = 0xFFFFFF, 0xFFFFFFFFFF, 0xFFFFFFFFFFFF
NEGATIVE = 0.1
"""More occupancies below zero than this fraction, and they are charges."""

OTHER, BLANK, SIGN, POINT = 0x10, 0x20, 0x40, 0x80
READ = bytes(
    byte - ord("0") if chr(byte) in "0123456789" else {" ": BLANK, "-": SIGN, ".": POINT}.get(chr(byte), OTHER)
    for byte in range(256)
)
"""What each byte of a number is: the digit itself, or one of the flags above."""
THOUSANDTHS = np.array([1e6, 1e5, 1e4, 1e3, 0, 100, 10, 1], dtype=np.float32)
"""What a digit counts at each position of `1234.678`, in thousandths; the sum of all is exact in 24 bits."""


def _eight(flags: list[int]) -> np.uint64:
    """Flags at each of eight bytes as one number, to be compared with eight bytes at once."""
    return np.array(flags, dtype=np.uint8).view("<u8")[0]


FLAGGED = _eight([OTHER | POINT] * 3 + [0xF0, OTHER | BLANK | SIGN, 0xF0, 0xF0, 0xF0])
"""What must not be: a point is at the fifth byte alone, and only the first three may be blank or a sign."""
POINTED, DIGITS = _eight([0] * 4 + [POINT] + [0] * 3), _eight([0x0F] * 8)
BLANKS, SIGNS = _eight([BLANK] * 8), _eight([SIGN] * 8)


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
    coordinates = _coordinates(padded, starts, ends)
    if np.isnan(coordinates[0]).any() and np.isnan(coordinates).any(axis=1).all():
        raise _without_coordinates(content, starts, ends)
    first, residues = _residues(padded, starts, ends, hetero, ters)
    atoms = Atoms(
        residue=np.cumsum(first) - 1,
        kind=kinds(_fields(padded, starts + 12, "<u4").view("S4")),
        altloc=_cell(padded, starts + 16, "S1"),
        occupancy=_occupancies(padded, starts, ends),
        coordinates=coordinates,
        b_factor=_cell(padded, starts + 60, "S6"),
    )
    return PdbModel(atoms, residues, lines, models)


def _fields(padded: bytes, at: np.ndarray, kind: str) -> np.ndarray:
    """The bytes from each offset on as one value of this type."""
    width = np.dtype(kind).itemsize
    return np.ndarray((len(padded) - width + 1,), dtype=kind, buffer=padded, strides=(1,))[at]


def _within(padded: bytes, starts: np.ndarray, ends: np.ndarray, columns: tuple[int, int], kind: str) -> np.ndarray:
    """The bytes from the first column on, zero where the line ends before the second."""
    cells, lengths = _fields(padded, starts + columns[0], kind), ends - starts
    if lengths.min() < columns[1]:
        cells[lengths < columns[1]] = 0
    return cells


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
    read = np.frombuffer(fields.tobytes().translate(READ), dtype="<u8")
    blank, sign = read & BLANKS, read & SIGNS
    # a blank or a sign may stand behind blanks alone: not where the byte before it, eight bits lower, is none
    behind = (((blank | (sign >> 1)) >> 8) & ~blank) & (BLANKS >> 40)
    good = ((read & FLAGGED) | behind | ((read & POINTED) ^ POINTED)) == 0
    lengths = ends - starts
    if lengths.min() < 54:
        good &= np.repeat(lengths >= 54, 3)
    values = (read & DIGITS).view(np.uint8).reshape(-1, 8).astype(np.float32) @ THOUSANDTHS
    values = np.where(sign != 0, -values, values).astype(np.float64) / 1000
    for at in np.flatnonzero(~good).tolist():
        line, axis = divmod(at, 3)
        start = int(starts[line]) + 30 + 8 * axis
        cell = padded[start : min(start + 8, int(ends[line]))].rstrip(b"\r")
        values[at] = float(cell) if NUMBER.fullmatch(cell) else np.nan
    return values.reshape(-1, 3)


def _occupancies(padded: bytes, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    cells = _within(padded, starts, ends, (54, 60), "<u8") & SIX_BYTES
    values = np.full(len(cells), _occupancy(int(cells[0])))
    others = np.flatnonzero(cells != cells[0])
    if len(others):
        listed = cells[others].tolist()
        known = {cell: _occupancy(cell) for cell in set(listed)}
        values[others] = [known[cell] for cell in listed]
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
    behind = np.searchsorted(starts, ters)  # the first atom behind each TER
    first[behind[behind < len(first)]] = True
    at = np.flatnonzero(first)
    codes = (_fields(padded, starts[at] + 17, "<u8") & FIVE_BYTES).tolist()  # columns 18 to 22: name and chain
    heads = {code: int(code).to_bytes(5, "little").decode("latin-1") for code in set(codes)}
    width = 4 if _four_letters(heads.values()) else 3
    name = {code: head[:width].strip() for code, head in heads.items()}
    chain = {code: head[width:].strip() for code, head in heads.items()}
    author, number = _numbers(padded, starts[at] + 22)
    residues = PdbResidues(
        start=np.append(at, len(starts)),
        name=[name[code] for code in codes],
        chain=[chain[code] for code in codes] if len(set(chain.values())) > 1 else [*chain.values()][:1] * len(at),
        author=author,
        number=np.array(number, dtype=np.int64),
        hetero=hetero[at],
        segment=[segments[k] for k in which[at].tolist()] if len(segments) > 1 else segments * len(at),
        ters=np.searchsorted(ters, starts[at]),
    )
    return first, residues


def _four_letters(heads: Iterable[str]) -> bool:
    """Whether the letter behind three-letter names belongs to the names, not to the chains."""
    names = {head[:4] for head in heads if head[3] != " "}
    return bool(names) and all(force_field(name) or name[:3].strip() not in THREE_TO_ONE for name in names)


def _numbers(padded: bytes, at: np.ndarray) -> tuple[list[str], list[int]]:
    """Author numbers with insertion codes, and the numbers alone, of the five columns from each offset on."""
    cells = np.full((len(at), 6), ord(" "), dtype=np.uint8)  # the sixth divides them
    cells[:, :5] = _fields(padded, at, "S5").view(np.uint8).reshape(-1, 5)
    text = cells.tobytes().decode("latin-1")
    author = text.split()
    try:
        if len(author) == len(at):
            return author, list(map(int, author))
    except ValueError:
        pass
    both = [_number(text[k : k + 5]) for k in range(0, len(text), 6)]
    return [one for one, _ in both], [number for _, number in both]


def _number(cell: str) -> tuple[str, int]:
    """The same of one residue; hybrid-36 numbers as numbers."""
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
    cells = _within(padded, starts, ends, (72, 73), "<u4")
    none = np.zeros(len(starts), dtype=np.int64)
    if (cells == cells[0]).all():
        different = cells[:1]
    else:
        different, none = np.unique(cells, return_inverse=True)
    names = [int(cell).to_bytes(4, "little").partition(b"\n")[0].decode("latin-1").strip(" \0\r") for cell in different]
    at = int(starts[0])
    if OLD_TAIL.fullmatch(padded[at + 72 : int(ends[0])].decode("latin-1").strip()):
        return [""], np.zeros(len(starts), dtype=np.int64)
    return names, none


def _without_coordinates(content: bytes, starts: np.ndarray, ends: np.ndarray) -> UnreadableError:
    """Why no atom has coordinates."""
    words = content[int(starts[0]) : int(ends[0])].split()
    try:
        tail = [float(word) for word in words[-5:]]
    except ValueError:
        tail = []
    if len(tail) == 5 and len(words) in (10, 11):
        return UnreadableError("pqr", "the file is PQR: fields are divided by blanks and end in charge and radius")
    return UnreadableError("no_atoms", "no atom record has numbers in columns 31 to 54, where coordinates stand")

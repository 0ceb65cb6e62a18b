"""A3M: rows brought from the columns of their alignment onto a chain's residues, written, read, and encoded."""

import re
from collections.abc import Iterable, Iterator

import numpy as np

from foldgraft.evolution.columns import INSERTION
from foldgraft.evolution.formats import Row
from foldgraft.residues import AMINO_ACIDS

GAP = len(AMINO_ACIDS)
"""Code of a gap; letters other than the 20 amino acids (X, B, Z, ...) say nothing and count as gaps."""

NOT_NAME = re.compile(r"[^A-Za-z0-9._|~:+-]")

CODES = np.full(128, GAP, dtype=np.uint8)
for _code, _letter in enumerate(AMINO_ACIDS):
    CODES[ord(_letter)] = _code


def onto_chain(rows: Iterable[Row], columns: np.ndarray) -> Iterator[Row]:
    """Bring rows from the columns of their alignment onto the residues of a chain.

    Letters of columns between two residues become insertions; those beyond the first and the last one go.

    Parameters
    ----------
    columns : (L,) int, increasing; the column of each residue, -1 for a residue without one

    Yields
    ------
    A3M rows over the L residues; rows with a gap at each of them are left out.
    """
    residues = np.flatnonzero(columns >= 0)
    first, last = columns[residues[0]], columns[residues[-1]]
    # Columns of the new row: residue r at 2 r + 1, what is inserted before it at 2 r.
    slot = np.full(last + 1, -1)
    slot[columns[residues]] = 2 * residues + 1
    following = residues[np.searchsorted(columns[residues], np.arange(last + 1))]
    absent = 2 * np.flatnonzero(columns < 0) + 1
    plain = len(residues) == last - first + 1  # no column between the first and the last is without a residue
    simple = plain and residues[-1] - residues[0] == last - first  # ... and no residue without a column
    before, after = "-" * int(residues[0]), "-" * (len(columns) - 1 - int(residues[-1]))
    for row in rows:
        letters = np.frombuffer(row.text.encode("ascii"), np.uint8)
        inserted = letters >= ord("a")
        column = np.cumsum(~inserted) - 1 + inserted  # an insertion belongs to the column after it
        inside = (column >= first + inserted) & (column <= last)
        letters, column, inserted = letters[inside], column[inside], inserted[inside]
        if not (letters[~inserted & (slot[column] >= 0)] != ord("-")).any():
            continue
        if simple:
            yield Row(row.name, f"{before}{letters.tobytes().decode('ascii')}{after}")
            continue
        lowered = inserted | (slot[column] < 0)
        kept = ~lowered | (letters != ord("-"))
        letters, column, lowered = letters[kept], column[kept], lowered[kept]
        keys = np.where(lowered, 2 * following[column], slot[column])
        letters = np.where(lowered, letters | 0x20, letters)
        order = np.argsort(np.concatenate([keys, absent]), kind="stable")
        text = np.concatenate([letters, np.full(len(absent), ord("-"), np.uint8)])[order]
        yield Row(row.name, text.astype(np.uint8).tobytes().decode("ascii"))


def safe_name(header: str) -> str:
    """The first word of a header with all but the characters of ids replaced: names come from outside."""
    return NOT_NAME.sub("_", header.split()[0] if header.split() else "unnamed")[:128]


def format_a3m(rows: Iterable[Row]) -> str:
    """Rows as A3M text."""
    return "".join(f">{row.name}\n{row.text}\n" for row in rows)


def parse_a3m(text: str) -> list[Row]:
    """Rows of A3M text that `format_a3m` wrote."""
    lines = text.splitlines()
    return [Row(name[1:], row) for name, row in zip(lines[::2], lines[1::2], strict=True)]


def encode(rows: Iterable[Row]) -> np.ndarray:
    """Codes of the aligned letters; shape (M, L) uint8, 0 to 19 in the order of AMINO_ACIDS, GAP for all else."""
    return np.stack([CODES[np.frombuffer(row.text.translate(INSERTION).encode("ascii"), np.uint8)] for row in rows])

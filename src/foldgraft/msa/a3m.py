"""Alignments as text: reading A3M and aligned FASTA, and bringing their rows onto a chain."""

import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from foldgraft.errors import FoldgraftError
from foldgraft.records.fasta import open_text
from foldgraft.residues import AMINO_ACIDS

GAP = len(AMINO_ACIDS)
"""Code of a gap; letters other than the 20 amino acids (X, B, Z, ...) say nothing and count as gaps."""

MAX_CHARACTERS = 2_000_000_000
"""Bound on an alignment's size after decompression."""

INSERTION = str.maketrans("", "", "abcdefghijklmnopqrstuvwxyz.")
NOT_ALIGNED = re.compile(r"[^A-Za-z.\-*]")
NOT_NAME = re.compile(r"[^A-Za-z0-9._|~:+-]")

CODES = np.full(128, GAP, dtype=np.uint8)
for _code, _letter in enumerate(AMINO_ACIDS):
    CODES[ord(_letter)] = _code


@dataclass(frozen=True)
class Row:
    """One aligned sequence: its name, and its letters with gaps."""

    name: str
    text: str


def read_alignment(path: Path) -> Iterator[Row]:
    """Yield the rows of an A3M or aligned FASTA file, gzip-compressed or not, as they stand.

    Raises
    ------
    FoldgraftError
        for a file that cannot be read, is no FASTA, or holds something else than letters and gaps.
    """
    name, parts, size = None, [], 0
    try:
        with open_text(path) as handle:
            for line in handle:
                size += len(line)
                if size > MAX_CHARACTERS:
                    raise FoldgraftError(f"{path}: more than {MAX_CHARACTERS:,} characters; reduce the alignment")
                line = line.strip()
                if line.startswith(">"):
                    if name is not None:
                        yield _row(path, name, parts)
                    name, parts = line[1:], []
                elif line and not (name is None and line.startswith("#")):
                    if name is None:
                        raise FoldgraftError(f"{path}: not an alignment in FASTA or A3M, it does not begin with '>'")
                    parts.append(line)
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise FoldgraftError(f"{path}: cannot be read as an alignment ({error})") from None
    if name is None:
        raise FoldgraftError(f"{path}: holds no sequence")
    yield _row(path, name, parts)


def _row(path: Path, name: str, parts: list[str]) -> Row:
    text = "".join(parts).replace(" ", "")
    if not text or NOT_ALIGNED.search(text):
        raise FoldgraftError(f"{path}: the row {name[:60]!r} is {'not aligned letters' if text else 'empty'}")
    return Row(name, text)


def first_rows(path: Path, count: int) -> list[Row]:
    """The first rows of an alignment, without reading on."""
    return list(islice(read_alignment(path), count))


def onto_query(rows: Iterable[Row], query: str | None, where: Path) -> tuple[str, list[Row]]:
    """Turn rows into A3M rows over a query's residues.

    Rows as long as the first are taken as columns; otherwise the lower-case letters of A3M are insertions already.

    Parameters
    ----------
    query
        the query's letters and gaps, column by column; None for the first row.

    Returns
    -------
    The query's residues, and the rows (the first one included): an upper-case letter or `-` for each residue of the
    query, lower-case letters for insertions before it.

    Raises
    ------
    FoldgraftError
        if rows differ in their number of columns.
    """
    rows = list(rows)
    if len({len(row.text) for row in rows}) == 1:
        texts = [row.text.upper().replace(".", "-") for row in rows]
        guide = (query or texts[0]).upper().replace(".", "-")
    else:
        texts = [row.text.replace(".", "") for row in rows]
        guide = query or texts[0].translate(INSERTION)
    residues = guide.replace("-", "")
    width = len(guide)
    for row, text in zip(rows, texts, strict=True):
        columns = len(text.translate(INSERTION))
        if columns != width:
            raise FoldgraftError(
                f"{where}: the row {row.name[:60]!r} has {columns} columns where the query has {width}"
            )
    if not residues:
        raise FoldgraftError(f"{where}: the query is nothing but gaps")
    if residues == guide:
        return residues, [Row(row.name, text) for row, text in zip(rows, texts, strict=True)]
    insertion = np.frombuffer(guide.encode("ascii"), np.uint8) == ord("-")
    return residues, [Row(row.name, _lowered(text, insertion)) for row, text in zip(rows, texts, strict=True)]


def _lowered(text: str, insertion: np.ndarray) -> str:
    """The row with the letters of insertion columns in lower case and their gaps gone."""
    letters = np.frombuffer(text.encode("ascii"), np.uint8)
    existing = letters >= ord("a")  # insertions of an A3M: they take no column
    column = np.cumsum(~existing) - 1
    inserted = insertion[np.clip(column, 0, None)] & ~existing
    lowered = np.where(inserted & (letters >= ord("A")), letters | 0x20, letters)
    return lowered[~(inserted & (letters == ord("-")))].tobytes().decode("ascii")


def build(sequence: str, start: int, query: str, rows: Iterable[Row], min_coverage: float, limit: int) -> list[Row]:
    """The alignment of a chain: its own sequence first, then the homologs that are worth keeping.

    Parameters
    ----------
    sequence
        the whole chain.
    start, query
        the aligned part of it: `sequence[start:start + len(query)] == query`.
    rows
        A3M rows over `query`.
    min_coverage
        least fraction of the query's residues that a row has a letter for.
    limit
        largest number of rows; of more, evenly spaced ones are kept.

    Returns
    -------
    A3M rows over the chain, gaps outside the aligned part; no two have the same aligned letters.
    """
    need = max(1.0, min_coverage * len(query))
    kept: dict[str, Row] = {query: Row("query", query)}
    for row in rows:
        aligned = row.text.translate(INSERTION)
        if aligned not in kept and len(aligned) - aligned.count("-") >= need:
            kept[aligned] = row
    homologs = list(kept.values())[1:]
    if len(homologs) > limit - 1:
        chosen = np.linspace(0, len(homologs) - 1, limit - 1).round().astype(int)
        homologs = [homologs[k] for k in chosen]
    before, after = "-" * start, "-" * (len(sequence) - start - len(query))
    return [Row("query", sequence), *(Row(safe_name(row.name), f"{before}{row.text}{after}") for row in homologs)]


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

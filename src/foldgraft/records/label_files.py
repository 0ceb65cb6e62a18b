"""Labelled tables and FASTA files as the user has them, read row by row into cells by column name."""

import csv
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from foldgraft.errors import FoldgraftError
from foldgraft.records.fasta import open_text, why_unread

MAX_FIELD = 10**6  # letters; no protein is longer, and a stray quote must not swallow a file
SEPARATORS = ("\t", ";", ",")
FOREIGN = {
    b"PK\x03\x04": "a workbook (xlsx, ods) or an archive",
    b"\xd0\xcf\x11\xe0": "a workbook of an old Excel (xls)",
    b"\xff\xfe": "text in UTF-16",
    b"\xfe\xff": "text in UTF-16",
}
"""What files begin with that are no table in UTF-8."""


class Row(NamedTuple):
    """One row of a table or one record of a FASTA file."""

    where: str  # for messages: file and row
    cells: dict[str, str]
    decimal_comma: bool
    problem: str = ""  # why it is none
    repeated: frozenset[str] = frozenset()  # keys that stand twice in the header of a FASTA record


def count_rows(path: Path) -> int:
    """Number of rows below the header of a table, or of records of a FASTA file."""
    with _text(path) as (first, handle):
        if first.startswith(">"):
            return 1 + sum(line.startswith(">") for line in handle)
        return sum(1 for row in csv.reader(handle, delimiter=_separator(first)) if row)


def read_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of a table, or the records of a FASTA file as `ColumnsSettings` describes them.

    Raises
    ------
    FoldgraftError
        if the file cannot be read as either; a row that has fewer cells than the header has a `problem`.
    """
    with _text(path) as (first, handle):
        yield from _records(path, first, handle) if first.startswith(">") else _table(path, first, handle)


def header(path: Path) -> list[str]:
    """Names of the columns; for a FASTA file those of its first record."""
    with _text(path) as (first, handle):
        if not first.startswith(">"):
            return _names(first)
        return list(next(_records(path, first, handle)).cells)


@contextmanager
def _text(path: Path) -> Iterator[tuple[str, Iterator[str]]]:
    """The first line of a text file and the lines after it; trouble with the file is a `FoldgraftError` naming it."""
    csv.field_size_limit(MAX_FIELD)
    try:
        with Path(path).open("rb") as raw:
            start = raw.read(4)
        if foreign := next((kind for magic, kind in FOREIGN.items() if start.startswith(magic)), None):
            raise FoldgraftError(f"{path}: it is {foreign}; save the table as CSV (UTF-8), in Excel by Save As")
        with open_text(path) as handle:
            first = handle.readline(MAX_FIELD).strip("\r\n")
            if not first.strip():
                raise FoldgraftError(f"{path}: its first line is empty; it must hold the names of the columns")
            yield first, (line for line in handle)
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise FoldgraftError(f"{path}: cannot be read as a table: {why_unread(error)}") from None
    except csv.Error as error:
        raise FoldgraftError(
            f"{path}: cannot be read as a table: a quotation mark is not closed, or it holds other than text "
            f"({error}); save it as CSV (UTF-8)"
        ) from None


def _separator(first: str) -> str:
    return max(SEPARATORS, key=first.count)


def _names(first: str) -> list[str]:
    return [name.strip().removeprefix("\ufeff") for name in next(csv.reader([first], delimiter=_separator(first)), [])]


def _table(path: Path, first: str, handle: Iterator[str]) -> Iterator[Row]:
    names, separator = _names(first), _separator(first)
    for number, row in enumerate(csv.reader(handle, delimiter=separator), start=2):
        if row:
            short = f"the row has {len(row)} fields, fewer than the header's {len(names)}"
            cells = dict(zip(names, row, strict=False))
            yield Row(f"{path}, row {number}", cells, separator == ";", short if len(row) < len(names) else "")


def _records(path: Path, first: str, handle: Iterator[str]) -> Iterator[Row]:
    number, title, lines = 1, first[1:], []
    for line in handle:
        line = line.strip()
        if line.startswith(">"):
            yield _record(path, number, title, lines)
            number, title, lines = number + 1, line[1:], []
        elif line:
            lines.append(line)
            if sum(map(len, lines)) > MAX_FIELD:
                raise FoldgraftError(f"{path}, record {number}: more than {MAX_FIELD} letters, no protein")
    yield _record(path, number, title, lines)


def _record(path: Path, number: int, title: str, lines: list[str]) -> Row:
    name, _, description = title.strip().partition(" ")
    words = [word.split("=", 1) for word in description.split() if "=" in word]
    numbered = {f"line{k}": line for k, line in enumerate(lines, start=1)}
    own = numbered | {"id": name, "description": description.strip(), "sequence": "".join(lines)}
    keys = [key for key, _ in words if key not in own]
    repeated = frozenset(key for key in keys if keys.count(key) > 1)
    cells = dict(words) | own
    return Row(f"{path}, record {number} ({name})", cells, False, repeated=repeated)

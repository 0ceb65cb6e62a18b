"""FASTA, plain or gzip-compressed."""

import gzip
import re
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from io import BufferedReader, TextIOWrapper
from pathlib import Path
from typing import IO, NamedTuple

from foldgraft.errors import FoldgraftError
from foldgraft.records.files import checked_id, intact, sealed

SEQUENCE = re.compile(r"[A-Za-z*.-]+")
GZIP_MAGIC = b"\x1f\x8b"
MAX_LETTERS = 1_000_000
"""Longest record read; no protein comes near it, and a decompression bomb or a genome ends here."""


class Record(NamedTuple):
    """One FASTA record: the first word of the header, the rest of it, and the letters as they stand."""

    id: str
    description: str
    sequence: str


def open_text(path: Path) -> IO[str]:
    """Open a text file for reading, decompressing it if it begins like gzip, whatever its name."""
    path = Path(path)
    with intact(path).open("rb") as handle:
        compressed = handle.read(2) == GZIP_MAGIC
    return gzip.open(path, "rt", encoding="utf-8-sig") if compressed else path.open(encoding="utf-8-sig")


def why_unread(error: Exception) -> str:
    """Why a text file cannot be read, and what to do, in place of a library's words."""
    if isinstance(error, UnicodeDecodeError):
        return "it is no UTF-8 text; save it as UTF-8"
    if isinstance(error, EOFError | zlib.error | gzip.BadGzipFile):
        return "its gzip data is cut short or damaged; fetch it anew"
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def raw_records(path: Path, stream: BufferedReader | None = None) -> Iterator[tuple[int, str, str]]:
    """Yield the records of a FASTA file unchecked: number from 1, header without `>`, letters as they stand.

    Headers are read as UTF-8, those that are none as Latin-1.

    Parameters
    ----------
    path : Path
    stream : binary reader, optional
        what is read in place of the file, whose name then serves messages.

    Raises
    ------
    FoldgraftError
        for a file that is not FASTA, holds no record, or holds one without an end.
    """
    header, lines, number, letters = None, [], 0, 0
    try:
        with nullcontext(stream) if stream else intact(path).open("rb") as raw:
            handle = _text(raw)
            while line := handle.readline(MAX_LETTERS):
                line = _decoded(line.strip())
                letters = 0 if line.startswith(">") else letters + len(line)
                if len(line) >= MAX_LETTERS or letters > MAX_LETTERS:
                    raise FoldgraftError(f"{path}, record {number}: more than {MAX_LETTERS} letters, no protein")
                if line.startswith(">"):
                    if header is not None:
                        yield number, header, "".join(lines).replace(" ", "")
                    header, lines, number = line[1:], [], number + 1
                elif line:
                    if header is None:
                        raise FoldgraftError(f"{path}: not FASTA, it does not begin with '>'")
                    lines.append(line)
    except (OSError, EOFError, zlib.error) as error:
        raise FoldgraftError(f"{path}: cannot be read as FASTA: {why_unread(error)}") from None
    if header is None:
        raise FoldgraftError(f"{path}: holds no FASTA record")
    yield number, header, "".join(lines).replace(" ", "")


def count_records(path: Path) -> int | None:
    """How many records `raw_records` would yield; None for a file that it would refuse half-way."""
    count = letters = 0
    try:
        with path.open("rb") as raw:
            handle = _text(raw)
            while line := handle.readline(MAX_LETTERS):
                line = line.strip()
                letters = 0 if line.startswith(">") else letters + len(line)
                count += line.startswith(">")
                if len(line) >= MAX_LETTERS or letters > MAX_LETTERS or (letters and not count):
                    return None
    except (OSError, EOFError, zlib.error):
        return None
    return count


def _text(raw: BufferedReader) -> IO[str]:
    unpacked = gzip.GzipFile(fileobj=raw) if raw.peek(2)[:2] == GZIP_MAGIC else raw
    return TextIOWrapper(unpacked, encoding="utf-8-sig", errors="surrogateescape")


def _decoded(line: str) -> str:
    """A line as it is, or read as Latin-1 where its bytes are no UTF-8."""
    if line.isascii() or not any("\udc80" <= letter <= "\udcff" for letter in line):
        return line
    return line.encode("utf-8", "surrogateescape").decode("latin-1")


def read_fasta(path: Path) -> Iterator[Record]:
    """Yield the records of a FASTA file.

    Raises
    ------
    FoldgraftError
        for a file that is not FASTA, an empty record, an illegal id or a sequence with other than letters, naming
        the file and the record.
    """
    for number, header, sequence in raw_records(path):
        yield checked_record(path, number, header, sequence)


def checked_record(path: Path, number: int, header: str, sequence: str) -> Record:
    """A raw record, if its id and its letters may be those of one; `FoldgraftError` if not."""
    where = f"{path}, record {number}"
    name, description = (*header.split(maxsplit=1), "", "")[:2]
    checked_id(name, where)
    if not sequence:
        raise FoldgraftError(f"{where} ({name}): the sequence is empty")
    if not SEQUENCE.fullmatch(sequence):
        bad = sorted(set(re.sub(SEQUENCE, "", sequence)))[:5]
        raise FoldgraftError(f"{where} ({name}): the sequence holds {', '.join(map(repr, bad))}")
    return Record(name, description, sequence)


def write_fasta(path: Path, records: Iterable[tuple[str, str]]) -> None:
    """Write (id, sequence) pairs, one line per sequence; gzip-compressed if the name ends in .gz.

    The same records give the same bytes: a gzip header has room for a time and a name, and they are left out.
    """
    path = Path(path)
    with sealed(path) as temporary, _create_text(temporary, path.suffix == ".gz") as handle:
        for name, sequence in records:
            handle.write(f">{name}\n{sequence}\n")


@contextmanager
def _create_text(path: Path, compress: bool) -> Iterator[IO[str]]:
    if not compress:
        with path.open("w", encoding="ascii", newline="\n") as handle:
            yield handle
        return
    with (
        path.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=6, mtime=0) as packed,
        TextIOWrapper(packed, encoding="ascii", newline="\n") as handle,
    ):
        yield handle

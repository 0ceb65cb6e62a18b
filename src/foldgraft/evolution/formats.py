"""Alignment files: every format that people have, told by its content, not by its name.

Rows are read here as they stand. One parser serves Stockholm, Clustal and name-and-sequence lines, since Biopython's
`AlignIO` gives up a whole file for one bad row; the tests compare the two on good files.
"""

import gzip
import re
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from foldgraft.errors import FoldgraftError
from foldgraft.records.fasta import GZIP_MAGIC

MAX_BYTES = 1_000_000_000
"""Bound on an alignment's size after decompression."""

KNOWN = "A3M, A2M, aligned FASTA, Stockholm, Clustal, PSICOV rows, or name-and-sequence lines"
ALIGNED = re.compile(r"[A-Za-z.*-]+")
CLUSTAL = re.compile(r"(CLUSTAL|MUSCLE|PROBCONS|MSAPROBS|Kalign)\b", re.IGNORECASE)
CONSERVATION = re.compile(r"\s[\s*:.]*")
ANNOTATION = re.compile(r"(ss|sa|aa)_(dssp|pred|conf)|(.+_)?consensus", re.IGNORECASE)
OTHERS = {
    r"HMMER3|HHsearch|HHM": "HMM",
    r"#NEXUS": "NEXUS",
    r"!!AA|PileUp": "MSF",
    r"\d+\s+\d+$": "PHYLIP",
    r"(HEADER|ATOM|REMARK|TITLE|CRYST1|MODEL)\b|data_": "structure",
    r"<": "markup",
    r"[{\[]": "JSON",
    r"PK|\x89|%PDF|BZh|\xfd7zXZ|\(\xb5/\xfd": "binary",
}
"""What else a file may be, by how its first line begins: one word for the message."""
PEEK = 20  # lines that tell rows without headers from other text


@dataclass(frozen=True)
class Row:
    """One aligned sequence: its name, and its letters with gaps."""

    name: str
    text: str


@dataclass
class Part:
    """One alignment of a file: what it is, its rows, and how many records were no rows, by reason."""

    format: str
    rows: list[Row]
    dropped: Counter[str] = field(default_factory=Counter)


def read_parts(path: Path, limit: int | None = None) -> list[Part]:
    """Read the alignments of a file, gzip-compressed or not: mostly one, several where NUL or `//` parts them.

    Parameters
    ----------
    limit : int, optional
        bytes after decompression that are read; the rest is left. None reads the whole file.

    Raises
    ------
    FoldgraftError
        in one sentence with the file's name: it cannot be read, is empty, is none of the known formats, or has no row.
    """
    text = _text(path, limit)
    parts = [part for piece in text.split("\0") if piece.strip() for part in _parts(path, piece)]
    if not parts:
        raise FoldgraftError(f"{path}: the alignment is empty")
    if not any(part.rows for part in parts):
        raise FoldgraftError(f"{path}: the {parts[0].format} alignment has no usable row{reasons(parts[0].dropped)}")
    return [part for part in parts if part.rows]


def reasons(dropped: Counter[str]) -> str:
    """Counts by reason, in words: `; 2 empty, 1 not letters`."""
    return f"; {', '.join(f'{count} {reason}' for reason, count in sorted(dropped.items()))}" if dropped else ""


def _text(path: Path, limit: int | None) -> str:
    try:
        with path.open("rb") as plain:
            compressed = plain.read(2) == GZIP_MAGIC
        with gzip.open(path) if compressed else path.open("rb") as handle:
            content = handle.read(MAX_BYTES + 1 if limit is None else limit)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or "its compression is broken"
        raise FoldgraftError(f"{path}: the alignment cannot be read ({reason})") from None
    if len(content) > MAX_BYTES:
        raise FoldgraftError(f"{path}: the alignment has more than {MAX_BYTES:,} bytes; reduce it")
    if limit is not None and len(content) == limit:  # the last line may be cut
        content = content[: max(content.rfind(b"\n"), content.rfind(b"\r")) + 1]
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _parts(path: Path, text: str) -> Iterator[Part]:
    lines = re.split(r"\r\n|\r|\n", text)
    first = next(line.strip() for line in lines if line.strip())
    if first.upper().startswith("# STOCKHOLM"):
        alignments = list(_stockholm(lines))
    elif CLUSTAL.match(first):
        alignments = [_from_blocks("Clustal", lines[lines.index(next(filter(str.strip, lines))) + 1 :])]
    else:
        body = [line for line in lines if line.strip() and not line.startswith("#")]
        alignments = [_plain(path, first, lines, body)]
    yield from alignments


def _plain(path: Path, first: str, lines: list[str], body: list[str]) -> Part:
    """Formats without a title: records with headers, or rows with or without names."""
    if body and body[0].lstrip().startswith(">"):
        return _from_fasta(lines)
    words = [line.split() for line in body[:PEEK]]
    if words and all(len(line) == 1 and re.fullmatch(r"[A-Z.*-]+", line[0]) for line in words):
        return _checked("PSICOV", ((f"row{number}", line.strip()) for number, line in enumerate(body, start=1)))
    if words and all(len(line) == 2 and ALIGNED.fullmatch(line[1]) for line in words):
        return _from_blocks("names", lines)
    word = next((word for begin, word in OTHERS.items() if re.match(begin, first)), "unknown")
    raise FoldgraftError(f"{path}: not an alignment but {word}; known are {KNOWN}")


def _from_fasta(lines: list[str]) -> Part:
    records: list[tuple[str, list[str]]] = []
    for line in map(str.strip, lines):
        if line.startswith(">"):
            records.append((line[1:].strip(), []))
        elif line and records:
            records[-1][1].append("".join(line.split()))
    return _checked("FASTA", ((name, "".join(texts)) for name, texts in records))


def _stockholm(lines: list[str]) -> Iterator[Part]:
    block: list[str] = []
    for line in [*lines, "//"]:
        if not line.startswith("//"):
            block.append(line)
        elif any(text.strip() for text in block):
            yield _from_blocks("Stockholm", block)
            block = []


def _from_blocks(kind: str, lines: list[str]) -> Part:
    """Lines `name letters`, in one block or in several with an empty line between; `#` and conservation lines are not.

    A name that recurs within a block is another row, one that recurs in the next block goes on.
    """
    rows: dict[tuple[str, int], list[str]] = {}
    seen: Counter[str] = Counter()
    for line in lines:
        words = line.split()
        if not words:
            seen.clear()
        elif not (line.startswith("#") or CONSERVATION.fullmatch(line)):
            rows.setdefault((words[0], seen[words[0]]), []).extend(words[1:2])
            seen[words[0]] += 1
    return _checked(kind, ((name, "".join(texts)) for (name, _), texts in rows.items()))


def _checked(kind: str, records: Iterator[tuple[str, str]]) -> Part:
    part = Part(kind, [])
    for name, text in records:
        if ANNOTATION.fullmatch(name.split()[0] if name.split() else ""):
            part.dropped["annotation"] += 1
        elif not text.strip(".-*"):
            part.dropped["empty"] += 1
        elif not ALIGNED.fullmatch(text):
            part.dropped["not letters"] += 1
        else:
            part.rows.append(Row(name, text))
    return part

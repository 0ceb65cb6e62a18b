"""Labelled tables and FASTA files as the user gives them: read row by row, checked row by row."""

import csv
import hashlib
import heapq
import re
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from foldgraft.errors import FoldgraftError
from foldgraft.fetch.settings import ColumnsSettings
from foldgraft.records.fasta import open_text, read_fasta
from foldgraft.records.files import checked_id

LETTERS = re.compile(r"[ACDEFGHIKLMNPQRSTVWYBJOUXZ]+")
MAX_FIELD = 10**6  # letters; no protein is longer, and a stray quote must not swallow a file

Sequence = tuple[str, str]  # id, letters


class Label(NamedTuple):
    """One row of a labelled table."""

    id: str
    sequence: str
    label: float
    fold: int | None


def letters(text: str, where: str) -> str:
    """A sequence in upper case without the stop at its end; J (leucine or isoleucine) is written X.

    Raises
    ------
    FoldgraftError
        naming `where` and the characters that are no residues.
    """
    sequence = "".join(text.split()).upper().removesuffix("*")
    if not sequence:
        raise FoldgraftError(f"{where}: the sequence is empty")
    if not LETTERS.fullmatch(sequence):
        bad = ", ".join(map(repr, sorted(set(LETTERS.sub("", sequence)))[:5]))
        raise FoldgraftError(f"{where}: the sequence holds {bad}; use the 20 amino acids and B, J, O, U, X, Z")
    return sequence.replace("J", "X")


def tabbed(name: str) -> bool:
    """Whether a table of that name is tab-separated."""
    return ".tsv" in Path(name).name.lower()


def count_rows(path: Path, tabs: bool = False) -> int:
    """Number of rows below the header of a table, comma- or tab-separated."""
    with _rows(path, tabs) as reader:
        return max(sum(1 for row in reader if row) - 1, 0)


@contextmanager
def _rows(path: Path, tabs: bool) -> Iterator[Iterator[list[str]]]:
    """The rows of a CSV or TSV table as lists; trouble with the file is a `FoldgraftError` naming it."""
    csv.field_size_limit(MAX_FIELD)
    try:
        with open_text(path) as handle:
            yield csv.reader(handle, delimiter="\t" if tabs else ",")
    except (OSError, EOFError, UnicodeDecodeError, zlib.error, csv.Error) as error:
        raise FoldgraftError(f"{path}: cannot be read as a table ({error})") from None


def read_labels(path: Path, columns: ColumnsSettings, tabs: bool = False) -> Iterator[Label]:
    """Yield the rows of a labelled table, comma- or tab-separated.

    Raises
    ------
    FoldgraftError
        for a column that is not there (naming those that are), an id that is illegal or comes twice, a label that is
        neither 0 or 1 nor a fraction, a fold that is no whole number, a sequence with other than residues.
    """
    wanted = {role: name for role, name in columns.model_dump().items() if name is not None}
    with _rows(path, tabs) as reader:
        header = [name.strip().removeprefix("\ufeff") for name in next(reader, [])]
        for role, name in wanted.items():
            if name not in header:
                have = ", ".join(header) or "none"
                raise FoldgraftError(f"solubility.columns.{role}: {path} has no column {name!r}; it has: {have}")
        place = {role: header.index(name) for role, name in wanted.items()}
        seen: set[str] = set()
        for number, row in enumerate(reader, start=2):
            if row:
                label = _label(row, place, f"{path}, row {number}")
                if label.id in seen:
                    raise FoldgraftError(f"{path}, row {number}: the id {label.id!r} has come before; ids must differ")
                seen.add(label.id)
                yield label
        if not seen:
            raise FoldgraftError(f"{path}: the table has no rows")


def _label(row: list[str], place: dict[str, int], where: str) -> Label:
    if len(row) <= max(place.values()):
        raise FoldgraftError(f"{where}: the row has {len(row)} fields, fewer than the header")
    name = checked_id(row[place["id"]].strip(), where)
    return Label(
        id=name,
        sequence=letters(row[place["sequence"]], f"{where} ({name})"),
        label=_fraction(row[place["label"]].strip(), f"{where} ({name})"),
        fold=_fold(row[place["fold"]].strip(), f"{where} ({name})") if "fold" in place else None,
    )


def _fraction(value: str, where: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:
        raise FoldgraftError(f"{where}: the label {value!r} is neither 0 or 1 nor a fraction between them")
    return number


def _fold(value: str, where: str) -> int | None:
    if value == "":
        return None
    if not re.fullmatch(r"\d{1,9}(?:\.0*)?", value):
        raise FoldgraftError(f"{where}: the fold {value!r} is no whole number from 0")
    return int(float(value))


def read_sequences(paths: Iterable[Path]) -> Iterator[Sequence]:
    """Yield (id, sequence) of FASTA files, records that repeat both once.

    Raises
    ------
    FoldgraftError
        for what is no FASTA or no protein, and for an id that comes again with another sequence.
    """
    for path in paths:
        for record in read_fasta(path):
            yield record.id, letters(record.sequence, f"{path} ({record.id})")


def merged(records: Iterable[Sequence], where: Callable[[], object] = lambda: "sequences") -> Iterator[Sequence]:
    """The records without those that repeat an earlier id and sequence; `where` says what is being read, for errors.

    Raises
    ------
    FoldgraftError
        for an id that comes again with another sequence.
    """
    seen: dict[str, bytes] = {}
    for name, sequence in records:
        digest = hashlib.sha256(sequence.encode()).digest()[:16]
        earlier = seen.setdefault(sys.intern(name), digest)
        if earlier != digest:
            raise FoldgraftError(f"{where()}: the id {name!r} stands for two different sequences; rename one")
        if earlier is digest:
            yield name, sequence


def subsample(items: Iterable[tuple], limit: int | None, seed: int = 0) -> list[tuple] | Iterable[tuple]:
    """At most `limit` of the items, whose first member is an id, in their order; the choice depends on ids and seed."""
    if limit is None:
        return items
    ranked = ((hashlib.sha256(f"{seed}:{item[0]}".encode()).digest(), at, item) for at, item in enumerate(items))
    return [item for _, _, item in sorted(heapq.nsmallest(limit, ranked), key=lambda entry: entry[1])]

"""The rows of SIFTS' pdb_chain_uniprot, as CSV or TSV, and whether a file holds them."""

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from operator import itemgetter
from pathlib import Path

from foldgraft.errors import FoldgraftError
from foldgraft.fetch.identifiers import accession, pdb_id
from foldgraft.fetch.packed import decompressed

COLUMNS = ("PDB", "CHAIN", "SP_PRIMARY", "RES_BEG", "RES_END", "PDB_BEG", "PDB_END", "SP_BEG", "SP_END")
"""The file's columns, in the order of `SCHEMA`."""
AUTHOR = re.compile(r"-?\d+\S?")
NOTHING = {"", "None", "null"}
MAX_LINE = 10_000  # bytes
SHOWN = 10  # bad rows that a message lists
FIRST = 1000  # rows that are read before any job


def check_table(path: Path, bound: int) -> None:
    """Stop if a file cannot be decompressed whole, or its first rows are not those of SIFTS.

    Raises
    ------
    FoldgraftError
        naming the file and the first row that is wrong.
    """
    bad: list[str] = []
    try:
        for _ in decompressed(path, bound):
            pass
        good = sum(1 for _ in islice(rows(path, bound, bad), FIRST))
    except ValueError as error:
        raise FoldgraftError(f"structures.sifts: {path}: {error}; fetch it anew") from None
    except OSError as error:
        raise FoldgraftError(f"structures.sifts: {path} cannot be read ({error.strerror})") from None
    if not enough(good, len(bad)):
        problem = f"of its first {good + len(bad)} rows {len(bad)} are no segments; {bad[0]}" if bad else "has no rows"
        raise FoldgraftError(f"structures.sifts: {path}: {problem}; take pdb_chain_uniprot.csv.gz or .tsv.gz of SIFTS")


def enough(good: int, bad: int) -> bool:
    """Whether a table with so many rows that make sense, and so many that do not, is one of SIFTS."""
    return good > 0 and good >= 9 * bad


def rows(path: Path, bound: int, bad: list[str]) -> Iterator[tuple]:
    """Rows as in `SCHEMA`; what is wrong with others is added to `bad`."""
    numbered = lines(decompressed(path, bound))
    separator, columns = header(numbered)
    pick = itemgetter(*columns)
    for number, line in numbered:
        if line:
            try:
                yield _row(*pick(line.split(separator)))
            except (ValueError, IndexError):
                bad.append(f"line {number} is no segment: {line[:80]!r}" if len(bad) < SHOWN else "")


def header(numbered: Iterable[tuple[int, str]]) -> tuple[str, list[int]]:
    """The separator and the numbers of the columns; comments may come before the header."""
    first = next((line for _, line in numbered if line and not line.startswith("#")), "")
    separator = "\t" if "\t" in first else ","
    names = first.split(separator)
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        raise ValueError(f"its header has no column {missing[0]}, it begins with {first[:40]!r}")
    return separator, [names.index(name) for name in COLUMNS]


def _row(entry: str, chain: str, name: str, *numbers: str) -> tuple:
    first, last, author_first, author_last, uniprot_first, uniprot_last = numbers
    row = (
        pdb_id(entry),
        chain,
        accession(name),
        int(first),
        int(last),
        _author(author_first),
        _author(author_last),
        int(uniprot_first),
        int(uniprot_last),
    )
    if not (row[0] and chain and row[2] and 1 <= row[3] <= row[4] < 2**31 and 1 <= row[7] <= row[8] < 2**31):
        raise ValueError
    return row


def _author(text: str) -> str | None:
    if text in NOTHING:
        return None
    if not AUTHOR.fullmatch(text):
        raise ValueError
    return text


def lines(chunks: Iterable[bytes]) -> Iterator[tuple[int, str]]:
    """Numbered lines of a text in pieces; one without an end, or that is no UTF-8, is a `ValueError`."""
    number, rest = 0, b""
    try:
        for chunk in chunks:
            *whole, rest = (rest + chunk).split(b"\n")
            if len(rest) > MAX_LINE:
                raise ValueError(f"line {number + len(whole) + 1} is longer than {MAX_LINE} bytes")
            for line in whole:
                number += 1
                yield number, line.decode("utf-8").rstrip("\r")
        if rest:
            number += 1
            yield number, rest.decode("utf-8").rstrip("\r")
    except UnicodeDecodeError:
        raise ValueError(f"line {max(1, number)} is no text in UTF-8") from None

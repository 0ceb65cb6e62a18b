"""What a FASTA file asks for: one candidate per record, with the reason if it cannot be predicted."""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from io import BufferedReader
from itertools import islice
from pathlib import Path
from string import ascii_lowercase, ascii_uppercase
from typing import NamedTuple, TypeVar

from foldgraft.errors import FoldgraftError
from foldgraft.models.trunk import alphabet
from foldgraft.predict.settings import PredictSettings
from foldgraft.records.fasta import count_records, raw_records
from foldgraft.records.files import STANDARD
from foldgraft.residues import NUCLEIC, is_nucleic

T = TypeVar("T")
CAPITALS = str.maketrans(ascii_lowercase, ascii_uppercase)
GAPS = ".-"
VAGUE = "XBZ"
"""Letters that leave open which amino acid they stand for."""
KNOWN = 0.5
"""Least fraction of the residues that must be known."""


class Candidate(NamedTuple):
    """One record, under its own name.

    Attributes
    ----------
    id
        the first word of its header, `record:<number>` where there is none.
    sequence
        in capitals, without blanks and the stop at its end; J (leucine or isoleucine) is written X.
    reason
        why it cannot be predicted; empty if it can.
    description
        the other words of its header.
    """

    id: str
    sequence: str
    reason: str
    description: str = ""


@dataclass(frozen=True)
class Candidates:
    """Every record of a FASTA file, fit or not, in its order; `stream` is read in place of the file.

    Going through them raises FoldgraftError for a file that is not FASTA.
    """

    fasta: Path
    settings: PredictSettings
    stream: BufferedReader | None = None

    @cached_property
    def total(self) -> int | None:
        """How many there are; None of a stream or a pipe, which can be read but once."""
        return count_records(self.fasta) if self.stream is None and self.fasta.is_file() else None

    def __iter__(self) -> Iterator[Candidate]:
        for number, header, text in raw_records(self.fasta, self.stream):
            name, description = (*printable(header).split(maxsplit=1), "", "")[:2]
            sequence = letters(text)
            yield Candidate(name or f"record:{number}", sequence, why_not(sequence, self.settings), description)


def records_of(fasta: Path) -> Candidates:
    """The records of a FASTA file, or of standard input.

    Raises
    ------
    FoldgraftError
        if there is no such file.
    """
    if fasta != STANDARD and (fasta.is_dir() or not fasta.exists()):
        problem = "is a folder" if fasta.is_dir() else "there is no such file"
        raise FoldgraftError(f"{fasta}: {problem}; name a FASTA file, or - for standard input")
    stream = BufferedReader(sys.stdin.buffer) if fasta == STANDARD else None
    return Candidates(fasta, PredictSettings(), stream)


def one(fasta: Path) -> Candidate:
    """The protein of a FASTA file with one record.

    Raises
    ------
    FoldgraftError
        if it has several, or one that cannot be predicted.
    """
    records = list(islice(records_of(fasta), 2))
    if len(records) > 1:
        raise FoldgraftError(f"{fasta}: more than one record; name a file of one protein")
    if records[0].reason:
        raise FoldgraftError(f"{fasta}: {records[0].id[:60]}: {records[0].reason}")
    return records[0]


def letters(text: str) -> str:
    """A sequence in capitals, without blanks and the stop at its end; J is written X."""
    return "".join(text.split()).translate(CAPITALS).removesuffix("*").replace("J", "X")


def printable(header: str) -> str:
    """A header that cannot steer a terminal."""
    return "".join(letter if letter.isprintable() else " " for letter in header)


def why_not(sequence: str, settings: PredictSettings) -> str:
    """Why a sequence cannot be predicted; empty if it can."""
    if not sequence:
        return "the sequence is empty"
    if any(gap in sequence for gap in GAPS):
        return "gaps of an alignment ('-' or '.'); give the sequence without them"
    if "*" in sequence:
        return f"a stop ('*') at position {sequence.index('*') + 1}, before the end"
    if wrong := alphabet.illegal(sequence):
        return f"no letters of a protein: {' '.join(repr(letter) for letter in wrong[:5])}"
    if is_nucleic(sequence):
        return NUCLEIC
    if len(sequence) < settings.min_length:
        return f"{len(sequence)} residues, fewer than {settings.min_length}"
    if len(sequence) > settings.max_length:
        return f"{len(sequence)} residues, more than {settings.max_length}"
    known = len(sequence) - sum(map(sequence.count, VAGUE))
    if known < KNOWN * len(sequence):
        return f"only {known} of {len(sequence)} residues are known"
    return ""


def chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield lists of up to `size` items."""
    chunk: list[T] = []
    for item in items:
        chunk.append(item)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def portions(records: Iterable[Candidate], residues: int) -> Iterator[list[Candidate]]:
    """Yield lists of consecutive records of at least so many residues, whatever their lengths."""
    portion: list[Candidate] = []
    total = 0
    for record in records:
        portion.append(record)
        total += 1 + len(record.sequence)  # empty ones take room too
        if total >= residues:
            yield portion
            portion, total = [], 0
    if portion:
        yield portion

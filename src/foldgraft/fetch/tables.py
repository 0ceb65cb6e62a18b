"""Sequences as the user gives them: read record by record, checked record by record."""

import hashlib
import heapq
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from foldgraft.errors import FoldgraftError
from foldgraft.records.fasta import read_fasta
from foldgraft.residues import NUCLEIC, TELLING, THREE_TO_ONE, looks_nucleic

LETTERS = re.compile(r"[ACDEFGHIKLMNPQRSTVWYBJOUXZ]+")
THREE_LETTERS = re.compile(f"({'|'.join(THREE_TO_ONE)}){{4,}}")
THREE_CODES = "the sequence is in three-letter codes; write one letter a residue"
SHOWN = 5
"""Wrong rows or records that are told one by one; the others are counted."""

Sequence = tuple[str, str]  # id, letters


def clean_sequence(text: str, where: str) -> str:
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


class Unlike:
    """The sequences of one source that look like DNA, RNA or three-letter codes.

    The letters of a peptide may do so by chance, so a short sequence passes. A longer one is turned away by itself.
    Only a source of which most sequences look so is refused.
    """

    def __init__(self) -> None:
        self._sequences = self._found = self._letters = 0
        self._told: list[str] = []

    def reason(self, sequence: str, where: str) -> str:
        """Why a sequence of the source is turned away; empty if it is not."""
        self._sequences += 1
        reason = NUCLEIC if looks_nucleic(sequence) else THREE_CODES if THREE_LETTERS.fullmatch(sequence) else ""
        if reason:
            self._found += 1
            self._letters += len(sequence)
            self._told += [f"{where}: {reason}"] if len(self._told) < SHOWN else []
        return reason if len(sequence) >= TELLING else ""

    def check(self, things: str) -> None:
        """Refuse a source, of which all sequences have been seen, if most of them look like no proteins.

        Raises
        ------
        FoldgraftError
            telling the first of them, and how many more `things` there are.
        """
        if self._found > self._sequences / 2 and self._letters >= TELLING:
            more = f"\n... and {self._found - SHOWN} more {things}" if self._found > SHOWN else ""
            raise FoldgraftError("\n".join(self._told) + more)


def read_sequences(paths: Iterable[Path], reject: Callable[[Path, str, str], None]) -> Iterator[Sequence]:
    """Yield (id, sequence) of FASTA files.

    Parameters
    ----------
    paths : iterable of Path
    reject : function of path, id and reason
        called for each record that is turned away, since it looks like no protein.

    Raises
    ------
    FoldgraftError
        for what is no FASTA, and for a file of DNA, RNA or three-letter codes.
    """
    for path in paths:
        unlike = Unlike()
        for record in read_fasta(path):
            where = f"{path} ({record.id})"
            sequence = clean_sequence(record.sequence, where)
            if reason := unlike.reason(sequence, where):
                reject(path, record.id, reason)
            else:
                yield record.id, sequence
        unlike.check("records")


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

"""Sequences as the user gives them: read record by record, checked record by record."""

import hashlib
import heapq
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from foldgraft.errors import FoldgraftError
from foldgraft.records.fasta import read_fasta
from foldgraft.residues import NUCLEIC, THREE_TO_ONE, is_nucleic

LETTERS = re.compile(r"[ACDEFGHIKLMNPQRSTVWYBJOUXZ]+")
THREE_LETTERS = re.compile(f"({'|'.join(THREE_TO_ONE)}){{4,}}$")

Sequence = tuple[str, str]  # id, letters


def letters(text: str, where: str) -> str:
    """A sequence in upper case without the stop at its end; J (leucine or isoleucine) is written X.

    Raises
    ------
    FoldgraftError
        naming `where` and the characters that are no residues, or that it is DNA, RNA or three-letter codes.
    """
    sequence = "".join(text.split()).upper().removesuffix("*")
    if not sequence:
        raise FoldgraftError(f"{where}: the sequence is empty")
    if not LETTERS.fullmatch(sequence):
        bad = ", ".join(map(repr, sorted(set(LETTERS.sub("", sequence)))[:5]))
        raise FoldgraftError(f"{where}: the sequence holds {bad}; use the 20 amino acids and B, J, O, U, X, Z")
    if is_nucleic(sequence):
        raise FoldgraftError(f"{where}: {NUCLEIC}")
    if THREE_LETTERS.match(sequence):
        raise FoldgraftError(f"{where}: the sequence is in three-letter codes; write one letter a residue")
    return sequence.replace("J", "X")


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

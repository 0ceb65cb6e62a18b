"""Variants of one protein, for choosing a construct: substitutions, truncations, tags and fusion partners."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from foldgraft.errors import FoldgraftError
from foldgraft.models.trunk import alphabet
from foldgraft.residues import AMINO_ACIDS

SHORTEST = 30
"""Residues that a truncation leaves at least."""
MOST_CUT = 0.4
"""Largest fraction of the residues that a truncation takes away."""
TAG_COLUMNS = ["name", "end", "sequence"]


class Tag(NamedTuple):
    """What is fused to a protein, and to which of its ends, N or C."""

    name: str
    end: str
    sequence: str


class Variant(NamedTuple):
    """A variant of the protein; numbers of residues count from 1.

    Attributes
    ----------
    kind
        substitution, truncation or tag.
    name
        as a biochemist writes it: K48H, 12-180, His6 at N.
    position
        of a substitution, else 0.
    to
        the new amino acid of a substitution.
    """

    kind: str
    name: str
    sequence: str
    position: int = 0
    to: str = ""


def substitutions(sequence: str) -> Iterator[Variant]:
    """Every single substitution by another of the 20 amino acids, position by position."""
    for place, letter in enumerate(sequence):
        for other in AMINO_ACIDS:
            if other != letter:
                changed = sequence[:place] + other + sequence[place + 1 :]
                yield Variant("substitution", f"{letter}{place + 1}{other}", changed, place + 1, other)


def truncations(sequence: str) -> Iterator[Variant]:
    """The protein less 1, 2, ... residues at its N-terminus, then at its C-terminus.

    An N-terminal methionine stays in front of what is left, as translation needs it.
    """
    length = len(sequence)
    most = min(length - SHORTEST, int(MOST_CUT * length))
    start = "M" if sequence.startswith("M") else ""
    for cut in range(1, most + 1):
        rest = sequence[cut:]
        yield Variant("truncation", f"{cut + 1}-{length}", rest if rest.startswith("M") else start + rest)
    for cut in range(1, most + 1):
        yield Variant("truncation", f"1-{length - cut}", sequence[: length - cut])


def tagged(sequence: str, tags: list[Tag]) -> Iterator[Variant]:
    """The protein with each tag; behind an N-terminal one without the protein's own first methionine."""
    for tag in tags:
        fused = tag.sequence + sequence.removeprefix("M") if tag.end == "N" else sequence + tag.sequence
        yield Variant("tag", f"{tag.name} at {tag.end}", fused)


def read_tags(path: Path) -> list[Tag]:
    """Tags of a table with the columns name, end (N or C) and sequence.

    Raises
    ------
    FoldgraftError
        if a column is missing, or a row is no tag.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as handle:
            table = csv.DictReader(handle)
            if missing := set(TAG_COLUMNS) - set(table.fieldnames or ()):
                raise FoldgraftError(f"{path}: the column {min(missing)} is missing; it needs {', '.join(TAG_COLUMNS)}")
            rows = [Tag(*((row[column] or "").strip() for column in TAG_COLUMNS)) for row in table]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FoldgraftError(f"{path}: cannot be read as a table of tags ({error})") from None
    for number, tag in enumerate(rows, start=2):
        if tag.end not in ("N", "C") or not tag.sequence or alphabet.illegal(tag.sequence):
            raise FoldgraftError(
                f"{path}, line {number}: a tag has an end (N or C) and letters of a protein in capitals"
            )
    return rows

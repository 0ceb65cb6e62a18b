"""The rows of an alignment file over common columns."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from foldgraft.errors import FoldgraftError
from foldgraft.evolution.formats import Part, Row

INSERTION = str.maketrans("", "", "abcdefghijklmnopqrstuvwxyz.")
"""Takes the insertions of A3M away."""


@dataclass(frozen=True)
class Alignment:
    """Rows of A3M over common columns: a capital or `-` for each column, lower-case letters for insertions before it.

    `guide` is the row of a query that another file holds, column by column; None where there is no such file.
    """

    rows: list[Row]
    width: int
    guide: str | None = None

    @property
    def candidates(self) -> list[Row]:
        """The rows that may stand for a chain: the guide alone if there is one, else all."""
        return self.rows if self.guide is None else [Row("query", self.guide)]


def over_columns(part: Part, where: Path, guide: str | None = None) -> Alignment:
    """Bring the rows of a file over common columns.

    Where most rows are of one length, each character is a column; otherwise the lower-case letters of A3M are
    insertions already. Rows of another width than most are dropped and counted in `part.dropped`.

    Raises
    ------
    FoldgraftError
        if the guide has another width than the rows, or is nothing but gaps.
    """
    texts = [row.text for row in part.rows]
    width, agree = Counter(map(len, texts)).most_common(1)[0]
    matched = [text.replace(".", "") for text in texts]
    columns, also = Counter(len(text.translate(INSERTION)) for text in matched).most_common(1)[0]
    if agree >= also or not columns:
        matched = [text.upper().replace(".", "-") for text in texts]
    else:
        width = columns
    rows = []
    for row, text in zip(part.rows, matched, strict=True):
        fitted = _of_width(text, width)
        if fitted:
            rows.append(Row(row.name, fitted.replace("*", "-")))
    if len(rows) < len(texts):
        part.dropped["of another length"] += len(texts) - len(rows)
    if guide is not None:
        guide = guide.upper().replace(".", "-").replace("*", "-")
        if len(guide) != width:
            raise FoldgraftError(f"{where}: its rows have {width} columns where its query has {len(guide)}")
        if not guide.strip("-"):
            raise FoldgraftError(f"{where}: its query is nothing but gaps")
    return Alignment(rows, width, guide)


def _of_width(text: str, width: int) -> str:
    """The text if it has that many columns, with or without the `*` of a stop codon at its end; empty if not."""
    short = text.rstrip("*")
    return next((line for line in (text, short) if len(line.translate(INSERTION)) == width), "")

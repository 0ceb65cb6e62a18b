"""What was dropped and why: `rejects/<shard>.csv` of a stage."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from foldgraft.records.files import sealed
from foldgraft.records.text_tables import Rows, read_texts


class Reject(NamedTuple):
    """One row: what was dropped, and why."""

    id: str
    """Of the entry, chain or sequence."""
    rule: str
    """The rule that dropped it, in a word."""
    value: str
    """What the rule saw."""
    reason: str
    """The reason in words."""


COLUMNS = list(Reject._fields)


def write_rejects(path: Path, rows: Iterable[Reject]) -> None:
    """Write the rows; an empty table has its header."""
    with sealed(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as handle:
        table = Rows(handle, COLUMNS)
        for row in rows:
            table.write(row)


def read_rejects(path: Path) -> pd.DataFrame:
    """Read a table of rejects, all columns as text.

    Raises
    ------
    FoldgraftError
        if the file is no such table.
    """
    return read_texts(path, COLUMNS, "a table of rejects")

"""What was dropped and why: `rejects/<shard>.csv` of a stage."""

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from foldgraft.errors import FoldgraftError
from foldgraft.records.files import atomic


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
    with atomic(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as handle:
        table = csv.writer(handle, lineterminator="\n")
        table.writerow(COLUMNS)
        table.writerows([cell.replace("\r", " ") for cell in row] for row in rows)  # to readers, a bare \r ends a row


def read_rejects(path: Path) -> pd.DataFrame:
    """Read a table of rejects, all columns as text.

    Raises
    ------
    FoldgraftError
        if the file is no such table.
    """
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise FoldgraftError(f"{path}: cannot be read as a table of rejects ({error})") from None
    if list(table.columns) != COLUMNS:
        raise FoldgraftError(f"{path}: not a table of rejects, its columns are not {', '.join(COLUMNS)}")
    return table

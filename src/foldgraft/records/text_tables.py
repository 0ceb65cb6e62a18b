"""CSV files: written so that no spreadsheet takes a cell for a formula, and read back as text.

Ids, names, headers and file names come from outside. A text that a spreadsheet would compute, since it begins with `=`,
`+`, `-`, `@`, a tab or a carriage return and is no number, is written with an apostrophe before it, as OWASP advises
(CSV injection). Reading takes the apostrophe away again.
"""

import csv
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, Any

import pandas as pd

from foldgraft.errors import FoldgraftError
from foldgraft.records.files import REMAKE, intact

FORMULA = re.compile(r"'*[=+@\t\r-]")
"""What a text begins with that is written with an apostrophe more."""
ESCAPED = re.compile(r"'+[=+@\t\r-]")


def safe_cell(value: Any) -> Any:
    """A cell as it is written; other things than texts, and numbers as texts, stay as they are."""
    return f"'{value}" if isinstance(value, str) and FORMULA.match(value) and not _is_number(value) else value


def plain_cell(text: Any) -> Any:
    """The text that `safe_cell` was given."""
    return text[1:] if isinstance(text, str) and ESCAPED.match(text) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text[-1:].isalnum() and "_" not in text


class Rows:
    """Writes the rows of a CSV file, its header first."""

    def __init__(self, handle: IO[str], columns: Sequence[str]):
        self._writer = csv.writer(handle, lineterminator="\n")
        self.write(columns)

    def write(self, row: Iterable[Any]) -> None:
        """Write a row; a bare carriage return, which ends a row to readers, becomes a blank."""
        self._writer.writerow([_cell(cell) for cell in row])


def _cell(value: Any) -> Any:
    return safe_cell(value.replace("\r", " ") if isinstance(value, str) else value)


def write_frame(path: Path, frame: pd.DataFrame, number: str | None = None) -> None:
    """Write a table; an undefined value is an empty cell. `number` formats the fractions, such as "%.6g"."""
    texts = frame.select_dtypes(exclude=["number", "bool"]).columns
    frame.assign(**{name: frame[name].map(_cell) for name in texts}).to_csv(path, index=False, float_format=number)


def plain(table: pd.DataFrame) -> pd.DataFrame:
    """A table that was read, its texts as they were before they were written."""
    texts = table.select_dtypes(exclude=["number", "bool"]).columns
    return table.assign(**{name: table[name].map(plain_cell) for name in texts})


def read_texts(path: Path, columns: Sequence[str], what: str) -> pd.DataFrame:
    """Read a CSV file all of whose columns are text.

    Parameters
    ----------
    path : Path
    columns : sequence of str
        that it must have, in this order.
    what : str
        what it is called in messages, such as "a table of rejects".

    Raises
    ------
    FoldgraftError
        if the file is no such table, or was damaged.
    """
    try:
        table = pd.read_csv(intact(path), dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise FoldgraftError(f"{path}: cannot be read as {what} ({error}); {REMAKE}") from None
    if list(table.columns) != list(columns):
        raise FoldgraftError(f"{path}: not {what}, its columns are not {', '.join(columns)}; {REMAKE}")
    return plain(table)

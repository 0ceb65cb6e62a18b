"""CSV files that stages hand on, read back as text."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from foldgraft.errors import FoldgraftError
from foldgraft.records.files import REMAKE, intact


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
    return table

"""Folders that a run writes to, looked at before any job."""

import os
from collections.abc import Iterable
from pathlib import Path

from foldgraft.errors import FoldgraftError


def check_writable(folders: Iterable[Path]) -> None:
    """Stop if one of these folders cannot be written to, or could not be made.

    Raises
    ------
    FoldgraftError
        naming the folder.
    """
    for folder in folders:
        place = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
        if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
            raise FoldgraftError(
                f"{place}: cannot be written to, and this run would write {folder} there; run it in a folder of your "
                "own (`--directory`), or ask for the right to write"
            )

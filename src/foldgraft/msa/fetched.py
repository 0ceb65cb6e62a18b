"""Alignments that the stage `fetch` brought from a server."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from foldgraft.errors import FoldgraftError
from foldgraft.evolution.a3m import onto_chain
from foldgraft.evolution.columns import over_columns
from foldgraft.evolution.formats import read_parts
from foldgraft.msa.given import Serving
from foldgraft.records.files import file_sha256
from foldgraft.records.lock import SCHEMA, store_path
from foldgraft.records.tables import read_rows


class Fetched:
    """What a server answered for the sequences of a shard; one that it could not align has no row.

    Parameters
    ----------
    lock : Path
        the shard's piece of the lock.
    ids : mapping of str to str
        by sha256 of the sequence, the id that the lock knows it by.
    """

    def __init__(self, lock: Path, ids: Mapping[str, str], store: Path):
        self._rows = {row["id"]: row for row in read_rows(lock, SCHEMA)}
        self._lock, self._ids, self._store = lock, ids, store

    def __contains__(self, sequence_sha256: str) -> bool:
        return True

    def read(self, sequence_sha256: str, sequence: str) -> Serving:
        """The rows of a sequence's alignment but for the first, which is the sequence itself."""
        row = self._rows.get(self._ids[sequence_sha256])
        covered = np.ones(len(sequence), bool)
        if row is None:
            raise FoldgraftError(f"{self._lock} has no row for {self._ids[sequence_sha256]}; delete it and run again")
        if row["sha256"] is None:
            return Serving("colabfold", [], covered, 0)
        path = store_path(self._store, row["sha256"])
        if not path.is_file() or file_sha256(path) != row["sha256"]:
            raise FoldgraftError(
                f"{row['id']}: its alignment {path} is missing or was damaged; delete {self._lock} and run again"
            )
        (part,) = read_parts(path)
        alignment = over_columns(part, path)
        rows = onto_chain(alignment.rows[1:], np.arange(len(sequence)))
        return Serving("colabfold", rows, covered, sum(part.dropped.values()))

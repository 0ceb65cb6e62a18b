"""A run again from its lock and the store, without a network and without the local files it was made from."""

from collections import defaultdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from foldgraft.errors import FoldgraftError
from foldgraft.progress import progress
from foldgraft.records import footer
from foldgraft.records.files import file_sha256
from foldgraft.records.lock import SCHEMA, store_path, write_piece
from foldgraft.records.tables import read_rows

Row = dict[str, Any]


class Replay:
    """What an earlier run fetched, by shard; every file is verified when it is asked for."""

    def __init__(self, lock: Path, store: Path):
        self.lock, self.store = Path(lock), Path(store)

    def shards(self) -> dict[str, set[str]]:
        """Ids of each shard or input, in the order of the lock."""
        table, names = self._table(), defaultdict(set)
        for shard, name in zip(table["shard"].to_pylist(), table["id"].to_pylist(), strict=True):
            names[shard].add(name)
        return names

    def rows(self, shard: str) -> list[Row]:
        """The rows of a shard or input, in the order of the lock.

        A shard of a search may be empty, since a search may find fewer entries than were asked for.

        Raises
        ------
        FoldgraftError
            if the lock cannot be read or has no rows of the shard.
        """
        rows = self._table(("shard", "=", shard)).to_pylist()
        if not rows and not (shard.startswith("query-") and len(self._table(("shard", "=", "search")))):
            raise FoldgraftError(f"replay: {self.lock} has no rows of the shard {shard!r}; is it this run's lock?")
        return rows

    def _table(self, *conditions: tuple[str, str, str]) -> pa.Table:
        try:
            have = set(pq.read_schema(self.lock).names)
            missing = [name for name in SCHEMA.names if name not in have]
            if missing:  # else they would be read as null
                raise FoldgraftError(
                    f"replay: {self.lock} has no column {missing[0]}; it is no lock, or that of another version"
                )
            if footer.sound(self.lock) is False:
                raise OSError("its footer differs from its checksum")
            return pq.read_table(
                self.lock, schema=SCHEMA, filters=list(conditions) or None, page_checksum_verification=True
            )
        except (OSError, pa.ArrowException):
            raise FoldgraftError(
                f"replay: {self.lock} is no lock, or is damaged; name the fetch/lock.parquet of a run"
            ) from None

    def path(self, row: Row) -> Path:
        """The stored file of a row, once its bytes are found to be those of the lock.

        Raises
        ------
        FoldgraftError
            naming the id, the sha256 and the store, if the file is missing or damaged.
        """
        path = store_path(self.store, row["sha256"])
        if not path.is_file():
            raise FoldgraftError(
                f"replay: {row['id']}: the store {self.store} lacks its file {row['sha256']}; "
                "fetch it again without replay"
            )
        if file_sha256(path) != row["sha256"]:
            raise FoldgraftError(
                f"replay: {row['id']}: its file {row['sha256']} in the store {self.store} was damaged; delete it and "
                "fetch again without replay"
            )
        return path

    def piece(self, shard: str, out: Path) -> None:
        """Write the rows of a shard as its piece of the lock, once all its files are verified."""
        rows = self.rows(shard)
        for row in progress(rows, "verified"):
            if row["sha256"]:
                self.path(row)
        write_piece(out, shard, rows)


def stored_files(replay: Replay, table: str) -> dict[str, Path]:
    """The stored files of an earlier run's labelled table, by the path that its configuration named them by."""
    return {row["url"]: replay.path(row) for row in replay.rows(table)}


def verify(lock: Path, store: Path) -> int:
    """Verify the stored file of every row of a lock; returns how many there are.

    Raises
    ------
    FoldgraftError
        with a line for each file that is missing or damaged.
    """
    replay, problems, count = Replay(lock, store), [], 0
    for row in progress(read_rows(lock, SCHEMA), "verified"):
        if row["sha256"]:
            count += 1
            try:
                replay.path(row)
            except FoldgraftError as error:
                problems.append(str(error))
    if problems:
        raise FoldgraftError("\n".join(problems))
    return count

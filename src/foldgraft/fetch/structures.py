"""One shard of structures into the store, with its piece of the lock."""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd

from foldgraft.errors import FoldgraftError
from foldgraft.fetch.client import Client, FinalError, check_services
from foldgraft.fetch.downloads import Row, download, lock_row
from foldgraft.fetch.inputs import Item, structure_shards
from foldgraft.fetch.settings import FetchSettings, StructuresSettings
from foldgraft.fetch.store import Store, read_chunks
from foldgraft.progress import progress
from foldgraft.records import lock as lock_records
from foldgraft.records.tables import read_frames, write_frame


def fetch_shard(
    shard: str,
    structures: StructuresSettings,
    search: Path | None,
    data: Path,
    store: Path,
    lock: Path,
    fetch: FetchSettings,
    source: str = "files",
) -> None:
    """Bring a shard that the configuration names into the store and write its piece of the lock.

    Local files are noted under `source`. Whatever cannot be had is a rejected row.
    """
    items = structure_shards(structures, fetch, data).get(shard)
    if items is None:
        raise FoldgraftError(f"--shard: the configuration has no shard {shard!r}")
    if shard.startswith("query-"):
        items = searched(shard, search, fetch)
    items = [item._replace(source=source) if item.source == "files" else item for item in items]
    bring(items, data, Store(store), lock, fetch)


def searched(shard: str, search: Path | None, fetch: FetchSettings) -> list[Item]:
    """The items of a shard of search results."""
    if search is None:
        raise FoldgraftError("--search: a shard of a query needs the table of ids that `fetch search` writes")
    number, names = shard_number(shard), search.read_text().split()
    return [Item("rcsb", name, name) for name in names[number * fetch.shard_size : (number + 1) * fetch.shard_size]]


def shard_number(shard: str) -> int:
    """The number in a shard's name."""
    source, _, number = shard.rpartition("-")
    if not source or not number.isdigit():
        raise FoldgraftError(f"--shard: {shard!r} is no shard; they are named files-00000 and so on")
    return int(number)


def bring(items: list[Item], data: Path, store: Store, lock: Path, fetch: FetchSettings) -> None:
    """Store every item and write the lock's rows in the items' order."""
    rows = list(progress(_rows(items, data, store, fetch), "fetch", total=len(items)))
    write_frame(lock, pd.DataFrame(rows, columns=lock_records.SCHEMA.names), lock_records.SCHEMA)
    print(", ".join(f"{n} {status}" for status, n in Counter(r["status"] for r in rows).items()), file=sys.stderr)


def _rows(items: list[Item], data: Path, store: Store, fetch: FetchSettings) -> Iterator[Row]:
    if all(item.source in ("files", "synth") for item in items):
        yield from (copy(item, data, store, fetch) for item in items)
        return
    check_services(fetch)
    with Client(fetch) as client, ThreadPoolExecutor(fetch.connections) as pool:
        rows = []
        for row in pool.map(lambda item: download(item, client, store, fetch), items):
            rows.append(row)
            yield row
        client.check_answered(row["reason"] for row in rows if row["status"] == "rejected")


def copy(item: Item, data: Path, store: Store, fetch: FetchSettings) -> Row:
    """Copy a local file into the store; one that cannot be read, or is too large, is a rejected row."""
    path = Path(item.place)
    shown = str(path.relative_to(data) if path.is_relative_to(data) else path)
    try:
        sha256, size = store.add(_pieces(path, fetch.max_file_mb * 10**6))
    except FinalError as error:
        return lock_row(item, shown, "rejected", reason=str(error))
    return lock_row(item, shown, "stored", sha256=sha256, bytes=size)


def _pieces(path: Path, bound: int) -> Iterator[bytes]:
    try:
        if path.stat().st_size > bound:
            raise FinalError(f"the file is larger than {bound} bytes (fetch.max_file_mb)")
        yield from read_chunks(path)
    except OSError as error:
        raise FinalError(f"the file cannot be read ({error.strerror})") from None


def merge_lock(pieces: Iterable[Path], lock: Path, tables: Iterable[Path], data: Path, store: Path) -> None:
    """Write the pieces of the lock as one table, in the order given, and after them labelled tables, stored whole."""
    rows = [file_row(table, data, Store(store)) for table in tables]
    named = pd.DataFrame(rows, columns=lock_records.SCHEMA.names)
    parts = [part for part in (read_frames(pieces, lock_records.SCHEMA), named) if len(part)]
    write_frame(lock, pd.concat(parts, ignore_index=True) if parts else named, lock_records.SCHEMA)


def file_row(path: Path, data: Path, store: Store) -> Row:
    """Store a local file that must be there; its row of the lock."""
    shown = str(path.relative_to(data) if path.is_relative_to(data) else path)
    sha256, size = store.add(read_chunks(path))
    return lock_row(Item("files", path.name, shown), shown, "stored", sha256=sha256, bytes=size)

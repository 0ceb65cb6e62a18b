"""One shard of structures into the store, with its piece of the lock."""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow.parquet as pq

from foldgraft.errors import FoldgraftError
from foldgraft.fetch.client import Client, FinalError, check_services
from foldgraft.fetch.downloads import Row, download, lock_row
from foldgraft.fetch.inputs import Item, items_of, shown_path
from foldgraft.fetch.origin import Origin
from foldgraft.fetch.parallel import in_parallel
from foldgraft.fetch.store import read_chunks
from foldgraft.fetch.withdrawn import with_successors
from foldgraft.progress import progress
from foldgraft.records.files import intact
from foldgraft.records.lock import SCHEMA, write_piece
from foldgraft.records.tables import read_rows, row_writer


def fetch_shard(
    shard: str, locations: list[str], search: Path | None, origin: Origin, lock: Path, source: str = "files"
) -> None:
    """Bring a shard into the store and write its piece of the lock.

    `locations` are its files, PDB ids or accessions, as the name of the shard says; those of a `query-` shard stand in
    the table `search`. Local files are noted under `source`. Whatever cannot be had is a rejected row. In a replay the
    shard is what it was then.
    """
    if origin.earlier:
        origin.earlier.piece(shard, lock)
        return
    named: list[str] = []
    size = origin.settings.shard_size
    if shard.startswith("query-"):
        if search is None:
            raise FoldgraftError("--search: a shard of a query needs the table of ids that `fetch search` writes")
        first, named = shard_number(shard) * size, intact(search).read_text().split()
        items = items_of("rcsb-00000", named[first : first + size])
    else:
        items = items_of(shard, locations)
    items = [item._replace(source=source) if item.source == "files" else item for item in items]
    bring(items, shard, origin, lock, {*named, *(item.id.lower() for item in items)})


def shard_number(shard: str) -> int:
    """The number in a shard's name."""
    source, _, number = shard.rpartition("-")
    if not source or not number.isdigit():
        raise FoldgraftError(f"--shard: {shard!r} is no shard; they are named files-00000 and so on")
    return int(number)


def bring(items: list[Item], shard: str, origin: Origin, lock: Path, named: set[str]) -> None:
    """Store every item and write the lock's rows in the items' order, each followed by those of its successors.

    A successor whose lower-case id is `named` comes by itself and is not taken twice.
    """
    origin.store.tidy()
    try:
        rows = list(_rows(items, origin, named))
    except OSError as error:
        if error.filename is None:  # the log, on a full disk
            raise
        raise FoldgraftError(f"the store {origin.store.root} cannot be written or read: {error}") from None
    write_piece(lock, shard, rows)
    for row in rows:
        if row["status"] == "replaced":
            print(f"{row['id']}: {row['reason']}", file=sys.stderr)
    print(", ".join(f"{n} {status}" for status, n in Counter(r["status"] for r in rows).items()), file=sys.stderr)


def _rows(items: list[Item], origin: Origin, named: set[str]) -> Iterator[Row]:
    store, fetch = origin.store, origin.settings
    if all(item.source in ("files", "synth") for item in items):
        yield from progress((copy(item, origin) for item in items), "fetch", total=len(items))
        return
    check_services(fetch)
    with Client(fetch) as client:

        def downloaded(items: list[Item]) -> Iterator[Row]:
            rows = in_parallel(lambda item: download(item, client, store, fetch), items, fetch.connections, client.stop)
            return progress(rows, "fetch", total=len(items))

        rows = list(with_successors(items, downloaded, named))
        client.check_answered(row["reason"] for row in rows if row["status"] == "rejected")
        yield from rows


def copy(item: Item, origin: Origin) -> Row:
    """Copy a local file into the store; one that cannot be read, or is too large, is a rejected row."""
    path = Path(item.location)
    shown = shown_path(path, origin.data)
    try:
        sha256, size = origin.store.add(_pieces(path, origin.settings.max_file_mb * 10**6))
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


def merge_lock(pieces: Iterable[Path], lock: Path, tables: dict[str, list[Path]], origin: Origin) -> None:
    """Write the pieces of the lock as one table, in the order given, and after them the files of each labelled table.

    Raises
    ------
    FoldgraftError
        if it is a replay and the lock is another than the one that is replayed.
    """
    earlier = origin.earlier
    with row_writer(lock, SCHEMA, group=4096) as table:
        for piece in pieces:
            for row in read_rows(piece, SCHEMA):
                table.write(row)
        for name, paths in tables.items():
            stored = [] if earlier else [file_row(path, origin) | {"shard": name} for path in paths]
            for row in earlier.rows(name) if earlier else stored:
                table.write(row)
    if earlier and not pq.read_table(lock).equals(pq.read_table(earlier.lock)):
        lock.unlink()
        raise FoldgraftError(f"replay: {earlier.lock} is the lock of a run with another configuration, or was edited")


def file_row(path: Path, origin: Origin) -> Row:
    """Store a local file that must be there; its row of the lock."""
    shown = shown_path(path, origin.data)
    sha256, size = origin.store.add(read_chunks(path))
    return lock_row(Item("files", path.name, shown), shown, "stored", sha256=sha256, bytes=size)

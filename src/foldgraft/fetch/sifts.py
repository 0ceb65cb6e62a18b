"""The table of SIFTS as `foldgraft.records.sifts`: which residues of a PDB chain are which of a UniProt entry."""

import sys
from itertools import islice
from pathlib import Path

import pyarrow as pa

from foldgraft.errors import FoldgraftError
from foldgraft.fetch.client import Client, PassingError, check_services
from foldgraft.fetch.downloads import Row, download
from foldgraft.fetch.inputs import Item, sifts_path
from foldgraft.fetch.origin import Origin
from foldgraft.fetch.packed import decompressed
from foldgraft.fetch.settings import FetchSettings
from foldgraft.fetch.sifts_rows import SHOWN, enough, header, lines, rows
from foldgraft.fetch.store import Store
from foldgraft.fetch.structures import file_row
from foldgraft.records.lock import store_path, write_piece
from foldgraft.records.sifts import ROW_GROUP, SCHEMA
from foldgraft.records.tables import write_table

SHARD = "sifts"
BATCH = 1 << 16  # rows held as Python objects


def fetch_sifts(sifts: str, origin: Origin, table: Path, lock: Path) -> None:
    """Store SIFTS' table, `download` or a local file, and write its segments and its row of the lock.

    In a replay both are what they were then.
    """
    bound = origin.settings.max_decompressed_mb * 10**6
    if origin.earlier:
        rows = origin.earlier.rows(SHARD)
        write_segments(origin.earlier.path(rows[0]), table, bound)
        write_piece(lock, SHARD, rows)
        return
    local = sifts_path(sifts, origin.data)
    row = file_row(local, origin) if local else _downloaded(origin.store, origin.settings)
    note = write_segments(store_path(origin.store.root, row["sha256"]), table, bound)
    write_piece(lock, SHARD, [{**row, "reason": "; ".join(filter(None, [row["reason"], note])) or None}])


def _downloaded(store: Store, fetch: FetchSettings) -> Row:
    check_services(fetch)
    item = Item("sifts", "pdb_chain_uniprot", fetch.services.sifts)
    with Client(fetch) as client:
        row = download(item, client, store, fetch, believe_table)
    if row["status"] != "stored":
        raise FoldgraftError(f"structures.sifts: {fetch.services.sifts} cannot be downloaded: {row['reason']}")
    return row


def believe_table(path: Path, name: str, bound: int) -> None:
    """Raise a `PassingError` unless the file is a whole table of SIFTS."""
    try:
        numbered = lines(decompressed(path, bound))
        header(numbered)
        for _ in numbered:
            pass
    except ValueError as error:
        raise PassingError(f"the answer is no table of SIFTS: {error}") from None


def write_segments(path: Path, table: Path, bound: int) -> str | None:
    """Write the segments of a downloaded file, sorted; rows that make no sense are left out and named in the log.

    Returns
    -------
    str or None
        how many rows were left out, and why the first.

    Raises
    ------
    FoldgraftError
        if it is no table of SIFTS, is damaged, or more than a tenth of its rows make no sense.
    """
    bad: list[str] = []
    try:
        mapped = rows(path, bound, bad)
        batches = []
        while part := list(islice(mapped, BATCH)):
            columns = zip(*part, strict=True)
            arrays = [pa.array(column, field.type) for column, field in zip(columns, SCHEMA, strict=True)]
            batches.append(pa.RecordBatch.from_arrays(arrays, schema=SCHEMA))
    except ValueError as error:
        raise FoldgraftError(f"SIFTS: {path}: {error}") from None
    segments = pa.Table.from_batches(batches, SCHEMA)
    note = f"{len(bad)} rows left out; {bad[0]}" if bad else None
    if not enough(segments.num_rows, len(bad)):
        raise FoldgraftError(f"SIFTS: {path}: of {segments.num_rows + len(bad)} rows, {note or 'none is there'}")
    for line in bad[:SHOWN]:
        print(f"SIFTS: {line}", file=sys.stderr)
    print(f"SIFTS: {segments.num_rows} segments, {len(bad)} rows left out", file=sys.stderr)
    order = [(name, "ascending") for name in ("entry", "auth_asym_id", "label_start")]
    write_table(table, segments.sort_by(order), ROW_GROUP)
    return note

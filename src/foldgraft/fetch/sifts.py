"""The table of SIFTS as `foldgraft.records.sifts`: which residues of a PDB chain are which of a UniProt entry."""

import re
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from operator import itemgetter
from pathlib import Path

import pyarrow as pa

from foldgraft.errors import FoldgraftError
from foldgraft.fetch.client import Client, PassingError, check_services
from foldgraft.fetch.downloads import Row, download
from foldgraft.fetch.identifiers import accession, pdb_id
from foldgraft.fetch.inputs import Item, sifts_path
from foldgraft.fetch.replay import Replay
from foldgraft.fetch.settings import FetchSettings
from foldgraft.fetch.store import Store, decompressed
from foldgraft.fetch.structures import file_row
from foldgraft.records.lock import store_path, write_piece
from foldgraft.records.sifts import ROW_GROUP, SCHEMA
from foldgraft.records.tables import write_table

SHARD = "sifts"
COLUMNS = ("PDB", "CHAIN", "SP_PRIMARY", "RES_BEG", "RES_END", "PDB_BEG", "PDB_END", "SP_BEG", "SP_END")
"""The file's columns, in the order of `SCHEMA`."""
AUTHOR = re.compile(r"-?\d+\S?")
NOTHING = {"", "None", "null"}
MAX_LINE = 10_000  # bytes
BATCH = 1 << 16  # rows held as Python objects
SHOWN = 10  # bad rows named in the log


def fetch_sifts(
    sifts: str,
    data: Path,
    store: Path,
    table: Path,
    lock: Path,
    fetch: FetchSettings,
    replay: Path | None = None,
) -> None:
    """Store SIFTS' table, `download` or a local file, and write its segments and its row of the lock.

    With `replay`, the lock of an earlier run, both are what they were then, and nothing is read but the store.
    """
    if replay:
        _replay(Replay(replay, store), table, lock, fetch)
        return
    kept, local = Store(store), sifts_path(sifts, data)
    row = file_row(local, data, kept) if local else _downloaded(kept, fetch)
    note = write_segments(store_path(store, row["sha256"]), table, fetch.max_decompressed_mb * 10**6)
    write_piece(lock, SHARD, [{**row, "reason": "; ".join(filter(None, [row["reason"], note])) or None}])


def _replay(replay: Replay, table: Path, lock: Path, fetch: FetchSettings) -> None:
    rows = replay.rows(SHARD)
    write_segments(replay.path(rows[0]), table, fetch.max_decompressed_mb * 10**6)
    write_piece(lock, SHARD, rows)


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
        lines = _lines(decompressed(path, bound))
        _header(lines)
        for _ in lines:
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
        rows = _rows(path, bound, bad)
        batches = []
        while part := list(islice(rows, BATCH)):
            columns = zip(*part, strict=True)
            arrays = [pa.array(column, field.type) for column, field in zip(columns, SCHEMA, strict=True)]
            batches.append(pa.RecordBatch.from_arrays(arrays, schema=SCHEMA))
    except ValueError as error:
        raise FoldgraftError(f"SIFTS: {path}: {error}") from None
    segments = pa.Table.from_batches(batches, SCHEMA)
    note = f"{len(bad)} rows left out; {bad[0]}" if bad else None
    if segments.num_rows < 9 * len(bad) or not segments.num_rows:
        raise FoldgraftError(f"SIFTS: {path}: of {segments.num_rows + len(bad)} rows, {note or 'none is there'}")
    for line in bad[:SHOWN]:
        print(f"SIFTS: {line}", file=sys.stderr)
    print(f"SIFTS: {segments.num_rows} segments, {len(bad)} rows left out", file=sys.stderr)
    order = [(name, "ascending") for name in ("entry", "auth_asym_id", "label_start")]
    write_table(table, segments.sort_by(order), ROW_GROUP)
    return note


def _rows(path: Path, bound: int, bad: list[str]) -> Iterator[tuple]:
    """Rows as in `SCHEMA`; what is wrong with others is added to `bad`."""
    lines = _lines(decompressed(path, bound))
    separator, places = _header(lines)
    pick = itemgetter(*places)
    for number, line in lines:
        if line:
            try:
                yield _row(*pick(line.split(separator)))
            except (ValueError, IndexError):
                bad.append(f"line {number} is no segment: {line[:80]!r}" if len(bad) < SHOWN else "")


def _header(lines: Iterable[tuple[int, str]]) -> tuple[str, list[int]]:
    """The separator and the places of the columns; comments may come before the header."""
    header = next((line for _, line in lines if line and not line.startswith("#")), "")
    separator = "\t" if "\t" in header else ","
    names = header.split(separator)
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        raise ValueError(f"its header has no column {missing[0]}, it begins with {header[:40]!r}")
    return separator, [names.index(name) for name in COLUMNS]


def _row(entry: str, chain: str, name: str, *numbers: str) -> tuple:
    first, last, author_first, author_last, uniprot_first, uniprot_last = numbers
    row = (
        pdb_id(entry),
        chain,
        accession(name),
        int(first),
        int(last),
        _author(author_first),
        _author(author_last),
        int(uniprot_first),
        int(uniprot_last),
    )
    if not (row[0] and chain and row[2] and 1 <= row[3] <= row[4] < 2**31 and 1 <= row[7] <= row[8] < 2**31):
        raise ValueError
    return row


def _author(text: str) -> str | None:
    if text in NOTHING:
        return None
    if not AUTHOR.fullmatch(text):
        raise ValueError
    return text


def _lines(chunks: Iterable[bytes]) -> Iterator[tuple[int, str]]:
    """Numbered lines of a text in pieces; one without an end is a `ValueError`."""
    number, rest = 0, b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > MAX_LINE:
            raise ValueError(f"line {number + len(lines) + 1} is longer than {MAX_LINE} bytes")
        for line in lines:
            number += 1
            yield number, line.decode("utf-8").rstrip("\r")
    if rest:
        yield number + 1, rest.decode("utf-8").rstrip("\r")

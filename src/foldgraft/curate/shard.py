"""Curate one shard: every stored file of its lock ends as chains or as rejects."""

import hashlib
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

from foldgraft.curate.chains import protein_chains
from foldgraft.curate.content import ascii_only, decompress, format_of
from foldgraft.curate.entry import Entry, UnreadableError, one_line
from foldgraft.curate.filters import drop_chain, drop_entry
from foldgraft.curate.mmcif import read_mmcif
from foldgraft.curate.pdb import read_pdb
from foldgraft.curate.settings import CurateSettings
from foldgraft.errors import FoldgraftError
from foldgraft.progress import progress
from foldgraft.records import chains as chain_records
from foldgraft.records import lock as lock_records
from foldgraft.records.chains import Chain
from foldgraft.records.rejects import write_rejects
from foldgraft.records.tables import read_rows, row_writer

Reject = tuple[str, str, str, str]  # id, rule, value, reason


def curate_shard(lock: Path, store: Path, chains: Path, rejects: Path, settings: CurateSettings) -> None:
    """Write the chains and the rejects of the structures that a piece of the lock lists, in its order."""
    rows = list(read_rows(lock, lock_records.SCHEMA))
    dropped: list[Reject] = []
    with row_writer(chains, chain_records.SCHEMA) as table:
        for row in progress(rows, "structures"):
            if row["status"] != "stored":
                dropped.append((row["id"], "fetch", row["status"], row["reason"] or ""))
                continue
            for result in curate_file(lock_records.store_path(store, row["sha256"]), row, settings):
                if isinstance(result, Chain):
                    table.write(result.row())
                else:
                    dropped.append(result)
        kept = table.count
    write_rejects(rejects, dropped)
    print(f"{len(rows)} structures: {kept} chains kept, {len(dropped)} rejects", file=sys.stderr)


def curate_file(path: Path, row: dict[str, str], settings: CurateSettings) -> Iterator[Chain | Reject]:
    """The chains of one structure file and its rejects; `row` is its row of the lock."""
    name = row["id"]
    try:
        results = list(_results(_verified(path, row["sha256"]), name, row["source"], settings))
    except UnreadableError as error:
        results = [(name, error.rule, error.value, error.reason)]
    except Exception as error:  # a parser's own error on a malformed file must not end the batch
        traceback.print_exc()
        results = [(name, "unreadable", f"{type(error).__name__}: {one_line(error)}", "the file cannot be understood")]
    yield from results


def _verified(path: Path, sha256: str) -> bytes:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise UnreadableError("store", f"the stored file cannot be read ({error.strerror})") from None
    if hashlib.sha256(raw).hexdigest() != sha256:
        raise UnreadableError("store", "the stored file was damaged: its sha256 is not the one in the lock")
    return raw


def read_entry(raw: bytes, limit: int) -> Entry:
    """Read a structure file's bytes, whatever their format, decompressing to at most `limit` bytes."""
    content = ascii_only(decompress(raw, limit))
    return (read_mmcif if format_of(content) == "mmcif" else read_pdb)(content)


def _results(raw: bytes, name: str, source: str, settings: CurateSettings) -> Iterator[Chain | Reject]:
    entry = read_entry(raw, settings.max_decompressed_mb * 10**6)
    drop = drop_entry(entry.header, settings)
    if drop:
        yield (name, *drop)
        return
    if not entry.polymers:
        yield (name, "no_protein", "", "the entry has no L-polypeptide chain")
    for chain in protein_chains(name, entry, source):
        if isinstance(chain, FoldgraftError):
            yield (name, "chain_name", "", str(chain))
            continue
        drop = drop_chain(chain, settings)
        yield (chain.id, *drop) if drop else chain

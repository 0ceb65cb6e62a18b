"""Curate one shard: every stored file of its lock ends as chains or as rejects."""

import hashlib
import sys
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from foldgraft.curate.chains import protein_chains
from foldgraft.curate.content import ascii_only, decompress, format_of
from foldgraft.curate.entry import Entry, UnreadableError, one_line
from foldgraft.curate.filters import drop_chain, drop_entry
from foldgraft.curate.mmcif import read_mmcif
from foldgraft.curate.pdb import read_pdb
from foldgraft.curate.settings import CurateSettings
from foldgraft.curate.user_sequences import MAX_DISAGREEMENT, read_supplied, supplied_paths, with_supplied
from foldgraft.errors import FoldgraftError
from foldgraft.progress import progress
from foldgraft.records import chains as chain_records
from foldgraft.records import lock as lock_records
from foldgraft.records.chains import Chain
from foldgraft.records.files import ID
from foldgraft.records.rejects import Reject, write_rejects
from foldgraft.records.sifts import Segment, read_segments
from foldgraft.records.tables import read_rows, row_writer


class Extra(NamedTuple):
    """What is known of the entries from outside their files."""

    sifts: Mapping[tuple[str, str], list[Segment]] = MappingProxyType({})
    sequences: Mapping[str, str] = MappingProxyType({})


def curate_shard(
    lock: Path,
    store: Path,
    chains: Path,
    rejects: Path,
    settings: CurateSettings,
    data: Path = Path(),
    sifts: Path | None = None,
) -> None:
    """Write the chains and the rejects of the structures that a piece of the lock lists, in its order."""
    rows = list(read_rows(lock, lock_records.SCHEMA))
    entries = [row["id"] for row in rows]
    extra = Extra(
        read_segments(sifts, entries) if sifts else {},
        read_supplied(supplied_paths(settings.sequences, data), entries),
    )
    dropped: list[Reject] = []
    with row_writer(chains, chain_records.SCHEMA) as table:
        for row in progress(rows, "structures"):
            if row["status"] != "stored":
                dropped.append(Reject(row["id"], "fetch", row["status"], row["reason"] or ""))
                continue
            for result in curate_file(lock_records.store_path(store, row["sha256"]), row, settings, extra):
                if isinstance(result, Chain):
                    table.write(result.row())
                else:
                    dropped.append(result)
        kept = table.count
    write_rejects(rejects, dropped)
    print(f"{len(rows)} structures: {kept} chains kept, {len(dropped)} rejects", file=sys.stderr)


def curate_file(
    path: Path, row: dict[str, str], settings: CurateSettings, extra: Extra = Extra()
) -> Iterator[Chain | Reject]:
    """The chains of one structure file and its rejects; `row` is its row of the lock."""
    name = row["id"]
    try:
        results = list(_results(_verified(path, row["sha256"]), name, row["source"], settings, extra))
    except UnreadableError as error:
        results = [Reject(name, error.rule, error.value, error.reason)]
    except Exception as error:  # a parser's own error on a malformed file must not end the batch
        traceback.print_exc()
        results = [
            Reject(name, "unreadable", f"{type(error).__name__}: {one_line(error)}", "the file cannot be understood")
        ]
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


def _results(raw: bytes, name: str, source: str, settings: CurateSettings, extra: Extra) -> Iterator[Chain | Reject]:
    entry = read_entry(raw, settings.max_decompressed_mb * 10**6)
    drop = drop_entry(entry.header, settings)
    if drop:
        yield Reject(name, *drop)
        return
    if not entry.polymers:
        kinds = ", ".join(sorted({kind for _, kind in entry.others}))
        yield Reject(name, "no_protein", kinds, "the entry has no L-polypeptide chain")
        return
    for asym, kind in entry.others:
        yield Reject(_chain_id(name, asym), "no_protein", kind, "the chain is no L-polypeptide")
    entry, disagreeing = with_supplied(name, entry, extra.sequences, settings.max_length)
    for asym, same in disagreeing.items():
        yield Reject(
            _chain_id(name, asym),
            "sequences",
            f"{same:.3f}",
            f"less than {1 - MAX_DISAGREEMENT:g} of the observed residues agree with the sequence supplied",
        )
    first: dict[str, str] = {}
    for chain in protein_chains(name, entry, source, extra.sifts):
        if isinstance(chain, FoldgraftError):
            yield Reject(name, "chain_name", "", str(chain))
        elif drop := drop_chain(chain, settings):
            yield Reject(chain.id, *drop)
        else:
            same_as = first.setdefault(chain.sequence, chain.id)
            yield chain if same_as == chain.id else replace(chain, same_as=same_as)


def _chain_id(name: str, asym: str) -> str:
    """The chain's id for the table of rejects; the entry's where the chain's name cannot be part of one."""
    return f"{name}_{asym}" if ID.fullmatch(f"{name}_{asym}") else name

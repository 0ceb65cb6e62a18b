"""All shards together: the index of chains and the table of rejects, a shard in memory at a time."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from foldgraft.curate.balance import read_balance, write_balance
from foldgraft.errors import FoldgraftError
from foldgraft.records import chains as chain_records
from foldgraft.records import index as index_records
from foldgraft.records.rejects import Reject, read_rejects, write_rejects
from foldgraft.records.tables import read_arrays, read_rows, row_writer

LIGHT = ["id", "entry", "sequence", "sequence_sha256", "resolved", "released", "organism"]


class SummaryOutputs(NamedTuple):
    """The files that the summary writes."""

    index: Path
    rejects: Path
    atoms: Path


def summarise(chains: list[Path], rejects: list[Path], atoms: list[Path], outputs: SummaryOutputs) -> None:
    """Write the index of the chains of all shards, their rejects and their atoms, in the order of the shards.

    A chain that a second shard holds as well (two withdrawn entries may have one successor) counts as of the first
    shard, and is a reject in the second. Memory is that of a row group, and eight bytes for each chain.

    Raises
    ------
    FoldgraftError
        if no chain is left, with the commonest reasons; or if two chains with one id have different sequences, since
        two inputs then bear one name. The other tables are written all the same.
    """
    twice = _named_twice(chains)
    reasons: Counter[tuple[str, str]] = Counter()
    again, clash = _repeats(chains, twice) if twice else ([], None)
    write_rejects(outputs.rejects, _counted(chain(_rows(rejects), again), reasons))
    write_balance(outputs.atoms, sum(map(read_balance, atoms), Counter()))
    if clash:
        raise FoldgraftError(f"chain {clash} comes from two inputs; give each entry a name of its own")
    with row_writer(outputs.index, index_records.SCHEMA, group=4096) as table:
        for row in _first_ones(chains, twice):
            table.write(row)
        if not table.count:
            # the workflow removes what this job writes, but not the tables that it read
            where = rejects[0] if len(rejects) == 1 else f"the tables of {rejects[0].parent}"
            raise FoldgraftError(f"no protein chain is left: {_commonest(reasons)}; see {where} for each")


def _named_twice(chains: list[Path]) -> set[str]:
    """Ids that more than one row bears; other ids only if their digests of 64 bits are the same, which does no harm."""
    ids = (row["id"] for path in chains for row in read_rows(path, chain_records.SCHEMA, ["id"]))
    digests = np.fromiter(map(_digest, ids), dtype=np.uint64)
    digests.sort()
    repeated = set(digests[1:][digests[1:] == digests[:-1]].tolist())
    if not repeated:
        return set()
    ids = (row["id"] for path in chains for row in read_rows(path, chain_records.SCHEMA, ["id"]))
    return {name for name in ids if _digest(name) in repeated}


def _digest(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest())


def _repeats(chains: list[Path], twice: set[str]) -> tuple[list[Reject], str | None]:
    """A reject for each further row of a chain, and the first chain whose rows differ in sequence, if any."""
    sequences: dict[str, str] = {}
    again, clash = [], None
    for path in chains:
        for row in read_rows(path, chain_records.SCHEMA, ["id", "sequence_sha256"]):
            name, sequence = row["id"], row["sequence_sha256"]
            if name not in twice:
                continue
            if name in sequences:
                again.append(Reject(name, "repeated", path.stem, "an earlier shard holds this chain"))
                clash = clash or (name if sequences[name] != sequence else None)
            sequences.setdefault(name, sequence)
    return again, clash


def _first_ones(chains: list[Path], twice: set[str]) -> Iterator[dict[str, Any]]:
    """Rows of the index: all chains, those named twice where they come first."""
    seen: set[str] = set()
    for path in chains:
        for row in read_arrays(path, chain_records.SCHEMA, LIGHT):
            if row["id"] in twice:
                if row["id"] in seen:
                    continue
                seen.add(row["id"])
            resolved = float(np.mean(row.pop("resolved")))
            yield row | {"length": len(row["sequence"]), "resolved_fraction": resolved, "shard": path.stem}


def _rows(rejects: Iterable[Path]) -> Iterator[Reject]:
    for path in rejects:
        yield from map(Reject._make, read_rejects(path).itertuples(index=False, name=None))


def _counted(rows: Iterable[Reject], reasons: Counter[tuple[str, str]]) -> Iterator[Reject]:
    for row in rows:
        reasons[row[1], row[3]] += 1
        yield row


def _commonest(reasons: Counter[tuple[str, str]]) -> str:
    listed = ", ".join(f"{count} x {rule} ({reason})" for (rule, reason), count in reasons.most_common(3))
    return listed or "there was no input"

"""Curate one shard: every stored file of its lock ends as chains or as rejects."""

import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from foldgraft.curate.balance import balance_line, write_balance
from foldgraft.curate.settings import CurateSettings
from foldgraft.curate.structure_file import Extra, curate_file
from foldgraft.curate.supplied_files import read_supplied, supplied_paths
from foldgraft.progress import progress
from foldgraft.records import chains as chain_records
from foldgraft.records import lock as lock_records
from foldgraft.records.rejects import Reject, write_rejects
from foldgraft.records.sifts import read_segments
from foldgraft.records.tables import read_rows, row_writer


class ShardOutputs(NamedTuple):
    """The files that curating a shard writes."""

    chains: Path
    rejects: Path
    atoms: Path


def curate_shard(
    lock: Path,
    store: Path,
    outputs: ShardOutputs,
    settings: CurateSettings,
    data: Path = Path(),
    sifts: Path | None = None,
) -> None:
    """Write the chains, rejects and atoms of the structures that a piece of the lock lists, in its order."""
    rows = list(read_rows(lock, lock_records.SCHEMA))
    entries = [row["id"] for row in rows]
    extra = Extra(
        read_segments(sifts, entries) if sifts else {},
        read_supplied(supplied_paths(settings.sequences, data), entries),
    )
    rejects: list[Reject] = []
    atoms: Counter[str] = Counter()
    with row_writer(outputs.chains, chain_records.SCHEMA) as table:
        for row in progress(rows, "structures"):
            if row["status"] != "stored":
                rejects.append(Reject(row["id"], "fetch", row["status"], row["reason"] or ""))
                continue
            curated = curate_file(lock_records.store_path(store, row["sha256"]), row, settings, extra)
            for chain in curated.chains:
                table.write(chain.row())
            rejects += curated.rejects
            atoms += curated.atoms
        kept = table.count
    write_rejects(outputs.rejects, rejects)
    write_balance(outputs.atoms, atoms)
    print(f"{len(rows)} structures: {kept} chains kept, {len(rejects)} rejects; {balance_line(atoms)}", file=sys.stderr)

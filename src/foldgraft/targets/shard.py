"""The targets of a shard of chains, a few chains in memory at a time."""

from pathlib import Path

from foldgraft.progress import progress
from foldgraft.records.chains import read_chains
from foldgraft.records.files import sealed
from foldgraft.records.tables import row_writer
from foldgraft.records.targets import SCHEMA, WITH_ORIENTATIONS
from foldgraft.records.text_tables import Rows
from foldgraft.targets.chain import chain_targets
from foldgraft.targets.masks import COLUMNS
from foldgraft.targets.settings import TargetsSettings

TOGETHER = 4
"""Chains of a row group, whose targets are held until it is full: of 1,500 residues, 8 MB each with orientations."""


def write_shard(chains: Path, targets: Path, audit: Path, settings: TargetsSettings) -> int:
    """Write the targets of all chains of `chains` and the audit of what was masked; return how many chains there were.

    A shard without chains gives tables without rows.
    """
    schema = WITH_ORIENTATIONS if settings.orientations else SCHEMA
    with row_writer(targets, schema, TOGETHER) as rows, sealed(audit) as temporary:
        with temporary.open("w", newline="", encoding="ascii") as handle:
            table = Rows(handle, COLUMNS)
            for chain in progress(read_chains(chains), "chains"):
                found, counts = chain_targets(chain, settings)
                rows.write(found.row())
                for count in counts:
                    table.write(count)
        return rows.count

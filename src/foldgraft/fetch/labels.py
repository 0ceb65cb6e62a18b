"""One shard of a labelled table as `foldgraft.records.labels`."""

from itertools import islice
from pathlib import Path

from foldgraft.fetch.inputs import table_path
from foldgraft.fetch.replay import Replay, stored_table
from foldgraft.fetch.settings import FetchSettings, SolubilitySettings
from foldgraft.fetch.structures import shard_number
from foldgraft.fetch.tables import read_labels, subsample, tabbed
from foldgraft.progress import progress
from foldgraft.records import labels as label_records
from foldgraft.records.files import sequence_sha256
from foldgraft.records.tables import row_writer


def fetch_labels(
    shard: str,
    solubility: SolubilitySettings,
    data: Path,
    store: Path,
    out: Path,
    fetch: FetchSettings,
    replay: Path | None = None,
) -> None:
    """Write the rows of a shard, in the table's order; with `replay`, of the table that its lock names in the store."""
    start = shard_number(shard) * fetch.label_shard_size
    path = stored_table(Replay(replay, store)) if replay else table_path(solubility, data)
    table = read_labels(path, solubility.columns, tabbed(solubility.table))
    rows = subsample(table, solubility.limit, solubility.seed)
    with row_writer(out, label_records.SCHEMA, group=4096) as table:
        for row in progress(islice(rows, start, start + fetch.label_shard_size), "labels"):
            table.write(row._asdict() | {"sequence_sha256": sequence_sha256(row.sequence)})

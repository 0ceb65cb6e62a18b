"""The proteins of a run: those with a structure and those of each labelled table, side by side."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd
import pyarrow as pa

from foldgraft.errors import FoldgraftError
from foldgraft.records import index, labels
from foldgraft.records.tables import read_frame

STRUCTURES = "structures"
"""The set of the chains; every other set is a labelled table, under its name."""

COLUMNS = {
    "set": "object",
    "id": "object",
    "sequence": "object",
    "sequence_sha256": "object",
    "label": "float64",
    "published_fold": "Int64",
    "published_role": "object",
    "group": "object",
    "released": "object",
}
"""Columns of the proteins; what a set does not have is missing."""

RENAMED = {"fold": "published_fold", "split": "published_role", "organism": "group"}


def read_proteins(index_path: Path | None, label_paths: Iterable[Path]) -> pd.DataFrame:
    """All proteins, with the columns `COLUMNS`.

    Sorted by set and id, so that nothing downstream depends on the order of shards or rows. The group of a chain is its
    organism, that of a labelled protein what the table's group column says.

    Raises
    ------
    FoldgraftError
        if an id occurs twice in a set.
    """
    parts = [_empty()]
    if index_path:
        parts.append(_read(index_path, index.SCHEMA, STRUCTURES))
    parts += [_read(path, labels.SCHEMA, labels.table_of(path)) for path in label_paths]
    proteins = pd.concat([part.astype(COLUMNS) for part in parts], ignore_index=True)
    twice = proteins[proteins.duplicated(["set", "id"])]
    if len(twice):
        row = twice.iloc[0]
        raise FoldgraftError(f"{row['set']}: the id {row.id!r} occurs more than once; ids must be unique in a set")
    order = {name: rank for rank, name in enumerate(sets(proteins))}
    return proteins.sort_values(["set", "id"], key=lambda c: c.map(order) if c.name == "set" else c, ignore_index=True)


def _empty() -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in COLUMNS.items()})


def _read(path: Path, schema: pa.Schema, name: str) -> pd.DataFrame:
    wanted = {old: RENAMED.get(old, old) for old in schema.names if RENAMED.get(old, old) in COLUMNS}
    frame = read_frame(path, schema, list(wanted)).rename(columns=wanted).assign(set=name)
    return frame.reindex(columns=list(COLUMNS))


def sets(proteins: pd.DataFrame) -> list[str]:
    """The sets that a table of proteins has: structures first, then the labelled tables by name."""
    return sorted(set(proteins["set"]), key=lambda name: (name != STRUCTURES, name))


def unique_sequences(proteins: pd.DataFrame) -> dict[str, str]:
    """Sequences by sha256, sorted by it."""
    unique = proteins.drop_duplicates("sequence_sha256").sort_values("sequence_sha256")
    return dict(zip(unique.sequence_sha256, unique.sequence, strict=True))

"""The proteins of a run: those with a structure and those of each labelled table, side by side."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from foldgraft.errors import FoldgraftError
from foldgraft.records import index, labels
from foldgraft.records.tables import read_frame

STRUCTURES = "structures"
"""The set of the chains; every other set is a labelled table, under its name."""


def read_proteins(index_path: Path | None, label_paths: Iterable[Path]) -> pd.DataFrame:
    """All proteins: `set, id, sequence, sequence_sha256, fold` (the published fold, missing where there is none).

    Sorted by set and id, so that nothing downstream depends on the order of shards or rows.

    Raises
    ------
    FoldgraftError
        if an id occurs twice in a set.
    """
    columns = ["id", "sequence", "sequence_sha256"]
    structures = read_frame(index_path, index.SCHEMA, columns) if index_path else pd.DataFrame(columns=columns)
    parts = [structures.assign(set=STRUCTURES, fold=pd.NA)]
    for path in label_paths:
        parts.append(read_frame(path, labels.SCHEMA, [*columns, "fold"]).assign(set=labels.table_of(path)))
    proteins = pd.concat([part.astype({"fold": "Int64"}) for part in parts], ignore_index=True)
    twice = proteins[proteins.duplicated(["set", "id"])]
    if len(twice):
        row = twice.iloc[0]
        raise FoldgraftError(f"{row['set']}: the id {row.id!r} occurs more than once; ids must be unique in a set")
    order = {name: rank for rank, name in enumerate(sets(proteins))}
    return proteins.sort_values(["set", "id"], key=lambda c: c.map(order) if c.name == "set" else c, ignore_index=True)


def sets(proteins: pd.DataFrame) -> list[str]:
    """The sets that a table of proteins has: structures first, then the labelled tables by name."""
    return sorted(set(proteins["set"]), key=lambda name: (name != STRUCTURES, name))


def unique_sequences(proteins: pd.DataFrame) -> dict[str, str]:
    """Sequences by sha256, sorted by it."""
    unique = proteins.drop_duplicates("sequence_sha256").sort_values("sequence_sha256")
    return dict(zip(unique.sequence_sha256, unique.sequence, strict=True))

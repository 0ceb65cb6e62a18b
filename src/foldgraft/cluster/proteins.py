"""The proteins of a run: those with a structure and those with a label, side by side."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from foldgraft.errors import FoldgraftError
from foldgraft.records import index, labels
from foldgraft.records.tables import read_frame, read_frames

SETS = ("structures", "labels")


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
    labelled = read_frames(label_paths, labels.SCHEMA, [*columns, "fold"])
    structures, labelled = structures.assign(set="structures", fold=pd.NA), labelled.assign(set="labels")
    proteins = pd.concat([structures.astype({"fold": "Int64"}), labelled.astype({"fold": "Int64"})], ignore_index=True)
    twice = proteins[proteins.duplicated(["set", "id"])]
    if len(twice):
        row = twice.iloc[0]
        raise FoldgraftError(f"{row['set']}: the id {row.id!r} occurs more than once; ids must be unique in a set")
    order = {name: rank for rank, name in enumerate(SETS)}
    return proteins.sort_values(["set", "id"], key=lambda c: c.map(order) if c.name == "set" else c, ignore_index=True)


def unique_sequences(proteins: pd.DataFrame) -> dict[str, str]:
    """Sequences by sha256, sorted by it."""
    unique = proteins.drop_duplicates("sequence_sha256").sort_values("sequence_sha256")
    return dict(zip(unique.sequence_sha256, unique.sequence, strict=True))

"""Labelled sequences: `fetch/labels/<table>-<number>.parquet`, a shard of one labelled table.

Labels are those of a protein (`label`) or of each of its residues (`residues`), never of both. What they mean is in the
metadata, the same in every shard of a table: see `Description`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pyarrow as pa

from foldgraft.errors import FoldgraftError
from foldgraft.records.tables import read_metadata
from foldgraft.settings import Settings

SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("sequence", pa.string(), nullable=False),
        pa.field("sequence_sha256", pa.string(), nullable=False),
        pa.field("label", pa.float64()),
        pa.field("residues", pa.list_(pa.float32())),
        pa.field("fold", pa.int64()),
        pa.field("split", pa.string()),
        pa.field("group", pa.string()),
        pa.field("covariates", pa.list_(pa.string()), nullable=False),
        pa.field("replicates", pa.int64(), nullable=False),
        pa.field("spread", pa.float64()),
    ],
    metadata={
        "label": "0 or 1 or a fraction (binary), a number (value), the number of the class (classes); null for labels "
        "of residues",
        "residues": "(L,) the same for each residue, NaN where it has none; null for labels of proteins",
        "fold": "the published fold of the table, null where it has none",
        "split": "the published role, train, valid or test, null where it has none",
        "covariates": "as text, in the order of the description's covariates",
        "replicates": "rows of the table that were averaged (of classes: the commonest was taken)",
        "spread": "standard deviation of these rows' labels, null of one row and of classes",
    },
)


class Description(Settings):
    """What the labels of a table mean."""

    task: str
    """Name of the table, and of the task that it makes."""
    level: Literal["protein", "residue"]
    """What has a label."""
    kind: Literal["binary", "value", "classes"]
    """What a label is."""
    unit: str = ""
    """Unit of a value."""
    classes: tuple[str, ...] = ()
    """Names of the classes, in the order of their numbers."""
    covariates: tuple[str, ...] = ()
    """Names of the covariates."""


def described(description: Description) -> pa.Schema:
    """The schema of a table's shards, with its description in the metadata."""
    return SCHEMA.with_metadata({**SCHEMA.metadata, b"labels": description.model_dump_json().encode()})


def read_description(shards: Sequence[Path]) -> Description:
    """The description that all shards of a table carry.

    Raises
    ------
    FoldgraftError
        if a file has none, or two of them differ.
    """
    descriptions = {}
    for path in shards:
        text = read_metadata(path, SCHEMA).get("labels")
        if text is None:
            raise FoldgraftError(f"{path}: it does not say what its labels mean; rerun the fetch stage")
        descriptions[text] = path
    if len(descriptions) != 1:
        paths = ", ".join(map(str, descriptions.values()))
        raise FoldgraftError(f"{paths}: shards of different tables; give those of one")
    return Description.model_validate_json(next(iter(descriptions)))


def table_of(shard: Path) -> str:
    """Name of the labelled table that a shard is of."""
    return Path(shard).stem.rpartition("-")[0]

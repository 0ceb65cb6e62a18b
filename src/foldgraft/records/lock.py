"""The lockfile: `fetch/lock.parquet`, and one piece of it per shard, `fetch/structures/<shard>.parquet`.

A row says where an item came from and under which sha256 its bytes lie in the store.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from foldgraft.errors import FoldgraftError
from foldgraft.records.tables import row_writer

SCHEMA = pa.schema(
    [
        pa.field("source", pa.string(), nullable=False),
        pa.field("id", pa.string(), nullable=False),
        pa.field("shard", pa.string(), nullable=False),
        pa.field("url", pa.string(), nullable=False),
        pa.field("sha256", pa.string()),
        pa.field("bytes", pa.int64()),
        pa.field("revision", pa.string()),
        pa.field("release", pa.string()),
        pa.field("retrieved", pa.string()),
        pa.field("status", pa.string(), nullable=False),
        pa.field("reason", pa.string()),
    ],
    metadata={
        "source": "files, rcsb, alphafold, uniprot, sifts, colabfold or synth",
        "shard": "the shard or input it belongs to: files-00000, rcsb-00000, alphafold-00000, query-00000, search, "
        "sequences, labels, sifts, or alignments_ and the shard whose chains they are of",
        "url": "where it came from; file paths as given in the configuration",
        "bytes": "size as stored",
        "retrieved": "ISO time, UTC",
        "status": "stored, rejected, or replaced: withdrawn, its successors standing in its place",
        "reason": "why it was rejected, what replaced it, or whose successor it is",
    },
)


def store_path(store: Path, sha256: str | None) -> Path:
    """Where the bytes with this sha256 lie in the content-addressed store.

    Raises
    ------
    FoldgraftError
        if it is not 64 hexadecimal digits; a lockfile from elsewhere must not name files outside the store.
    """
    if sha256 is None or not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise FoldgraftError(f"lockfile: {str(sha256)[:80]!r} is not a sha256 in lower-case hexadecimal digits")
    return Path(store) / sha256[:2] / sha256


def write_piece(path: Path, shard: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write the rows of one shard or input; what a row says of its shard is overwritten."""
    with row_writer(path, SCHEMA, group=4096) as table:
        for row in rows:
            table.write({**row, "shard": shard})

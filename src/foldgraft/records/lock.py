"""The lockfile: `fetch/lock.parquet`, and one piece of it per shard, `fetch/structures/<shard>.parquet`.

A row says where an item came from and under which sha256 its bytes lie in the store.
"""

import re
from pathlib import Path

import pyarrow as pa

from foldgraft.errors import FoldgraftError

SCHEMA = pa.schema(
    [
        pa.field("source", pa.string(), nullable=False),
        pa.field("id", pa.string(), nullable=False),
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
        "source": "files, rcsb, alphafold, uniprot or synth",
        "url": "where it came from; file paths as given in the configuration",
        "bytes": "size as stored",
        "retrieved": "ISO time, UTC",
        "status": "stored or rejected",
        "reason": "why it was rejected",
    },
)


def store_path(store: Path, sha256: str) -> Path:
    """Where the bytes with this sha256 lie in the content-addressed store.

    Raises
    ------
    FoldgraftError
        if it is not 64 hexadecimal digits; a lockfile from elsewhere must not name files outside the store.
    """
    if not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise FoldgraftError(f"lockfile: {sha256[:80]!r} is not a sha256 in lower-case hexadecimal digits")
    return Path(store) / sha256[:2] / sha256

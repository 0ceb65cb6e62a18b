"""Sequences that a shard holds and an earlier one embeds."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa

from foldgraft.records import index, labels
from foldgraft.records.files import write_json
from foldgraft.records.tables import read_frame, write_frame

REPEATS = pa.schema(
    [
        pa.field("shard", pa.string(), nullable=False),
        pa.field("sequence_sha256", pa.string(), nullable=False),
    ],
    metadata={"sequence_sha256": "a sequence of this shard that an earlier one embeds; labels come before structures"},
)


def write_repeats(label_shards: Sequence[Path], chains: Path | None, repeats: Path, digests: Path) -> None:
    """Write which sequences of a shard an earlier one embeds, and a digest of everything that decides about a shard.

    Labels come first, so that heads that need no structure wait for none, and read the embeddings of no structure.
    Memory is about 0.3 kB per protein of the run.

    Parameters
    ----------
    label_shards : sequence of Path
        tables of labelled sequences, in the order of the plan.
    chains : Path, optional
        the index of all chains, to tell about the shards of structures; None to tell about those of labels.
    repeats, digests : Path
        the table to write (parquet), and by shard the digest of its ids, sequences and repeats (JSON).
    """
    columns = ["id", "sequence_sha256"]
    frames = [read_frame(path, labels.SCHEMA, columns).assign(shard=path.stem) for path in label_shards]
    if chains is not None:
        frames.append(read_frame(chains, index.SCHEMA, [*columns, "shard"]))
    held = pd.concat([pd.DataFrame(columns=[*columns, "shard"], dtype=str), *frames], ignore_index=True)
    first = held.drop_duplicates("sequence_sha256").set_index("sequence_sha256")["shard"]
    held["again"] = held["sequence_sha256"].map(first) != held["shard"]
    if chains is not None:
        held = held[~held["shard"].isin([path.stem for path in label_shards])]
    write_frame(repeats, held[held["again"]].drop_duplicates(REPEATS.names), REPEATS)
    write_json(digests, {shard: _digest(rows) for shard, rows in held.groupby("shard")})


def _digest(rows: pd.DataFrame) -> str:
    lines = zip(rows["id"], rows["sequence_sha256"], rows["again"], strict=True)
    return hashlib.sha256("\n".join(f"{id} {name} {again}" for id, name, again in lines).encode()).hexdigest()


def elsewhere(repeats: Path, shard: str) -> set[str]:
    """The sequences of a shard, by their sha256, that an earlier one embeds."""
    table = read_frame(repeats, REPEATS)
    return set(table["sequence_sha256"][table["shard"] == shard])

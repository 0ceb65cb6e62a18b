"""The sequences of one shard, each once, through the trunk."""

import sys
from pathlib import Path

import pyarrow as pa

from foldgraft.embed.settings import EmbedSettings
from foldgraft.errors import FoldgraftError
from foldgraft.models import alphabet
from foldgraft.models.trunk import Trunk
from foldgraft.progress import progress
from foldgraft.records.embeddings import write_embeddings
from foldgraft.records.rejects import write_rejects
from foldgraft.records.tables import read_rows

SCHEMA = pa.schema([("id", pa.string()), ("sequence", pa.string()), ("sequence_sha256", pa.string())])
"""What is read of a table of chains or of labels."""

Reject = tuple[str, str, str, str]


def embed_shard(sequences: Path, trunk: Trunk, embeddings: Path, rejects: Path, settings: EmbedSettings) -> None:
    """Embed every unique sequence of a table, in the order of the sha256.

    Parameters
    ----------
    sequences
        parquet table with the columns id, sequence and sequence_sha256.
    trunk
        the frozen trunk.
    embeddings, rejects
        the files to write; a row of the table whose sequence the trunk cannot read is a row of the rejects.

    Raises
    ------
    FoldgraftError
        if two different sequences bear the same sha256.
    """
    wanted, dropped = choose(sequences, settings)
    names = sorted(wanted)
    vectors = trunk.embed([wanted[name] for name in names])
    entries = progress(zip(names, vectors, strict=True), "sequences", total=len(names))
    write_embeddings(embeddings, entries, trunk.width, trunk.sha256)
    write_rejects(rejects, dropped)


def choose(table: Path, settings: EmbedSettings) -> tuple[dict[str, str], list[Reject]]:
    """Sequences by sha256, and the rows that are rejected, with the reason."""
    wanted: dict[str, str] = {}
    dropped = []
    for row in read_rows(table, SCHEMA):
        name, sequence = row["sequence_sha256"], row["sequence"]
        if reject := _judge(row["id"], sequence, settings):
            print(f"rejected {reject[0]}: {reject[3]}", file=sys.stderr)
            dropped.append(reject)
        elif wanted.setdefault(name, sequence) != sequence:
            raise FoldgraftError(f"{table}: {row['id']}: two sequences bear the sha256 {name}; rerun the stage before")
    return wanted, dropped


def _judge(id: str, sequence: str, settings: EmbedSettings) -> Reject | None:
    length = len(sequence)
    if not length:
        return id, "empty", "0", "the sequence is empty"
    if length > settings.max_length:
        reason = f"longer than embed.max_length, {settings.max_length} residues"
        return id, "too_long", str(length), reason
    if wrong := alphabet.illegal(sequence):
        return id, "illegal_letter", wrong, f"the trunk has no token for {', '.join(map(repr, wrong))}"
    return None

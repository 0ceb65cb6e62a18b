"""The sequences of a shard, each once, through the trunk."""

import json
import os
import sys
from pathlib import Path

import pyarrow as pa

from foldgraft.embed.settings import EmbedSettings
from foldgraft.errors import FoldgraftError
from foldgraft.models.trunk import Trunk, alphabet
from foldgraft.models.trunk.windows import blocks
from foldgraft.progress import progress
from foldgraft.records.embeddings import KEY_BYTES, assemble, record, record_bytes, unfinished
from foldgraft.records.rejects import Reject, write_rejects
from foldgraft.records.tables import read_rows

SCHEMA = pa.schema([("id", pa.string()), ("sequence", pa.string()), ("sequence_sha256", pa.string())])
"""What is read of a table of chains or of labels."""

AT_ONCE = 16
"""Batches of tokens that are sorted by length together, and done again if the job is killed among them."""


def embed_shard(
    sequences: Path, elsewhere: set[str], trunk: Trunk, embeddings: Path, rejects: Path, settings: EmbedSettings
) -> None:
    """Embed every unique sequence of a table that belongs to no other shard.

    Parameters
    ----------
    sequences
        parquet table with the columns id, sequence and sequence_sha256.
    elsewhere
        sha256 of the sequences that an earlier shard embeds.
    trunk
        the frozen trunk.
    embeddings, rejects
        the files to write; a row of the table whose sequence the trunk cannot read is a row of the rejects.

    Raises
    ------
    FoldgraftError
        if two different sequences bear the same sha256.
    """
    wanted, dropped = choose(sequences, elsewhere, settings)
    write_embedded(wanted, trunk, embeddings, settings)
    write_rejects(rejects, dropped)


def choose(table: Path, elsewhere: set[str], settings: EmbedSettings) -> tuple[dict[str, str], list[Reject]]:
    """Sequences by sha256 that are not embedded elsewhere, and the rows that are rejected, with the reason."""
    wanted: dict[str, str] = {}
    dropped = []
    for row in read_rows(table, SCHEMA):
        name, sequence = row["sequence_sha256"], row["sequence"]
        if reject := _judge(row["id"], sequence, settings):
            print(f"rejected {reject.id}: {reject.reason}", file=sys.stderr)
            dropped.append(reject)
        elif name not in elsewhere and wanted.setdefault(name, sequence) != sequence:
            raise FoldgraftError(f"{table}: {row['id']}: two sequences bear the sha256 {name}; rerun the stage before")
    return wanted, dropped


def write_embedded(wanted: dict[str, str], trunk: Trunk, embeddings: Path, settings: EmbedSettings) -> None:
    """Embed sequences in the order of their sha256.

    If the job is killed, the next attempt goes on after the last `AT_ONCE` batches of tokens that were finished, and
    the result is the same to the byte: the sequences are gathered as if nothing had happened.
    """
    names = sorted(wanted)
    lengths = [len(wanted[name]) for name in names]
    gathered = list(blocks([wanted[name] for name in names], AT_ONCE * settings.batch_tokens))
    sizes = [sum(record_bytes(len(sequence), trunk.width) for sequence in block) for block in gathered]
    key = json.dumps([trunk.sha256, settings.batch_tokens, str(trunk.precision), names])
    with unfinished(embeddings, key, sizes) as (spool, done):
        if done:
            print(f"going on after {sum(map(len, gathered[:done]))} sequences of an earlier attempt", file=sys.stderr)
        left = iter(names[sum(map(len, gathered[:done])) :])
        for block in progress(gathered[done:], "blocks of sequences"):
            for values, name in zip(trunk.embed(block), left, strict=False):
                spool.write(record(name, values))
            spool.flush()
            os.fsync(spool.fileno())
        spool.seek(KEY_BYTES)
        assemble(embeddings, names, lengths, spool, trunk.width, trunk.sha256)


def _judge(id: str, sequence: str, settings: EmbedSettings) -> Reject | None:
    length = len(sequence)
    if not length:
        return Reject(id, "empty", "0", "the sequence is empty")
    if length > settings.max_length:
        reason = f"longer than embed.max_length, {settings.max_length} residues"
        return Reject(id, "too_long", str(length), reason)
    if wrong := alphabet.illegal(sequence):
        return Reject(id, "illegal_letter", wrong, f"the trunk has no token for {', '.join(map(repr, wrong))}")
    return None

"""The sequences of a shard, each once, through the trunk."""

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from foldgraft.embed.settings import EmbedSettings
from foldgraft.errors import FoldgraftError
from foldgraft.models.trunk import Trunk, alphabet
from foldgraft.models.trunk.windows import block_residues, blocks
from foldgraft.progress import progress
from foldgraft.records.embedding_shards import KEY_BYTES, assemble, record, record_bytes, unfinished
from foldgraft.records.embeddings import Contents
from foldgraft.records.rejects import Reject, write_rejects
from foldgraft.records.tables import read_rows

SCHEMA = pa.schema([("id", pa.string()), ("sequence", pa.string()), ("sequence_sha256", pa.string())])
"""What is read of a table of chains or of labels."""


@dataclass(frozen=True)
class Outputs:
    """The files to write: embeddings (safetensors), and rejects (CSV), a row for each that the trunk cannot read."""

    embeddings: Path
    rejects: Path


def embed_shard(
    sequences: Path,
    elsewhere: set[str],
    trunk: Trunk,
    layers: Sequence[int],
    outputs: Outputs,
    settings: EmbedSettings = EmbedSettings(),
) -> None:
    """Embed every unique sequence of a table that belongs to no other shard.

    Parameters
    ----------
    sequences : Path
        parquet table with the columns id, sequence and sequence_sha256.
    elsewhere : set of str
        sha256 of the sequences that an earlier shard embeds.
    trunk : Trunk
        the frozen trunk.
    layers : sequence of int
        whose residue embeddings are kept; the pooled embeddings of all are.

    Raises
    ------
    FoldgraftError
        if two different sequences bear the same sha256.
    """
    wanted, dropped = choose(sequences, elsewhere, settings)
    write_embedded(wanted, trunk, layers, outputs.embeddings, settings)
    write_rejects(outputs.rejects, dropped)


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


def write_embedded(
    wanted: dict[str, str], trunk: Trunk, layers: Sequence[int], embeddings: Path, settings: EmbedSettings
) -> None:
    """Embed sequences in the order of their sha256.

    If the job is killed, the next attempt goes on after the last block of sequences that was finished, and the result
    is the same to the byte: the sequences are gathered as if nothing had happened.
    """
    names = sorted(wanted)
    lengths = [len(wanted[name]) for name in names]
    contents = Contents(trunk.sha256, trunk.layers, trunk.width, tuple(layers))
    residues = block_residues(settings.batch_tokens, len(layers))
    gathered = list(blocks([wanted[name] for name in names], residues))
    sizes = [sum(record_bytes(len(sequence), contents) for sequence in block) for block in gathered]
    key = json.dumps([trunk.sha256, *layers, settings.batch_tokens, str(trunk.precision), names])
    with unfinished(embeddings, key, sizes) as (spool, done):
        if done:
            print(f"going on after {sum(map(len, gathered[:done]))} sequences of an earlier attempt", file=sys.stderr)
        left = iter(names[sum(map(len, gathered[:done])) :])
        for block in progress(gathered[done:], "blocks of sequences"):
            for embedded, name in zip(trunk.embed_layers(block, layers), left, strict=False):
                spool.write(record(name, embedded))
            spool.flush()
            os.fsync(spool.fileno())
        spool.seek(KEY_BYTES)
        assemble(embeddings, names, lengths, spool, contents)


def layer_numbers(words: Sequence[str], depth: int) -> list[int]:
    """The layers that are named by `last`, `all` or a number, sorted.

    Raises
    ------
    FoldgraftError
        for a layer that a trunk of `depth` layers has not, or another word.
    """
    chosen: set[int] = set()
    for word in words:
        if word == "all":
            chosen.update(range(1, depth + 1))
        elif word == "last":
            chosen.add(depth)
        elif word.isdecimal() and 1 <= int(word) <= depth:
            chosen.add(int(word))
        else:
            raise FoldgraftError(f"layers: the trunk has the layers 1 to {depth}; give one, last, or all, not {word!r}")
    return sorted(chosen)


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

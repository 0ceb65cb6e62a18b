"""Writes what `foldgraft.records.embeddings` reads, a shard of embeddings, with one sequence of it in memory."""

import hashlib
import json
import os
import zlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from math import prod
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

import numpy as np

from foldgraft.errors import FoldgraftError
from foldgraft.records import origin
from foldgraft.records.embeddings import ITEM_BYTES, KINDS, Contents, Embedded, checksum
from foldgraft.records.files import atomic, naming

KEY_BYTES = 32


def write_embeddings(path: Path, entries: Iterable[tuple[str, Embedded]], contents: Contents) -> None:
    """Write (sequence_sha256, embeddings) entries of one shard, as they come.

    They wait on disk until all are there, since the file states first how many they are; in memory are the names.

    Raises
    ------
    FoldgraftError
        if a value is beyond half precision, 65,504.
    """
    names, lengths = [], []
    path.parent.mkdir(parents=True, exist_ok=True)
    with naming(path), TemporaryFile(dir=path.parent) as spool:
        for name, embedded in entries:
            names.append(name)
            lengths.append(len(embedded.residues))
            spool.write(record(name, embedded))
        spool.seek(0)
        assemble(path, names, lengths, spool, contents)


def record(name: str, embedded: Embedded) -> bytes:
    """One sequence on its way into a shard: its pooled embeddings, then those of its residues, in half precision."""
    with np.errstate(over="ignore"):  # told below
        halves = [part.astype(np.float16) for part in embedded]
    if not all(np.isfinite(half).all() for half in halves):
        largest = max(np.abs(part).max(initial=0) for part in embedded)
        raise FoldgraftError(f"sequence {name}: its embedding reaches {largest:g}, beyond half precision")
    return b"".join(half.tobytes() for half in halves)


def record_bytes(length: int, contents: Contents) -> int:
    """Size of a record of a sequence with so many residues."""
    return _pooled_bytes(contents) + _residue_bytes(length, contents)


def _pooled_bytes(contents: Contents) -> int:
    return contents.depth * contents.width * ITEM_BYTES["F16"]


def _residue_bytes(length: int, contents: Contents) -> int:
    return length * len(contents.layers) * contents.width * ITEM_BYTES["F16"]


@contextmanager
def unfinished(path: Path, key: str, sizes: Sequence[int]) -> Iterator[tuple[IO[bytes], int]]:
    """The records of a shard as far as an earlier attempt came, in a file beside it that goes when the block ends well.

    Parameters
    ----------
    path : Path
        of the shard.
    key : str
        whatever decides about the records; those of an attempt with another key are not taken over.
    sizes : sequence of int
        bytes of each batch of records. A batch that an earlier attempt did not finish is dropped.

    Yields
    ------
    the file, to append the other batches to, then to be read from `KEY_BYTES` on; and how many batches it holds.
    """
    part = path.with_name(f".{path.name}.part")
    part.parent.mkdir(parents=True, exist_ok=True)
    part.touch()
    digest = hashlib.sha256(key.encode()).digest()
    with naming(part), part.open("r+b") as handle:
        if handle.read(KEY_BYTES) != digest:
            handle.truncate(0)
            handle.seek(0)
            handle.write(digest)
        ends = list(accumulate(sizes, initial=KEY_BYTES))
        done = bisect_right(ends, handle.seek(0, os.SEEK_END)) - 1
        handle.truncate(ends[done])
        handle.seek(ends[done])
        yield handle, done
    part.unlink()


def assemble(path: Path, names: Sequence[str], lengths: Sequence[int], spool: IO[bytes], contents: Contents) -> None:
    """Write a shard from the records that the spool holds from where it stands."""
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    shapes = {
        "offsets": offsets.shape,
        "residue": (int(offsets[-1]), len(contents.layers), contents.width),
        "pooled": (len(names), contents.depth, contents.width),
        "checksums": (1 + 2 * len(names),),
    }
    about = {"sequences": json.dumps(names), "trunk": contents.trunk, "layers": json.dumps(contents.layers)}
    about |= origin.written(path, KINDS.items(), len(names))
    header = _header(shapes, about)
    begin = spool.tell()
    crcs: dict[str, list[int]] = {"pooled": [], "residue": []}
    with atomic(path) as temporary, temporary.open("wb") as handle:
        handle.write(header)
        handle.write(offsets.tobytes())
        for kind in ("residue", "pooled"):
            spool.seek(begin)
            for length in lengths:
                pooled = spool.read(_pooled_bytes(contents))
                residues = spool.read(_residue_bytes(length, contents))
                data = pooled if kind == "pooled" else residues
                crcs[kind].append(zlib.crc32(data))
                handle.write(data)
        checksums = np.array([*crcs["pooled"], *crcs["residue"]], dtype=np.uint32)
        handle.write(np.uint32(checksum(header, offsets, checksums)).tobytes())
        handle.write(checksums.tobytes())


def _header(shapes: dict[str, tuple[int, ...]], metadata: dict[str, str]) -> bytes:
    """The beginning of a safetensors file whose tensors follow in this order."""
    header: dict[str, object] = {"__metadata__": metadata}
    start = 0
    for name, shape in shapes.items():
        stop = start + prod(shape) * ITEM_BYTES[KINDS[name]]
        header[name] = {"dtype": KINDS[name], "shape": list(shape), "data_offsets": [start, stop]}
        start = stop
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text

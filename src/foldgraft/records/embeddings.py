"""Embeddings of a shard: `embed/<shard>.safetensors`, one entry per unique sequence.

    offsets   (N + 1,) int64   sequence n is residue[offsets[n]:offsets[n + 1]]
    residue   (R, D) float16   all residues of all sequences, one sequence after the other; R = sum of lengths
    pooled    (N, D) float16   mean over the residues, taken in float32

The metadata holds `sequences` (JSON list of the N sequence_sha256) and `trunk` (sha256 of the trunk's weights).

Rounding to half precision moves a value by at most 2^-11 of itself (0.05 %), or by 2^-25 if it is below 2^-14; over
the embeddings of proteins the error has a root mean square of 0.02 % of theirs (benchmarks/benchmark_train.py).
"""

import hashlib
import json
import os
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from math import prod
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

import numpy as np

from foldgraft.errors import FoldgraftError
from foldgraft.records.files import atomic

ITEM_BYTES = {"I64": 8, "F16": 2}
SHARD = {"offsets": "I64", "residue": "F16", "pooled": "F16"}
KEY_BYTES = 32
OPEN_FILES = 64


def write_embeddings(path: Path, entries: Iterable[tuple[str, np.ndarray]], width: int, trunk: str) -> None:
    """Write (sequence_sha256, residue embeddings of shape (L, D)) entries of one shard, as they come.

    They wait on disk until all are there, since the file states first how many they are; in memory are the names.

    Raises
    ------
    FoldgraftError
        if a value is beyond half precision, 65,504.
    """
    names, lengths = [], []
    path.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryFile(dir=path.parent) as spool:
        for name, values in entries:
            names.append(name)
            lengths.append(len(values))
            spool.write(record(name, values))
        spool.seek(0)
        assemble(path, names, lengths, spool, width, trunk)


def record(name: str, values: np.ndarray) -> bytes:
    """One sequence on its way into a shard: the mean over its residues, then the residues, in half precision.

    Pooling is done here, in float32, so that pooled and residue embeddings cannot disagree.
    """
    whole = np.vstack([values.astype(np.float32).mean(axis=0, keepdims=True), values])
    with np.errstate(over="ignore"):  # told below
        half = whole.astype(np.float16)
    if not np.isfinite(half).all():
        raise FoldgraftError(f"sequence {name}: its embedding reaches {np.abs(whole).max():g}, beyond half precision")
    return half.tobytes()


def record_bytes(length: int, width: int) -> int:
    """Size of a record."""
    return (1 + length) * width * ITEM_BYTES["F16"]


@contextmanager
def unfinished(path: Path, key: str, sizes: Sequence[int]) -> Iterator[tuple[IO[bytes], int]]:
    """The records of a shard as far as an earlier attempt came, in a file beside it that goes when the block ends well.

    Parameters
    ----------
    path
        of the shard.
    key
        whatever decides about the records; those of an attempt with another key are not taken over.
    sizes
        bytes of each batch of records. A batch that an earlier attempt did not finish is dropped.

    Yields
    ------
    the file, to append the other batches to, then to be read from `KEY_BYTES` on; and how many batches it holds.
    """
    part = path.with_name(f".{path.name}.part")
    part.parent.mkdir(parents=True, exist_ok=True)
    part.touch()
    digest = hashlib.sha256(key.encode()).digest()
    with part.open("r+b") as handle:
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


def assemble(
    path: Path, names: Sequence[str], lengths: Sequence[int], spool: IO[bytes], width: int, trunk: str
) -> None:
    """Write a shard from the records that the spool holds from where it stands."""
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    shapes = {"offsets": offsets.shape, "residue": (int(offsets[-1]), width), "pooled": (len(names), width)}
    pooled = []
    with atomic(path) as temporary, temporary.open("wb") as handle:
        handle.write(_header(shapes, {"sequences": json.dumps(names), "trunk": trunk}))
        handle.write(offsets.tobytes())
        for length in lengths:
            pooled.append(spool.read(record_bytes(0, width)))
            handle.write(spool.read(record_bytes(length - 1, width)))
        handle.writelines(pooled)


def _header(shapes: dict[str, tuple[int, ...]], metadata: dict[str, str]) -> bytes:
    """The beginning of a safetensors file whose tensors follow in this order."""
    header: dict[str, object] = {"__metadata__": metadata}
    start = 0
    for name, shape in shapes.items():
        stop = start + prod(shape) * ITEM_BYTES[SHARD[name]]
        header[name] = {"dtype": SHARD[name], "shape": list(shape), "data_offsets": [start, stop]}
        start = stop
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


PLACE = np.dtype([("shard", "i4"), ("length", "i4"), ("pooled", "i8"), ("residue", "i8")])
"""Where the vectors of a sequence are: its shard, its residues, the bytes of the file at which the two begin."""


class Embeddings:
    """Random access to the embeddings of several shards; vectors are read from disk as they are asked for.

    In memory are 88 bytes per sequence, which say where its vectors are; at most `OPEN_FILES` shards are open. Of a
    sequence that several shards hold the first counts.

    Attributes
    ----------
    trunk
        sha256 of the weights that all shards were made with; None without shards.

    Raises
    ------
    FoldgraftError
        if a shard is broken, or made with another trunk than those before it.
    """

    def __init__(self, paths: Iterable[Path]):
        self._paths = [Path(path) for path in paths]
        self._open: OrderedDict[int, IO[bytes]] = OrderedDict()
        self._width, self.trunk = 0, None
        found, places = [np.empty(0, dtype="S64")], [np.empty(0, dtype=PLACE)]
        for shard, path in enumerate(self._paths):
            try:
                header, base = _read_header(path)
                names, trunk = json.loads(header["__metadata__"]["sequences"]), header["__metadata__"]["trunk"]
                width, where = _places(path, header, base)
                if len(names) != len(where):
                    raise ValueError("it has not one name per sequence")
            except (OSError, LookupError, TypeError, ValueError) as error:
                raise FoldgraftError(f"{path}: cannot be read as embeddings ({error})") from None
            if self.trunk not in (None, trunk):
                raise FoldgraftError(f"{path}: made with another trunk than those before it; rerun the embed stage")
            self.trunk, self._width = trunk, width
            where["shard"] = shard
            found.append(np.array(names, dtype="S64"))
            places.append(where)
        self._names, first = np.unique(np.concatenate(found), return_index=True)
        self._places = np.concatenate(places)[first]

    def __len__(self) -> int:
        return len(self._names)

    def __iter__(self) -> Iterator[str]:
        return (name.decode() for name in self._names)

    def __contains__(self, name: str) -> bool:
        return self._row(name) is not None

    def _row(self, name: str) -> int | None:
        key = name.encode()
        row = int(np.searchsorted(self._names, key))
        return row if row < len(self._names) and self._names[row] == key else None

    def pooled(self, name: str) -> np.ndarray:
        """Mean-pooled embedding of the sequence with this sha256; shape (D,), float16."""
        return self._vectors(name, "pooled")[0]

    def residue(self, name: str) -> np.ndarray:
        """Residue embeddings of the sequence with this sha256; shape (L, D), float16."""
        return self._vectors(name, "residue")

    def _vectors(self, name: str, kind: str) -> np.ndarray:
        row = self._row(name)
        if row is None:
            raise KeyError(name)
        place = self._places[row]
        rows = 1 if kind == "pooled" else int(place["length"])
        size = rows * self._width * ITEM_BYTES["F16"]
        handle = self._file(int(place["shard"]))
        data = os.pread(handle.fileno(), size, int(place[kind]))  # leaves no position behind, so workers may share it
        if len(data) != size:
            raise FoldgraftError(f"{handle.name}: was changed while it was read; rerun the embed stage")
        return np.frombuffer(data, dtype=np.float16).reshape(rows, self._width)

    def _file(self, shard: int) -> IO[bytes]:
        handle = self._open.pop(shard, None) or self._paths[shard].open("rb", buffering=0)
        self._open[shard] = handle
        if len(self._open) > OPEN_FILES:
            self._open.popitem(last=False)[1].close()
        return handle

    def __getstate__(self) -> dict[str, Any]:
        """Workers of a data loader may be handed a copy; they open files of their own."""
        return self.__dict__ | {"_open": OrderedDict()}


def _read_header(path: Path) -> tuple[dict[str, Any], int]:
    """The header of a safetensors file, and the byte at which its tensors begin."""
    with path.open("rb") as handle:
        size = int.from_bytes(handle.read(8), "little")
        if size > path.stat().st_size:
            raise ValueError("it is no safetensors file")
        return json.loads(handle.read(size)), 8 + size


def _places(path: Path, header: dict[str, Any], base: int) -> tuple[int, np.ndarray]:
    """Width of the vectors, and the `PLACE` of each sequence of a shard."""
    starts, stops = ({name: base + header[name]["data_offsets"][end] for name in SHARD} for end in (0, 1))
    if max(stops.values()) != path.stat().st_size or any(header[name]["dtype"] != kind for name, kind in SHARD.items()):
        raise ValueError("it was cut short, or its tensors are of another kind")
    width = header["pooled"]["shape"][1]
    offsets = np.fromfile(path, dtype="<i8", count=header["offsets"]["shape"][0], offset=starts["offsets"])
    if offsets[0] != 0 or offsets[-1] != header["residue"]["shape"][0] or (np.diff(offsets) < 0).any():
        raise ValueError("its offsets do not divide the residues")
    where = np.empty(len(offsets) - 1, dtype=PLACE)
    where["length"] = np.diff(offsets)
    where["pooled"] = starts["pooled"] + np.arange(len(where)) * width * ITEM_BYTES["F16"]
    where["residue"] = starts["residue"] + offsets[:-1] * width * ITEM_BYTES["F16"]
    return width, where

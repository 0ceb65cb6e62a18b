"""Embeddings of a shard: `embed/<shard>.safetensors`, one entry per unique sequence.

    pooled    (N, D) float16   mean over the residues
    residue   (R, D) float16   all residues of all sequences, one sequence after the other; R = sum of lengths
    offsets   (N + 1,) int64   sequence n is residue[offsets[n]:offsets[n + 1]]

The metadata holds `sequences` (JSON list of the N sequence_sha256) and `trunk` (sha256 of the trunk's weights).
"""

import json
from collections.abc import Iterable, Iterator
from math import prod
from pathlib import Path
from shutil import copyfileobj
from tempfile import TemporaryFile

import numpy as np
from safetensors import SafetensorError, safe_open

from foldgraft.errors import FoldgraftError
from foldgraft.records.files import atomic

ITEM_BYTES = {"I64": 8, "F16": 2}


def write_embeddings(path: Path, entries: Iterable[tuple[str, np.ndarray]], width: int, trunk: str) -> None:
    """Write (sequence_sha256, residue embeddings of shape (L, D)) entries of one shard.

    Pooling is done here, in float32, so that pooled and residue embeddings cannot disagree. Residue embeddings wait
    on disk for the number of the others, which the file states first; so only the pooled ones are held in memory.
    """
    names, pooled, lengths = [], [], []
    path.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryFile(dir=path.parent) as residue, atomic(path) as temporary:
        for name, values in entries:
            names.append(name)
            pooled.append(values.astype(np.float32).mean(axis=0).astype(np.float16))
            lengths.append(len(values))
            residue.write(np.ascontiguousarray(values, dtype=np.float16).data)
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        shapes = {"offsets": ("I64", offsets.shape), "residue": ("F16", (int(offsets[-1]), width))}
        shapes["pooled"] = ("F16", (len(names), width))
        with temporary.open("wb") as handle:
            handle.write(_header(shapes, {"sequences": json.dumps(names), "trunk": trunk}))
            handle.write(offsets.tobytes())
            residue.seek(0)
            copyfileobj(residue, handle, 2**20)
            handle.write(np.array(pooled, dtype=np.float16).tobytes())


def _header(shapes: dict[str, tuple[str, tuple[int, ...]]], metadata: dict[str, str]) -> bytes:
    """The beginning of a safetensors file whose tensors follow in this order."""
    header: dict[str, object] = {"__metadata__": metadata}
    start = 0
    for name, (kind, shape) in shapes.items():
        stop = start + prod(shape) * ITEM_BYTES[kind]
        header[name] = {"dtype": kind, "shape": list(shape), "data_offsets": [start, stop]}
        start = stop
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


class Embeddings:
    """Random access to the embeddings of several shards; those of residues are read from disk as they are asked for."""

    def __init__(self, paths: Iterable[Path]):
        self._where: dict[str, tuple[int, int, int, int]] = {}
        self._files, self._pooled = [], []
        self.trunk: str | None = None
        for path in paths:
            self._add(Path(path))

    def _add(self, path: Path) -> None:
        try:
            handle = safe_open(path, framework="np")
            metadata = handle.metadata() or {}
            names, trunk = json.loads(metadata["sequences"]), metadata["trunk"]
            offsets, pooled = handle.get_tensor("offsets"), handle.get_tensor("pooled")
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            raise FoldgraftError(f"{path}: cannot be read as embeddings ({error})") from None
        if self.trunk not in (None, trunk):
            raise FoldgraftError(f"{path}: made with another trunk than the shards before it; rerun the embed stage")
        self.trunk = trunk
        for row, name in enumerate(names):
            self._where.setdefault(name, (len(self._files), row, int(offsets[row]), int(offsets[row + 1])))
        self._files.append(handle)
        self._pooled.append(pooled)

    def __len__(self) -> int:
        return len(self._where)

    def __iter__(self) -> Iterator[str]:
        return iter(self._where)

    def __contains__(self, name: str) -> bool:
        return name in self._where

    def pooled(self, name: str) -> np.ndarray:
        """Mean-pooled embedding of the sequence with this sha256; shape (D,), float16."""
        file, row, _, _ = self._where[name]
        return self._pooled[file][row]

    def residue(self, name: str) -> np.ndarray:
        """Residue embeddings of the sequence with this sha256; shape (L, D), float16."""
        file, _, start, stop = self._where[name]
        return self._files[file].get_slice("residue")[start:stop]

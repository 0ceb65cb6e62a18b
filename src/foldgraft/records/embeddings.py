"""Embeddings of a shard: `embed/<shard>.safetensors`, one entry per unique sequence.

    offsets    (N + 1,) int64      sequence n is residue[offsets[n]:offsets[n + 1]]
    residue    (R, K, D) float16   residue embeddings of the K layers asked for, one sequence after the other; R =
                                   sum of lengths, K = 0 if no layer was asked for
    pooled     (N, L, D) float16   of every layer the mean over the residues, taken in float32
    checksums  (1 + 2 N,) uint32   CRC-32 of the header, offsets and other checksums; of each row of pooled; of the
                                   residue embeddings of each sequence

The metadata holds `sequences` (JSON list of the N sequence_sha256), `trunk` (sha256 of the trunk's weights) and
`layers` (JSON list of the K layers of `residue`). Layers are counted from 1 to L, the trunk's transformer layers; the
embeddings of tokens before the first are not among them. **Layer L is taken after the final norm**: it is fair-esm's
`representations[L]` and transformers' `last_hidden_state`. Layers 1 to L - 1 are what the next layer reads, unnormed.

Reading::

    embeddings = Embeddings(paths)               # several shards of one trunk
    embeddings.depth, embeddings.width           # L, D
    embeddings.layers                            # of the residue embeddings, such as (6,) or ()
    embeddings.pooled(names)                     # float32 (N, L, D); names are sequence_sha256
    embeddings.pooled(names, layers=[6])         # float32 (N, 1, D)
    embeddings.residues(name)                    # float32 (length, K, D)

Rounding to half precision moves a value by at most 2^-11 of itself (0.05 %), or by 2^-25 if it is below 2^-14; over
the embeddings of proteins the error has a root mean square of 0.02 % of theirs (tests/embed/test_shard.py).
"""

import hashlib
import json
import os
import zlib
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from foldgraft.errors import FoldgraftError
from foldgraft.records import origin

KINDS = {"offsets": "I64", "residue": "F16", "pooled": "F16", "checksums": "U32"}
"""The tensors in the order of the file, and their kind."""
ITEM_BYTES = {"I64": 8, "F16": 2, "U32": 4}
OPEN_FILES = 64

LOCATION = np.dtype(
    [
        ("shard", "i4"),
        ("length", "i4"),
        ("pooled", "i8"),
        ("residue", "i8"),
        ("pooled_crc", "u4"),
        ("residue_crc", "u4"),
    ]
)
"""Where the vectors of a sequence are: its shard, its residues, the bytes of the file at which the two begin; and their
checksums."""


class Embedded(NamedTuple):
    """What a trunk says of a sequence, in float32."""

    pooled: np.ndarray
    """shape (L, D): of every layer the mean over the residues"""
    residues: np.ndarray
    """shape (length, K, D): of the layers asked for"""


@dataclass(frozen=True)
class Contents:
    """What all entries of a shard have in common.

    Attributes
    ----------
    trunk
        sha256 of its weights.
    depth, width
        layers of the trunk, L, and the width of its representations, D.
    layers
        of the residue embeddings, from 1 to L.
    """

    trunk: str
    depth: int
    width: int
    layers: tuple[int, ...] = ()


class Embeddings:
    """Random access to the embeddings of several shards; vectors are read from disk as they are asked for.

    In memory are about 100 bytes per sequence, which say where its vectors are; at most `OPEN_FILES` shards are open.
    Of a sequence that several shards hold the first counts. Vectors are checked when they are first read.

    Raises
    ------
    FoldgraftError
        if a shard is broken, or made with another trunk or of other layers than those before it; when vectors are
        asked for, if they are not those that were written.
    """

    def __init__(self, paths: Iterable[Path]):
        self._paths = [Path(path) for path in paths]
        self._open: OrderedDict[int, IO[bytes]] = OrderedDict()
        self.contents: Contents | None = None
        stored, locations = [np.empty(0, dtype="S64")], [np.empty(0, dtype=LOCATION)]
        for shard, path in enumerate(self._paths):
            names, where, contents = _read_locations(path)
            if self.contents not in (None, contents):
                raise FoldgraftError(
                    f"{path}: made with another trunk, or of other layers, than those before it; rerun the embed stage"
                )
            self.contents = contents
            where["shard"] = shard
            stored.append(np.array(names, dtype="S64"))
            locations.append(where)
        self._names, first = np.unique(np.concatenate(stored), return_index=True)
        self._locations = np.concatenate(locations)[first]
        self._checked = {kind: np.zeros(len(self._names), dtype=bool) for kind in ("pooled", "residue")}

    @property
    def trunk(self) -> str | None:
        """sha256 of the weights that all shards were made with; None without shards."""
        return self.contents.trunk if self.contents else None

    @property
    def depth(self) -> int:
        """Layers of the pooled embeddings, L: all of the trunk."""
        return self.contents.depth if self.contents else 0

    @property
    def width(self) -> int:
        """Width of a representation, D."""
        return self.contents.width if self.contents else 0

    @property
    def layers(self) -> tuple[int, ...]:
        """Layers of the residue embeddings, from 1 to L."""
        return self.contents.layers if self.contents else ()

    def __len__(self) -> int:
        return len(self._names)

    def __iter__(self) -> Iterator[str]:
        return (name.decode() for name in self._names)

    def digest(self) -> str:
        """Of every vector, by the checksums that the shards keep of them."""
        state = hashlib.sha256(repr(self.contents).encode())
        state.update(self._names.tobytes())
        for kind in ("pooled_crc", "residue_crc"):
            state.update(self._locations[kind].tobytes())
        return state.hexdigest()

    def __contains__(self, name: str) -> bool:
        return self._row(name) is not None

    def _row(self, name: str) -> int | None:
        key = name.encode()
        row = int(np.searchsorted(self._names, key))
        return row if row < len(self._names) and self._names[row] == key else None

    def pooled(self, names: Sequence[str], layers: Sequence[int] | None = None) -> np.ndarray:
        """Means over the residues of sequences.

        Parameters
        ----------
        names : sequence of str
            their sequence_sha256.
        layers : sequence of int, optional
            some of 1 to L; all by default.

        Returns
        -------
        shape (N, L, D), or (N, len(layers), D), float32.
        """
        chosen = np.arange(self.depth) if layers is None else np.array(layers, dtype=int) - 1
        if not all(0 <= layer < self.depth for layer in chosen):
            raise ValueError(f"layers are counted from 1 to {self.depth}, not {layers}")
        vectors = np.empty((len(names), len(chosen), self.width), dtype=np.float32)
        for row, name in zip(vectors, names, strict=True):
            row[:] = self._vectors(name, "pooled", (self.depth, self.width))[chosen]
        return vectors

    def residues(self, name: str) -> np.ndarray:
        """Residue embeddings of the sequence with this sequence_sha256; shape (length, K, D), float32."""
        return self._vectors(name, "residue", (-1, len(self.layers), self.width)).astype(np.float32)

    def _vectors(self, name: str, kind: str, shape: tuple[int, ...]) -> np.ndarray:
        row = self._row(name)
        if row is None:
            raise KeyError(name)
        location = self._locations[row]
        length = int(location["length"])
        shape = (length, *shape[1:]) if kind == "residue" else shape
        size = int(np.prod(shape)) * ITEM_BYTES["F16"]
        handle = self._file(int(location["shard"]))
        data = os.pread(handle.fileno(), size, int(location[kind]))  # moves no file position: workers share it
        known = self._checked[kind][row]
        if len(data) != size or not (known or zlib.crc32(data) == location[f"{kind}_crc"]):
            raise FoldgraftError(
                f"{handle.name}: the embedding of sequence {name} is not what was written; delete the file and "
                "rerun the embed stage"
            )
        self._checked[kind][row] = True
        return np.frombuffer(data, dtype=np.float16).reshape(shape)

    def _file(self, shard: int) -> IO[bytes]:
        handle = self._open.pop(shard, None) or self._paths[shard].open("rb", buffering=0)
        self._open[shard] = handle
        if len(self._open) > OPEN_FILES:
            self._open.popitem(last=False)[1].close()
        return handle

    def __getstate__(self) -> dict[str, Any]:
        """Workers of a data loader may be handed a copy; they open files of their own."""
        return self.__dict__ | {"_open": OrderedDict()}


def _read_locations(path: Path) -> tuple[list[str], np.ndarray, Contents]:
    """The names of a shard's sequences, the `LOCATION` of each, and what they have in common."""
    try:
        header, raw = _read_header(path)
        about = header["__metadata__"]
        names, layers = json.loads(about["sequences"]), tuple(json.loads(about["layers"]))
        _, depth, width = header["pooled"]["shape"]
        contents = Contents(about["trunk"], depth, width, layers)
        where = _locations(path, header, raw, contents)
        if len(names) != len(where):
            raise ValueError("it has not one name per sequence")
        metadata = {key.encode(): text.encode() for key, text in about.items()}
    except (OSError, LookupError, TypeError, ValueError) as error:
        problem = "it lacks a part" if isinstance(error, LookupError) else error
        raise FoldgraftError(
            f"{path}: cannot be read as embeddings ({problem}); delete it and rerun the embed stage"
        ) from None
    origin.check(path, metadata, KINDS.items(), len(names))
    return names, where, contents


def _read_header(path: Path) -> tuple[dict[str, Any], bytes]:
    """The header of a safetensors file, and all bytes before its tensors."""
    with path.open("rb") as handle:
        start = handle.read(8)
        size = int.from_bytes(start, "little")
        if len(start) < 8 or size > path.stat().st_size:
            raise ValueError("it is no safetensors file")
        text = handle.read(size)
        return json.loads(text), start + text


def _locations(path: Path, header: dict[str, Any], raw: bytes, contents: Contents) -> np.ndarray:
    """The `LOCATION` of each sequence of a shard."""
    starts, stops = ({name: len(raw) + header[name]["data_offsets"][end] for name in KINDS} for end in (0, 1))
    if max(stops.values()) != path.stat().st_size or any(header[name]["dtype"] != kind for name, kind in KINDS.items()):
        raise ValueError("it was cut short, or its tensors are of another kind")
    offsets, checksums = (
        np.fromfile(path, dtype=kind, count=(stops[name] - starts[name]) // kind.itemsize, offset=starts[name])
        for name, kind in (("offsets", np.dtype("<i8")), ("checksums", np.dtype("<u4")))
    )
    residues = [offsets[-1], len(contents.layers), contents.width]
    if header["residue"]["shape"] != residues or (np.diff(offsets) < 0).any():
        raise ValueError("its offsets do not divide the residues")
    if len(checksums) != 2 * len(offsets) - 1 or checksums[0] != checksum(raw, offsets, checksums[1:]):
        raise ValueError("its checksum is wrong: bytes of it were changed")
    row = contents.width * ITEM_BYTES["F16"]
    where = np.empty(len(offsets) - 1, dtype=LOCATION)
    where["length"] = np.diff(offsets)
    where["pooled"] = starts["pooled"] + np.arange(len(where)) * row * contents.depth
    where["residue"] = starts["residue"] + offsets[:-1] * row * len(contents.layers)
    where["pooled_crc"], where["residue_crc"] = np.split(checksums[1:], 2)
    return where


def checksum(header: bytes, offsets: np.ndarray, checksums: np.ndarray) -> int:
    """The first checksum of a file, over what is not vectors."""
    return zlib.crc32(header + offsets.astype("<i8").tobytes() + checksums.astype("<u4").tobytes())

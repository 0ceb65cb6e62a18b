"""The content-addressed store that all runs share, and its memory of what has been downloaded."""

import gzip
import hashlib
import json
import os
import tempfile
import time
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from foldgraft.errors import FoldgraftError
from foldgraft.records.files import file_sha256, intact, read_json
from foldgraft.records.lock import store_path

CHUNK = 1 << 20
STALE = 2 * 86400.0  # seconds after which a temporary file belongs to no job any more


class Store:
    """Files under the sha256 of their bytes; each is written elsewhere and renamed, so it is whole or absent."""

    def __init__(self, root: Path):
        self.root = Path(root)

    @contextmanager
    def incoming(self) -> Iterator[Path]:
        """A temporary file in the store, gone when the block ends.

        Raises
        ------
        FoldgraftError
            for an `OSError` in the block: the store cannot be written, is full, or what is to go there cannot be read.
        """
        path = None
        try:
            path = self._temporary()
            yield path
        except OSError as error:
            raise FoldgraftError(f"the store {self.root} cannot be written or read: {error}") from None
        finally:
            if path:
                path.unlink(missing_ok=True)

    def _temporary(self) -> Path:
        folder = self.root / "incoming"
        try:
            handle, name = tempfile.mkstemp(dir=folder)
        except FileNotFoundError:  # on network file systems it would cost to ask first
            folder.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=folder)
        os.close(handle)
        return Path(name)

    def tidy(self) -> None:
        """Remove the temporary files that killed jobs have left; young ones may be in use."""
        for path in (self.root / "incoming").glob("*"):
            with suppress(OSError):  # another job tidies too, or it is another user's
                if time.time() - path.stat().st_mtime > STALE:
                    path.unlink()

    def adopt(self, path: Path, sha256: str) -> None:
        """Move a complete temporary file to its place."""
        _place(path, store_path(self.root, sha256))

    def add(self, chunks: Iterable[bytes]) -> tuple[str, int]:
        """Store bytes; returns their sha256 and how many they are."""
        with self.incoming() as temporary:
            sha256, size = spool(chunks, temporary)
            self.adopt(temporary, sha256)
        return sha256, size

    def holds(self, sha256: str) -> bool:
        """Whether the entry is there and undamaged."""
        path = store_path(self.root, sha256)
        return path.is_file() and file_sha256(path) == sha256

    def remembered(self, source: str, name: str) -> dict[str, Any] | None:
        """What was noted of an item's download, if its bytes are still whole."""
        try:
            row = read_json(self._memory(source, name))
            return row if isinstance(row, dict) and self.holds(str(row.get("sha256"))) else None
        except FoldgraftError:
            return None

    def remember(self, row: dict[str, Any]) -> None:
        """Note a download, so that no run repeats it: its lock row, and what the server is to be asked by."""
        with self.incoming() as temporary:
            temporary.write_text(json.dumps(row, indent=2, sort_keys=True) + "\n", encoding="utf-8")
            _place(temporary, self._memory(row["source"], row["id"]))

    def _memory(self, source: str, name: str) -> Path:
        return self.root / f"downloads/{source}/{name[-2:]}/{name}.json"


def _place(path: Path, target: Path) -> None:
    path.chmod(0o644)
    try:
        path.replace(target)
    except FileNotFoundError:
        target.parent.mkdir(parents=True, exist_ok=True)
        path.replace(target)


def spool(chunks: Iterable[bytes], path: Path) -> tuple[str, int]:
    """Write chunks to a file; returns their sha256 and size."""
    digest, size = hashlib.sha256(), 0
    with path.open("wb") as handle:
        for chunk in chunks:
            handle.write(chunk)
            digest.update(chunk)
            size += len(chunk)
    return digest.hexdigest(), size


def read_chunks(path: Path) -> Iterator[bytes]:
    """A file piece by piece."""
    with intact(path).open("rb") as handle:
        while chunk := handle.read(CHUNK):
            yield chunk


def decompressed(path: Path, bound: int) -> Iterator[bytes]:
    """A file's content piece by piece, decompressed if it is gzip; several gzip members in a row are one file.

    Raises
    ------
    ValueError
        if the gzip data is damaged or cut, or there is more than `bound` bytes of content.
    """
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        total, handle = 0, gzip.GzipFile(fileobj=file) if packed else file
        try:
            while content := handle.read(CHUNK):
                total += len(content)
                if total > bound:
                    raise ValueError(f"it decompresses to more than {bound} bytes")
                yield content
        except EOFError:
            raise ValueError("the gzip data is cut short") from None
        except (gzip.BadGzipFile, zlib.error) as error:
            raise ValueError(f"the gzip data is damaged ({error})") from None

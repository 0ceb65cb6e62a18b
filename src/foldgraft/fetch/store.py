"""The content-addressed store that all runs share, and its memory of what has been downloaded."""

import hashlib
import itertools
import json
import os
import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from foldgraft.errors import FoldgraftError
from foldgraft.fetch.packed import CHUNK
from foldgraft.records.files import file_sha256, intact, read_json
from foldgraft.records.lock import store_path

STALE = 2 * 86400.0  # seconds after which a temporary file belongs to no job any more


class Store:
    """Files under the sha256 of their bytes; each is written elsewhere and renamed, so it is whole or absent."""

    def __init__(self, root: Path):
        self.root = Path(root)
        self._incoming, self._ready = self.root / "incoming", False
        self._mine, self._count = secrets.token_hex(8), itertools.count()

    @contextmanager
    def incoming(self) -> Iterator[Path]:
        """The path of a temporary file in the store; the file is gone when the block ends.

        Raises
        ------
        FoldgraftError
            for an `OSError` in the block: the store cannot be written, is full, or what is to go there cannot be read.
        """
        path = self._incoming / f"{self._mine}-{next(self._count)}"
        try:
            if not self._ready:
                self._incoming.mkdir(parents=True, exist_ok=True)
                self._ready = True
            yield path
        except OSError as error:
            raise FoldgraftError(f"the store {self.root} cannot be written or read: {error}") from None
        finally:
            with suppress(FileNotFoundError, NotADirectoryError):
                os.unlink(path)  # noqa: PTH108, for each of many small files pathlib takes as long as the file

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
        path = self._memory(source, name)
        if not path.is_file():
            return None
        try:
            row = read_json(path)
            return row if isinstance(row, dict) and self.holds(str(row.get("sha256"))) else None
        except FoldgraftError:
            return None

    def remember(self, row: dict[str, Any]) -> None:
        """Note a download, so that no run repeats it: its lock row, and what the server is to be asked by."""
        with self.incoming() as temporary:
            temporary.write_text(json.dumps(row, sort_keys=True) + "\n", encoding="utf-8")
            _place(temporary, self._memory(row["source"], row["id"]))

    def _memory(self, source: str, name: str) -> Path:
        return self.root / f"downloads/{source}/{name[-2:]}/{name}.json"


def _place(path: Path, target: Path) -> None:
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

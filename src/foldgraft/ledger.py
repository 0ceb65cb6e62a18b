"""Which bytes the inputs of a run have, read again only when a file's size or times are others than before.

A copy, a clone or a touch gives files new times but not new bytes, and is to rerun nothing.
"""

import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path

from foldgraft.records.files import atomic, file_sha256

SMALL = 2**20
"""bytes"""


class Ledger:
    """Digests of sets of files by name, kept in a file; without one, as on a job's node, nothing is kept.

    An entry says how the files looked, by size and time, and what their digest was.
    """

    def __init__(self, path: Path | None = None, keep: bool = False):
        self._path, self._keep = path, keep
        self._known: dict[str, list[str]] = {}
        self._changed = False
        if path and path.is_file():
            try:
                self._known = dict(json.loads(path.read_text(encoding="utf-8")))
            except (OSError, ValueError, TypeError):
                self._known = {}  # then the files are read again

    def digest(self, paths: Iterable[Path]) -> str:
        """The digest of the names and bytes of files."""
        return _digest([f"{path}\t{self.file(path)}" for path in sorted(paths)])

    def file(self, path: Path) -> str:
        """The sha256 of a file; that of a small one is not kept, since it is read as fast."""
        if not path.is_file():
            return "missing"
        status = path.stat()
        if status.st_size < SMALL:
            return file_sha256(path)
        seen = f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"
        sha256 = self.kept(str(path), seen, lambda: file_sha256(path))
        self.save()
        return sha256

    def kept(self, name: str, seen: str, digest: Callable[[], str]) -> str:
        """The digest noted under a name if things look as they did then, else that which the function finds."""
        name = hashlib.sha256(name.encode()).hexdigest()[:16]
        known = self._known.get(name)
        if known is None or known[0] != seen:
            self._known[name] = [seen, digest()]
            self._changed = True
        return self._known[name][1]

    def known(self, name: str) -> str | None:
        """What was noted under a name, however things look now."""
        return self._known.get(hashlib.sha256(name.encode()).hexdigest()[:16], [None, None])[1]

    def save(self) -> None:
        """Write what has been noted since."""
        if not (self._path and self._keep and self._changed):
            return
        try:
            with atomic(self._path) as temporary:
                temporary.write_text(json.dumps(self._known), encoding="utf-8")
            self._changed = False
        except OSError:
            self._keep = False  # a folder that cannot be written to is planned in, too


def _digest(lines: list[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()

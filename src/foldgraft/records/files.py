"""Files that are either whole or absent, and the digests by which they are known."""

import errno
import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from glob import glob
from pathlib import Path
from typing import Any

from foldgraft.errors import FoldgraftError

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._|~:+-]{0,127}")


FULL = {errno.ENOSPC, errno.EDQUOT}
"""Troubles of a full disk."""


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """A full disk, which libraries report in their own ways and often without a file, names this one.

    Raises
    ------
    OSError
        with the file's name, its number one of `FULL`.
    """
    try:
        yield
    except OSError as error:
        if error.errno in FULL and error.filename is None:
            raise OSError(error.errno, os.strerror(error.errno), str(path)) from error
        raise
    except Exception as error:
        if os.strerror(errno.ENOSPC) in str(error):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error
        raise


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its name when the block ends well and vanishes when it does not.

    The file gets the permissions that the umask gives, also where a library makes files for their owner alone.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.touch()  # the umask belongs to all threads and cannot be read without being set, so it is tried out
        mode = temporary.stat().st_mode & 0o777
        temporary.unlink()
        with naming(path):
            yield temporary
        temporary.chmod(mode)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON with sorted keys."""
    with atomic(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """Read a JSON file; a malformed one is a `FoldgraftError` naming it."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FoldgraftError(
            f"{path}: cannot be read as JSON ({error}); if a stage made it, delete it and run the same command again"
        ) from None


def file_sha256(path: Path) -> str:
    """Hex sha256 of a file's bytes."""
    with Path(path).open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def sequence_sha256(sequence: str) -> str:
    """Hex sha256 of a one-letter sequence: the name under which its embedding and its cluster are found."""
    return hashlib.sha256(sequence.encode("ascii")).hexdigest()


def checked_id(text: str, where: str) -> str:
    """`text` if it may serve as an id: 1 to 128 letters, digits and . _ | ~ : + -, beginning with a letter or digit.

    Ids come from outside and end up in tables, FASTA headers and web pages, so nothing else is let in.

    Raises
    ------
    FoldgraftError
        naming `where` the id stands.
    """
    if not ID.fullmatch(text):
        raise FoldgraftError(
            f"{where}: {text[:60]!r} cannot be an id; use 1 to 128 letters, digits and . _ | ~ : + -, "
            "beginning with a letter or a digit"
        )
    return text


def matches(patterns: list[str], data: Path, key: str) -> list[str]:
    """Files that the patterns match, once each and sorted, relative to `data` where the pattern is.

    Raises
    ------
    FoldgraftError
        if a pattern matches no file.
    """
    paths: set[str] = set()
    for pattern in patterns:
        found = [path for path in glob(pattern, root_dir=data, recursive=True) if (data / path).is_file()]  # noqa: PTH207
        if not found:
            raise FoldgraftError(f"{key}: {pattern!r} matches no file below {data}")
        paths.update(found)
    return sorted(paths)

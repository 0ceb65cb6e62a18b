"""Files that are either whole or absent, and the digests by which they are known.

A text file that a stage hands on has its sha256 beside it: that of `metrics.csv` stands in `.metrics.csv.sha256`, as
`sha256sum --check` reads it. Bytes that changed since are not taken for data. A file without one was not written by
Foldgraft, and nothing is known of it.
"""

import errno
import hashlib
import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from glob import glob
from pathlib import Path
from typing import IO, Any

from foldgraft.errors import FoldgraftError

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._|~:+-]{0,127}")

STANDARD = Path("-")
"""Names standard input, or standard output."""

REMAKE = "delete it and run the same command again, which makes it anew"

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

    Raises
    ------
    IsADirectoryError
        if the path is a folder.
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
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


@contextmanager
def text_output(path: Path | None) -> Iterator[IO[str]]:
    """A text file to write as of `atomic`, or standard output for `STANDARD` or None."""
    if path is None or path == STANDARD:
        yield sys.stdout
        return
    with atomic(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as handle:
        yield handle


@contextmanager
def sealed(path: Path) -> Iterator[Path]:
    """A temporary path as of `atomic`; the file's sum appears beside it, a moment before the file itself."""
    path = Path(path)
    with atomic(path) as temporary:
        yield temporary
        seal(path, temporary)


def seal(path: Path, written: Path | None = None) -> None:
    """Write the sum of a file, or of what will get its name, beside it."""
    with atomic(seal_of(path)) as temporary:
        temporary.write_text(f"{file_sha256(written or path)}  {path.name}\n", encoding="utf-8")


def seal_of(path: Path) -> Path:
    """Where the sum of a file stands."""
    return path.with_name(f".{path.name}.sha256")


def intact(path: Path) -> Path:
    """The path itself, if the file's bytes are those that were written.

    Raises
    ------
    FoldgraftError
        if they are others, or the file is gone.
    """
    path = Path(path)
    try:
        written = seal_of(path).read_text(encoding="utf-8").split("  ")[0]
    except (FileNotFoundError, NotADirectoryError):
        return path
    except (OSError, UnicodeDecodeError) as error:
        raise FoldgraftError(f"{seal_of(path)}: cannot be read ({error}); {REMAKE}") from None
    if not path.is_file():
        raise FoldgraftError(f"{path}: is missing, though it was written; run the same command again, which makes it")
    if file_sha256(path) != written:
        raise FoldgraftError(f"{path}: its bytes are not those that were written, it was damaged or edited; {REMAKE}")
    return path


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON with sorted keys."""
    with sealed(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """Read a JSON file; a malformed one is a `FoldgraftError` naming it."""
    try:
        return json.loads(intact(path).read_text(encoding="utf-8"))
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
        matching = [path for path in glob(pattern, root_dir=data, recursive=True) if (data / path).is_file()]  # noqa: PTH207
        if not matching:
            raise FoldgraftError(f"{key}: {pattern!r} matches no file below {Path(data).absolute()}")
        paths.update(matching)
    return sorted(paths)

"""Whose a table is: what its metadata says of the job that wrote it, checked by whoever reads it.

Each table carries, as JSON under the key `foldgraft` of its metadata:

    format      version of this record and of the tables
    stage       the stage that wrote it
    table       its path from the stage's folder on, such as curate/chains/files-00000.parquet
    rows        how many rows were written
    columns     digest of its columns' names and types
    made_from   digest of the settings, code and inputs that it was made from; empty if the command was called by hand

A workflow's job is told what it is made from, and the same of each table that it is to read (`--job`, see
`foldgraft.lineage`). So another run's table, or one of this run before its settings changed, is refused. A command
called by hand knows nothing of the kind, and takes any table that is whole and named after its shard.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foldgraft.errors import FoldgraftError
from foldgraft.records.files import REMAKE

KEY = b"foldgraft"
FORMAT = 1
SHARD = re.compile(r"[a-z][a-z0-9_]*-[0-9]{5}")
SHORT = 10
"""Digits of the digests by which a job knows its inputs."""


@dataclass(frozen=True)
class Job:
    """The job that runs: its stage, what it is made from, and the short digests of what its inputs are made from."""

    stage: str = ""
    made_from: str = ""
    inputs: frozenset[str] = frozenset()


_job = Job()


def begin(stage: str, made_from: str = "") -> None:
    """Note which job runs in this process, and what the workflow told of it.

    `made_from` is its digest, `@` and the threads that its rule asks for, a colon, and the short digests of its inputs.
    """
    global _job
    own, _, inputs = made_from.partition(":")
    _job = Job(stage, own.partition("@")[0], frozenset(filter(None, inputs.split(","))))


def threads(made_from: str) -> str:
    """The threads that a job's rule asks for; empty if they are not known."""
    return made_from.partition(":")[0].partition("@")[2]


Columns = Iterable[tuple[str, Any]]
"""Names and types of a table's columns, or of a file's tensors."""


def written(path: Path, columns: Columns, rows: int) -> dict[str, str]:
    """The metadata of a table that this job has written."""
    about = {
        "format": FORMAT,
        "stage": _job.stage,
        "table": _name(path, _job.stage),
        "rows": rows,
        "columns": _digest(columns),
        "made_from": _job.made_from,
    }
    return {KEY.decode(): json.dumps(about)}


def check(path: Path, metadata: Mapping[bytes, bytes] | None, columns: Columns, rows: int) -> None:
    """Compare what a table says of itself with what is found and with what this job is to read.

    A table without such metadata was not written by Foldgraft, and nothing is known of it.

    Raises
    ------
    FoldgraftError
        if the table is damaged, of another version, of another shard, or made from something else than this run's.
    """
    text = (metadata or {}).get(KEY)
    if text is None:
        return
    try:
        about: dict[str, Any] = json.loads(text)
        version, table, made_from = about["format"], Path(about["table"]), about["made_from"]
        whole = about["rows"] == rows and about["columns"] == _digest(columns)
    except (ValueError, LookupError, TypeError) as error:
        raise FoldgraftError(f"{path}: was damaged, its metadata cannot be read ({error}); {REMAKE}") from None
    if version != FORMAT:
        raise FoldgraftError(f"{path}: a table of format {version}, where this version reads {FORMAT}; {REMAKE}")
    if not whole:
        raise FoldgraftError(f"{path}: was damaged, its rows or columns are not those that were written; {REMAKE}")
    known = [bool(SHARD.fullmatch(name)) for name in (table.stem, path.stem)]
    if all(known) and table.stem != path.stem:
        raise FoldgraftError(f"{path}: holds the shard {table.stem}, whatever its name says; {REMAKE}")
    accept(path, made_from)
    if _job.made_from and made_from and not Path(path).as_posix().endswith(table.as_posix()):
        raise FoldgraftError(f"{path}: was written as {table}, whatever its name says; {REMAKE}")


def accept(path: Path, made_from: str) -> None:
    """Refuse a file made from other settings, code or inputs than those of this job's inputs, where both are known."""
    known = {_job.made_from[:SHORT], *_job.inputs}
    if _job.made_from and made_from and made_from[:SHORT] not in known:
        raise FoldgraftError(
            f"{path}: was made by another run, or from other settings, code or inputs than this run's; {REMAKE}"
        )


def made_from() -> str:
    """What this job is made from; empty if its command was called by hand."""
    return _job.made_from


def _digest(columns: Columns) -> str:
    return hashlib.sha256("\n".join(f"{name}\t{kind}" for name, kind in columns).encode()).hexdigest()[:16]


def _name(path: Path, stage: str) -> str:
    parts = Path(path).parts
    last = max((k for k, part in enumerate(parts[:-1]) if part == stage), default=len(parts) - 1)
    return Path(*parts[last:]).as_posix()

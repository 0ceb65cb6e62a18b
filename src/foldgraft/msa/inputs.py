"""Alignments that the user brings along: which files they are, and that each can be read."""

from dataclasses import dataclass
from pathlib import Path

from foldgraft.errors import FoldgraftError
from foldgraft.evolution.columns import Alignment, over_columns
from foldgraft.evolution.formats import Part, read_parts
from foldgraft.msa.settings import COLABFOLD, AlignmentFiles, MsaSettings
from foldgraft.records.files import matches

HEAD = 1_000_000  # bytes by which a file is known before any job runs
PROTEINS = {0, 2}  # types of MMseqs2's databases: amino acids, and profiles of them


@dataclass(frozen=True)
class Given:
    """An alignment file, its name as the tables give it, and the query's row with gaps if another file holds it."""

    path: Path
    name: str
    guide: str | None = None

    def read(self, limit: int | None = None) -> list[tuple[Part, Alignment]]:
        """The alignments of the file, each as read and over its columns; `limit` as for `read_parts`."""
        return [(part, over_columns(part, self.path, self.guide)) for part in read_parts(self.path, limit)]


def paths(settings: AlignmentFiles, data: Path) -> list[Path]:
    """All files that the settings name, sorted pattern by pattern."""
    keys = {"msa.alignments.files": settings.files, "msa.alignments.queries": settings.queries}
    return [data / path for key, patterns in keys.items() for path in matches(patterns, data, key)]


def find(settings: AlignmentFiles, data: Path) -> list[Given]:
    """The alignments of the settings, sorted by path.

    Raises
    ------
    FoldgraftError
        for a pattern that matches nothing, two query files in one folder, or a query file of several rows.
    """
    guides: dict[Path, Path] = {}
    for path in map(Path, matches(settings.queries, data, "msa.alignments.queries")):
        if path.parent in guides:
            raise FoldgraftError(
                f"msa.alignments.queries: {data / path} and {guides[path.parent].name} are in one folder; "
                "a folder may hold one query"
            )
        guides[path.parent] = path
    texts = {folder: _query(data / path) for folder, path in guides.items()}
    files = [Path(name) for name in matches(settings.files, data, "msa.alignments.files")]
    given = [path for path in files if path not in guides.values()]
    return [Given(data / path, str(path), texts.get(path.parent)) for path in given]


def _query(path: Path) -> str:
    rows = [row for part in read_parts(path, HEAD) for row in part.rows]
    if len(rows) > 1:
        raise FoldgraftError(f"{path}: a query file holds one row, this one has more")
    return rows[0].text


def prepared(settings: MsaSettings, data: Path) -> Path | None:
    """The database that the settings name; None for that of the run's own sequences, and for a server."""
    return None if settings.database in ("sequences", COLABFOLD) else data / settings.database


def check(settings: MsaSettings, data: Path) -> None:
    """Check before any job runs, by its beginning, that each alignment can be read and has a usable row.

    A prepared database must be one of proteins.

    Raises
    ------
    FoldgraftError
        naming the key or the file.
    """
    for given in find(settings.alignments, data):
        given.read(HEAD)
    database = prepared(settings, data)
    if database is None:
        return
    kind = database.with_name(f"{database.name}.dbtype")
    if not kind.is_file() or not database.with_name(f"{database.name}.index").is_file():
        raise FoldgraftError(
            f"msa.database: {database} is no MMseqs2 database; `mmseqs createdb` or `databases` makes one"
        )
    if int.from_bytes(kind.read_bytes()[:2], "little") not in PROTEINS:
        raise FoldgraftError(f"msa.database: {database} is no database of protein sequences or profiles")

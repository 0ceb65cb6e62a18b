"""Alignments that the user brings along: which files they are, and which chains they fit."""

import sys
from dataclasses import dataclass
from pathlib import Path

from foldgraft.errors import FoldgraftError
from foldgraft.msa.a3m import Row, first_rows, onto_query, read_alignment
from foldgraft.msa.settings import AlignmentFiles, MsaSettings
from foldgraft.records.files import matches


@dataclass(frozen=True)
class Precomputed:
    """An alignment file, with the residues of its query and the query's row if another file holds it."""

    path: Path
    query: str
    guide: str | None

    @property
    def name(self) -> str:
        """The file's name, as the tables give it."""
        return self.path.name

    def rows(self) -> list[Row]:
        """The rows over the query's residues."""
        return onto_query(read_alignment(self.path), self.guide, self.path)[1]


def matching(patterns: list[str], data: Path, key: str) -> list[Path]:
    """The files that patterns match, sorted; `FoldgraftError` for a pattern that matches nothing."""
    return [data / path for path in matches(patterns, data, key)]


def paths(settings: AlignmentFiles, data: Path) -> list[Path]:
    """All files that the settings name, sorted pattern by pattern."""
    files = matching(settings.files, data, "msa.alignments.files")
    return files + matching(settings.queries, data, "msa.alignments.queries")


def find(settings: AlignmentFiles, data: Path) -> list[Precomputed]:
    """The alignments of the settings, their queries read, sorted by path.

    Raises
    ------
    FoldgraftError
        for a pattern that matches nothing, two query files in one folder, or a query that does not fit its alignment.
    """
    guides: dict[Path, Path] = {}
    for path in matching(settings.queries, data, "msa.alignments.queries"):
        if path.parent in guides:
            raise FoldgraftError(
                f"msa.alignments.queries: {path} and {guides[path.parent].name} are in one folder; "
                "a folder may hold one query"
            )
        guides[path.parent] = path
    queries = set(guides.values())
    files = [path for path in matching(settings.files, data, "msa.alignments.files") if path not in queries]
    return [_precomputed(path, guides.get(path.parent)) for path in files]


def _precomputed(path: Path, guide: Path | None) -> Precomputed:
    rows = first_rows(path, 2)
    row = None
    if guide:
        given = first_rows(guide, 2)
        if len(given) > 1:
            raise FoldgraftError(f"{guide}: a query file holds one row, this one has more")
        row = given[0].text
    residues, _ = onto_query(rows, row, path)
    return Precomputed(path, residues, row)


def check(settings: MsaSettings, data: Path) -> None:
    """Check before any job runs that alignments exist and that their first rows agree in length.

    Raises
    ------
    FoldgraftError
        naming the key or the file.
    """
    find(settings.alignments, data)


def fit(sequence: str, alignments: list[Precomputed]) -> tuple[Precomputed, int] | None:
    """The alignment with the longest query that the sequence holds letter by letter, and where it begins."""
    fitting = [item for item in alignments if item.query in sequence]
    if not fitting:
        return None
    best = min(fitting, key=lambda item: (-len(item.query), str(item.path)))
    return best, sequence.index(best.query)


def tell_unused(alignments: list[Precomputed], used: set[Path]) -> None:
    """Say in the log which alignments fit no chain of this shard."""
    unused = [item.name for item in alignments if item.path not in used]
    if unused:
        print(f"{len(unused)} alignments fit no chain of this shard: {', '.join(unused)}", file=sys.stderr)

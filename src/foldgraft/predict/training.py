"""The proteins that heads learnt from, as a run has them or as a user gives them."""

import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from foldgraft.errors import FoldgraftError
from foldgraft.predict.sequences import letters, printable
from foldgraft.records import labels
from foldgraft.records.label_files import header, read_rows
from foldgraft.records.labels import table_of
from foldgraft.records.split import SPLIT
from foldgraft.records.tables import read_frame, read_frames
from foldgraft.residues import AMINO_ACIDS
from foldgraft.tasks.trained import Trained

FIRST = 50
"""Rows that say which column holds the sequences."""


def learnt_from(heads: Sequence[Trained], shards: Sequence[Path], split: Path) -> dict[str, str]:
    """Labelled proteins that any member of the heads learnt from or chose its epoch by: their names by sequence.

    Parameters
    ----------
    heads : sequence of Trained
    shards : sequence of Path
        fetch/labels/<shard>.parquet of their tables.
    split : Path
        cluster/split.parquet.

    Raises
    ------
    FoldgraftError
        if the heads are not of proteins.
    """
    _of_proteins(heads, "--labels")
    folds = read_frame(split, SPLIT, ["id", "set", "fold"])
    several = len({table_of(path) for path in shards}) > 1
    found: dict[str, str] = {}
    for head in heads:
        own = [path for path in shards if table_of(path) in {task.name for task in head.info.tasks}]
        table = read_frames(own, labels.SCHEMA, ["id", "sequence"]).drop_duplicates("id") if own else None
        if table is None:
            continue
        name = table_of(own[0])
        tested = {member.test_fold for member in head.info.members}
        placed = table.merge(folds[folds["set"] == name], on="id").sort_values("id", ascending=False)
        unseen = tested if len(tested) == 1 else set()  # of several each is learnt from by the others' members
        placed = placed[~placed["fold"].isin(unseen)]
        found |= {row.sequence: f"{name}:{row.id}" if several else row.id for row in placed.itertuples()}
    return found


def training_proteins(given: Path, heads: Sequence[Trained]) -> dict[str, str]:
    """Names of the proteins that heads learnt from, by sequence; how many there are is told on standard error.

    Parameters
    ----------
    given : Path
        a FASTA file, a table, or the folder of a finished run.
    heads : sequence of Trained

    Raises
    ------
    FoldgraftError
        if the heads are not of proteins, or what is given holds no such proteins.
    """
    _of_proteins(heads, "--training")
    learnt, unused = (of_run(heads, given), 0) if given.is_dir() else of_table(given)
    without = f"; {unused} rows have no sequence of use" if unused else ""
    print(f"training proteins: {len(learnt)} sequences, {given}{without}", file=sys.stderr)
    return learnt


def _of_proteins(heads: Sequence[Trained], key: str) -> None:
    info = heads[0].info
    if info.level != "protein":
        raise FoldgraftError(
            f"{key}: the nearest protein stands in a table of proteins, and {info.name} predicts for each "
            f"{info.level}; leave it out"
        )


def of_run(heads: Sequence[Trained], run: Path) -> dict[str, str]:
    """The proteins that heads learnt from in a finished run, as `learnt_from` gives them.

    Raises
    ------
    FoldgraftError
        if the folder is none of a run with a labelled table of these heads.
    """
    tasks = {task.name for head in heads for task in head.info.tasks}
    shards = [path for path in sorted((run / "fetch/labels").glob("*.parquet")) if table_of(path) in tasks]
    split = run / "cluster/split.parquet"
    if not shards or not split.is_file():
        raise FoldgraftError(
            f"--training: {run} is no folder of a run with a labelled table {' or '.join(sorted(tasks))}; name one, "
            "such as results/mine, or the table itself"
        )
    return learnt_from(heads, shards, split)


def of_table(path: Path) -> tuple[dict[str, str], int]:
    """Names of the proteins of a FASTA file or of a table, by sequence, and how many rows have no sequence of use.

    In a table the column `sequence` holds the sequences, or else the only one that holds nothing but amino acids; the
    column `id` holds the names, or else the first of the others. Of equal sequences the first gives the name.

    Raises
    ------
    FoldgraftError
        if the file is no such table.
    """
    if not path.is_file():
        raise FoldgraftError(f"--training: there is no file or folder {path}")
    sequence, name = _columns(path)
    found: dict[str, str] = {}
    unused = 0
    for number, row in enumerate(read_rows(path), start=1):
        text = letters(row.cells.get(sequence, ""))
        if row.problem or not (text.isascii() and text.isalpha()):
            unused += 1
            continue
        said = row.cells[name] if name else ""
        found.setdefault(text, printable(said).strip() or f"row:{number}")
    if not found:
        raise FoldgraftError(f"--training: {path} holds no sequence")
    return found, unused


def _columns(path: Path) -> tuple[str, str | None]:
    """Names of the columns of sequences and of names; None where there are no names."""
    names = header(path)
    if any(name.isupper() and _is_protein(name) for name in names):
        raise FoldgraftError(f"--training: {path}: its first line holds a protein; begin it with the names of columns")
    if names.count("sequence") > 1:
        raise FoldgraftError(f"--training: {path}: two of its columns are called sequence; leave that name to one")
    first = [row.cells for row in islice(read_rows(path), FIRST)]
    if not first:
        raise FoldgraftError(f"--training: {path} holds no sequence")
    of_proteins = [name for name in names if all(_is_protein(cells.get(name, "")) for cells in first)]
    found = ["sequence"] if "sequence" in names else of_proteins
    if len(found) != 1:
        said = f"the columns {', '.join(found)} all hold" if found else f"none of its columns {', '.join(names)} holds"
        raise FoldgraftError(f"--training: {path}: {said} sequences of proteins; name one of them `sequence`")
    others = [name for name in names if name != found[0]]
    return found[0], "id" if "id" in names else next(iter(others), None)


def _is_protein(text: str) -> bool:
    """Whether a cell may hold a sequence of a table without a column of that name: more than a word, of amino acids."""
    return len(text) > 10 and set(letters(text)) <= {*AMINO_ACIDS, *"BOUXZ"}

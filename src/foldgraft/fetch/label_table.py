"""A labelled table read whole: its rows joined, checked, and those of one id brought together."""

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from foldgraft.errors import FoldgraftError
from foldgraft.fetch.inputs import table_files
from foldgraft.fetch.label_settings import LabelsSettings
from foldgraft.fetch.label_values import Label, LabelReader, Missing
from foldgraft.fetch.tables import LETTERS, SHOWN, Unlike, clean_sequence
from foldgraft.records.files import checked_id
from foldgraft.records.label_files import Row, header, read_rows

MOST_CLASSES = 1000
TWICE = "has two columns named {!r}; rename one"


@dataclass(frozen=True)
class Protein:
    """One labelled protein: a row of the table, or several that replicate it."""

    id: str
    sequence: str
    labels: tuple[Label, ...]
    fold: int | None
    split: str | None
    group: str | None
    covariates: tuple[str, ...]


@dataclass
class Labelled:
    """A labelled table, read whole."""

    proteins: dict[str, Protein] = field(default_factory=dict)
    rejects: list[tuple[str, str, str, str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    unlike: Unlike = field(default_factory=Unlike)


class TableReader:
    """Reads one labelled table.

    Parameters
    ----------
    name : str
        of the table; messages name its keys.
    settings : LabelsSettings
    open_as : function from a path as configured to the file that is read
    """

    def __init__(self, name: str, settings: LabelsSettings, open_as: Callable[[str], Path]):
        self.name, self.settings, self._path = name, settings, open_as
        self.key = name if name == "solubility" else f"labels.{name}"
        self._reader = LabelReader(settings)

    def read(self) -> Labelled:
        """All proteins of the table, in its order, and what was left out.

        Raises
        ------
        FoldgraftError
            for a column that is not there (naming those that are), and for rows that are wrong: the first few, and how
            many there are.
        """
        labelled = Labelled()
        for path, role in ((self.settings.test_table, "test"), (self.settings.table, None)):
            if path is not None:
                self._read(self._path(path), role, labelled)
        labelled.unlike.check("rows")
        if labelled.problems:
            more = f"\n... and {len(labelled.problems) - SHOWN} more rows" if len(labelled.problems) > SHOWN else ""
            raise FoldgraftError("\n".join(labelled.problems[:SHOWN]) + more)
        if not labelled.proteins:
            reason = (
                f"all {len(labelled.rejects)} rows are without a label or sequence of use"
                if labelled.rejects
                else "the table has no rows"
            )
            raise FoldgraftError(f"{self.key}.table: {self._path(self.settings.table)}: {reason}")
        return labelled

    def _read(self, path: Path, role: str | None, labelled: Labelled) -> None:
        joins = {name: self._joined(name, file) for name, file in self.settings.join.items()}
        self._check_columns(path)
        for number, row in enumerate(read_rows(path), start=1):
            try:
                self._take(row, number, role, joins, labelled)
            except FoldgraftError as error:
                labelled.problems.append(str(error))

    def _joined(self, join: str, file: str) -> dict[str, dict[str, str]]:
        """Cells of a joined table by id, under their full names."""
        path, column = self._path(file), self.settings.columns.id
        names = header(path)
        column = column if column in names else "id"
        if column not in names:
            raise FoldgraftError(f"{self.key}.join: {path} has no column {self.settings.columns.id!r} to join by")
        if names.count(column) > 1:
            raise FoldgraftError(f"{self.key}.join: {path} {TWICE.format(column)}")
        rows = list(read_rows(path))
        used = {role: one.partition(".")[2] for role, one in self._columns().items() if one.startswith(f"{join}.")}
        for row in rows:
            _check_repeated(row, used)
        if short := [row for row in rows if row.problem]:
            raise FoldgraftError(f"{self.key}.join: {short[0].where}: {short[0].problem} ({len(short)} such rows)")
        by_id: dict[str, dict[str, str]] = {}
        for row in rows:
            name = row.cells[column].strip()
            if by_id.setdefault(name, row.cells) is not row.cells:
                raise FoldgraftError(
                    f"{self.key}.join: {row.where}: the id {name!r} has come before; keep one row of it"
                )
        return by_id

    def _check_columns(self, path: Path) -> None:
        joined = {name: header(self._path(file)) for name, file in self.settings.join.items()}
        have = header(path) + [f"{name}.{column}" for name, columns in joined.items() for column in columns]
        for role, column in self._columns().items():
            if column not in have:
                instead = _instead(role, column, have)
                raise FoldgraftError(f"{self.key}.columns.{role}: {path.absolute()} has no column {column!r}{instead}")
            if have.count(column) > 1:
                raise FoldgraftError(f"{self.key}.columns.{role}: {path.absolute()} {TWICE.format(column)}")

    def _columns(self) -> dict[str, str]:
        """Columns that are read, by what they are."""
        columns = self.settings.columns.model_dump(exclude={"covariates"})
        columns |= {f"covariates.{k}": name for k, name in enumerate(self.settings.columns.covariates)}
        return {role: column for role, column in columns.items() if column is not None}

    def _take(self, row: Row, number: int, role: str | None, joins: dict, labelled: Labelled) -> None:
        if row.problem:
            raise FoldgraftError(f"{row.where}: {row.problem}")
        columns = self.settings.columns
        _check_repeated(row, self._columns())
        name = row.cells[columns.id].strip() if columns.id else f"{role or 'row'}{number}"
        checked_id(name, row.where)
        row = row._replace(where=row.where if f"({name})" in row.where else f"{row.where} ({name})")
        for join, rows in joins.items():
            if name not in rows:
                labelled.rejects.append((name, "join", join, f"{self.settings.join[join]} has no row of this id"))
                return
            row.cells.update({f"{join}.{column}": value for column, value in rows[name].items()})
        sequence = clean_sequence(_cell(row, columns.sequence), row.where)
        if reason := labelled.unlike.reason(sequence, row.where):
            labelled.rejects.append((name, "sequence", sequence[:60], reason))
            return
        label = self._reader.label(row, len(sequence))
        if isinstance(label, Missing):
            labelled.rejects.append((name, *label))
            return
        fold, split = self._reader.fold(row)
        protein = Protein(
            id=name,
            sequence=sequence,
            labels=(label,),
            fold=fold,
            split=role or split or ("train" if self.settings.test_table else None),
            group=self._group(row),
            covariates=tuple(_cell(row, column).strip() for column in columns.covariates),
        )
        self._add(protein, row, role, labelled)

    def _group(self, row: Row) -> str | None:
        column, pattern = self.settings.columns.group, self.settings.group_pattern
        if not column:
            return None
        text = _cell(row, column).strip()
        if pattern is None:
            return text
        match = re.search(pattern, text)
        return (match.group(1) or "").strip() if match else None

    def _add(self, protein: Protein, row: Row, role: str | None, labelled: Labelled) -> None:
        earlier = labelled.proteins.get(protein.id)
        if earlier is None:
            labelled.proteins[protein.id] = protein
        elif earlier.split == "test" and role is None and self.settings.test_table:
            reason = f"the test table holds this id; {self.settings.test_table} keeps it"
            labelled.rejects.append((protein.id, "test_table", protein.id, reason))
        elif replace(earlier, labels=()) != replace(protein, labels=()):
            raise FoldgraftError(
                f"{row.where}: the id {protein.id!r} has come before with another sequence, fold or covariate; rows of "
                "one id are replicates and must agree in all but the label"
            )
        else:
            labelled.proteins[protein.id] = replace(earlier, labels=earlier.labels + protein.labels)


def _instead(role: str, column: str, have: list[str]) -> str:
    """What a table has in place of a column, and what to do."""
    listed = f"; it has: {', '.join(have) or 'none'}"
    if len(have) == 1 and re.search(r"[\s|]", have[0]):
        return f"{listed}. The columns must be parted by commas, tabs or semicolons"
    if any(len(name) > 20 and LETTERS.fullmatch(name) for name in have):
        return f"{listed}. The first line must hold the names of the columns"
    near = difflib.get_close_matches(column.lower(), [name.lower() for name in have], n=1)
    hint = next((f"; did you mean {name!r}?" for name in have if [name.lower()] == near), "")
    return listed + hint + ("; set it to null to number the rows" if role == "id" else "")


def _check_repeated(row: Row, columns: dict[str, str]) -> None:
    """Refuse a FASTA record that says twice what is read of it."""
    for role, column in columns.items():
        if column in row.repeated:
            raise FoldgraftError(f"{row.where}: its header has {column!r} twice (columns.{role}); keep one of the two")


def _cell(row: Row, column: str) -> str:
    if column not in row.cells:
        raise FoldgraftError(f"{row.where}: it has no {column!r}")
    return row.cells[column]


def read_classes(settings: LabelsSettings, proteins: dict[str, Protein]) -> list[str]:
    """The classes in the order of their numbers; none for other kinds of label.

    Raises
    ------
    FoldgraftError
        if there are fewer than two, or so many that they are no classes.
    """
    if settings.kind != "classes":
        return []
    if settings.classes:
        return settings.classes
    labels = [label for protein in proteins.values() for label in protein.labels]
    seen = {one for label in labels for one in (label if isinstance(label, list) else [label]) if one is not None}
    if not 2 <= len(seen) <= MOST_CLASSES:
        raise FoldgraftError(f"{len(seen)} classes occur; a task needs 2 to {MOST_CLASSES}; name them under `classes`")
    return sorted(seen)


def read_files(name: str, settings: LabelsSettings, data: Path) -> Labelled:
    """A labelled table from its own files."""
    table_files(name, settings, data)
    return TableReader(name, settings, lambda file: data / file).read()

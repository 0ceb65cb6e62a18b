"""Settings of labelled tables: which file, which columns, and what the labels mean."""

import re
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from foldgraft.settings import Settings

MISSING = ("", "NA", "N/A", "NaN", "null", "None", "?", "-999")

JoinName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]


class ColumnsSettings(Settings):
    """The table's own names for its columns.

    A FASTA file has the columns `id` (first word of the header), `description` (the other words), `sequence` (all lines
    below the header), `line1`, `line2`, ... (each of these lines) and one for every KEY=VALUE of the header. A joined
    table's columns are named after it: `vectors.vector`.
    """

    id: str | None = "id"
    """Column of the ids; null numbers the rows. Rows of one id and one sequence are replicates and become one."""
    sequence: str = "sequence"
    """Column of the amino-acid sequences; blanks between the letters are ignored."""
    label: str = "label"
    """Column of the labels."""
    fold: str | None = None
    """Column of the published fold, a whole number from 0; null if there is none."""
    split: str | None = None
    """Column of a published split: train, valid (validation, val) or test; null if there is none."""
    group: str | None = None
    """Column of a group (organism, family, target), for breakdowns and for splits by group; null if there is none."""
    mask: str | None = None
    """Column that says which residues count: 1 or 0 for each, with or without blanks between. For `level: residue`."""
    covariates: list[str] = Field(default_factory=list)
    """Columns that heads and baselines may read beside the sequence, numbers or words. For `level: protein`."""

    @model_validator(mode="after")
    def _one_partition(self) -> Self:
        if self.fold and self.split:
            raise ValueError("split: a table has a published fold or a published split, not both; remove one")
        return self


class LabelsSettings(Settings):
    """A labelled table, which makes a task of its own."""

    table: str
    """Path of a table (comma-, tab- or semicolon-separated) or of a FASTA file, gzip-compressed or not."""
    test_table: str | None = None
    """Path of a second table of the same columns, whose rows are the test set."""
    join: dict[JoinName, str] = Field(default_factory=dict)
    """Further tables by name, whose columns join the rows of the same id."""
    columns: ColumnsSettings = ColumnsSettings()
    """The table's own names for its columns."""
    level: Literal["protein", "residue"] = "protein"
    """One label per protein, or one per residue: a letter each, or numbers between blanks, commas or semicolons."""
    kind: Literal["binary", "value", "classes"] = "binary"
    """`binary`: 0 or 1, or a fraction between them; `value`: a number; `classes`: a name, or a letter per residue."""
    unit: str = Field(default="", max_length=40)
    """Unit of a value, for the report's axes."""
    classes: list[str] | None = Field(default=None, min_length=2)
    """The classes in their order; labels of other classes are rejected. By default all that occur, sorted."""
    pattern: str | None = None
    """A regular expression whose first group is the label within its column, e.g. `^([A-Za-z.]+)-[MSU]`; a row that it
    does not match is rejected."""
    group_pattern: str | None = None
    """The same for the column of groups, e.g. `^([A-Z][a-z])` for the organism that an id begins with; a row that it
    does not match is of no group."""
    missing: tuple[str, ...] = MISSING
    """What stands for a missing label. Numbers are compared as numbers."""
    limit: int | None = Field(default=None, ge=1)
    """Take at most this many rows: a random subsample in the table's order."""
    seed: int = Field(default=0, ge=0)
    """Seed of that subsample."""

    @field_validator("pattern", "group_pattern")
    @classmethod
    def _compiles(cls, pattern: str | None) -> str | None:
        if pattern is not None:
            try:
                groups = re.compile(pattern).groups
            except re.error as error:
                raise ValueError(f"it is no regular expression ({error})") from None
            if groups < 1:
                raise ValueError("it needs a group in parentheses, which is what is taken")
        return pattern

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        if self.classes is not None and self.kind != "classes":
            raise ValueError("classes: it needs kind: classes")
        if self.classes is not None and len(set(self.classes)) < len(self.classes):
            raise ValueError("classes: one is named twice")
        if self.unit and self.kind != "value":
            raise ValueError("unit: it needs kind: value")
        if self.group_pattern and not self.columns.group:
            raise ValueError("group_pattern: it needs columns.group, to be looked for in")
        if self.columns.mask and self.level != "residue":
            raise ValueError("columns.mask: it needs level: residue")
        if self.columns.covariates and self.level != "protein":
            raise ValueError("columns.covariates: it needs level: protein")
        if self.test_table and (self.columns.fold or self.columns.split):
            raise ValueError("test_table: the columns fold and split say the same already; remove one side")
        return self

    @property
    def files(self) -> list[str]:
        """The files that the table is read from, as they are written."""
        return [self.table, *([self.test_table] if self.test_table else []), *self.join.values()]


class SolubilitySettings(LabelsSettings):
    """A table of sequences labelled as soluble or not: 0 or 1, or the soluble fraction."""

    level: Literal["protein"] = "protein"
    """One label per protein."""
    kind: Literal["binary"] = "binary"
    """0 or 1, or a fraction between them."""

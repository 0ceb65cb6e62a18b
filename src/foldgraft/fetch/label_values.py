"""What a cell of a labelled table says: a label, one label per residue, a fold, or nothing."""

import math
import re
from typing import NamedTuple

from foldgraft.errors import FoldgraftError
from foldgraft.fetch.label_settings import LabelsSettings
from foldgraft.records.label_files import Row

SEPARATED = re.compile(r"[\s,;]+")
MASKED = re.compile(r"[.?*-]")
SPLITS = {"train": "train", "training": "train", "valid": "valid", "validation": "valid", "val": "valid"}
SPLITS |= {"dev": "valid", "test": "test", "testing": "test"}


class Missing(NamedTuple):
    """A label that is not there, or is none of those asked for."""

    rule: str
    value: str
    reason: str


Label = float | str | list[float] | list[str | None]
"""A number, a class, or one of them per residue; a masked number is NaN, a masked class None."""


class LabelReader:
    """Reads the cells of one table as its settings say."""

    def __init__(self, settings: LabelsSettings):
        self._settings = settings
        self._pattern = re.compile(settings.pattern) if settings.pattern else None
        self._words = set(settings.missing)
        self._numbers = {number for number in map(_number, settings.missing) if number is not None}

    def label(self, row: Row, length: int) -> Label | Missing:
        """The label of a row whose sequence has `length` residues.

        Raises
        ------
        FoldgraftError
            naming the row, for what is no label of this kind, or not one for every residue.
        """
        text = row.cells[self._settings.columns.label].strip()
        if self._pattern:
            match = self._pattern.search(text)
            if not match:
                return Missing("pattern", text[:60], f"the label does not match the pattern {self._pattern.pattern}")
            text = (match.group(1) or "").strip()
        if self._settings.level == "residue":
            return self._residues(row, text, length)
        if self._missing(text):
            return Missing("missing", text, "the label is missing")
        value = self._one(row, text)
        if self._settings.classes and value not in self._settings.classes:
            return Missing("classes", text[:60], "the class is none of those that the configuration names")
        return value

    def _residues(self, row: Row, text: str, length: int) -> Label | Missing:
        values = self._per_residue(row, text)
        if len(values) != length:
            raise FoldgraftError(f"{row.where}: {len(values)} labels for a sequence of {length} residues; one each")
        counts = self._mask(row, length)
        masked = math.nan if self._settings.kind != "classes" else None
        values = [value if counted else masked for value, counted in zip(values, counts, strict=True)]
        if all(value is None or value != value for value in values):
            return Missing("missing", "", "no residue of it has a label")
        return values

    def _per_residue(self, row: Row, text: str) -> list:
        tokens = [word for word in SEPARATED.split(text) if word]
        if len(tokens) == 1 and self._settings.kind != "value":
            tokens = list(tokens[0])  # a letter or a digit each, with nothing between
        if self._settings.kind == "classes":
            known = self._settings.classes
            return [None if self._masked(one) or (known and one not in known) else one for one in tokens]
        return [math.nan if self._masked(one) else self._one(row, one) for one in tokens]

    def _masked(self, token: str) -> bool:
        return bool(MASKED.fullmatch(token)) or self._missing(token)

    def _mask(self, row: Row, length: int) -> list[bool]:
        column = self._settings.columns.mask
        if column is None:
            return [True] * length
        text = row.cells[column].strip()
        symbols = [word for word in SEPARATED.split(text) if word]
        if len(symbols) == 1:
            symbols = list(symbols[0])
        numbers = [_number(symbol) for symbol in symbols]
        if len(numbers) != length or set(numbers) - {0.0, 1.0}:
            raise FoldgraftError(f"{row.where}: the mask {text[:20]!r} is not 0 or 1 for each of {length} residues")
        return [number == 1 for number in numbers]

    def _missing(self, text: str) -> bool:
        number = _number(text)
        return text in self._words or (number is not None and (number in self._numbers or number != number))

    def _one(self, row: Row, text: str) -> float | str:
        if self._settings.kind == "classes":
            return text
        number = _number(text.replace(",", ".") if row.decimal_comma else text)
        if self._settings.kind == "value":
            if number is None or not math.isfinite(number):
                raise FoldgraftError(f"{row.where}: the label {text[:60]!r} is no number{_hint(text, number)}")
            return number
        if number is None or not 0 <= number <= 1:
            hint = _hint(text, number)
            raise FoldgraftError(
                f"{row.where}: the label {text[:60]!r} is neither 0 or 1 nor a fraction between them{hint}"
            )
        return number

    def fold(self, row: Row) -> tuple[int | None, str | None]:
        """The published fold and the published role of a row, where it has them."""
        columns = self._settings.columns
        if columns.fold:
            return _fold(row, row.cells[columns.fold].strip()), None
        if columns.split:
            word = row.cells[columns.split].strip()
            if word.lower() not in SPLITS:
                raise FoldgraftError(f"{row.where}: the split {word[:60]!r} is none of train, valid and test")
            return None, SPLITS[word.lower()]
        return None, None


def _hint(text: str, number: float | None) -> str:
    """What to do about a label that is no number between 0 and 1, or none at all."""
    if number is not None and 1 < number <= 100:
        return "; divide percentages by 100"
    if number is None and _number(text.rstrip("% ")) is not None:
        return "; write percentages as fractions, without the sign: divide them by 100"
    if number is None and _number(text.replace(",", ".")) is not None:
        return "; write a point for the decimal comma"
    return "" if number is not None else "; if it stands for a missing label, name it under `missing`"


def _number(text: str) -> float | None:
    try:
        return None if "_" in text else float(text)  # Python's own way of grouping digits
    except ValueError:
        return None


def _fold(row: Row, value: str) -> int | None:
    if value == "":
        return None
    if not re.fullmatch(r"\d{1,9}(?:\.0*)?", value):
        raise FoldgraftError(f"{row.where}: the fold {value!r} is no whole number from 0")
    return int(float(value))

"""Rows of mmCIF categories."""

import gemmi
from gemmi.cif import as_string

Rows = list[tuple[str, ...]]
NEEDS_CARE = frozenset("'\";?.")
"""First letters of values that are quoted, text fields, null, or decimals without a leading digit."""


def rows(block: gemmi.cif.Block, category: str, *tags: str) -> Rows:
    """Rows of a category with the tags asked for; null values, and optional tags (`?tag`) not there, are empty.

    A category without one of the other tags has no rows, nor has one whose columns differ in length.
    """
    columns: list[list[str] | None] = []
    for tag in tags:
        column = block.find_values(f"_{category}.{tag.removeprefix('?')}")
        if not column and not tag.startswith("?"):
            return []
        columns.append([as_string(v) if v[0] in NEEDS_CARE else v for v in column] if column else None)
    lengths = {len(column) for column in columns if column is not None}
    if len(lengths) != 1:
        return []
    blank = [""] * lengths.pop()
    return list(zip(*(blank if column is None else column for column in columns), strict=True))

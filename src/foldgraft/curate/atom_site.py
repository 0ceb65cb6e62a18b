"""The `_atom_site` table of an mmCIF file as columns.

The archive writes this table with its columns aligned, so all of them can be cut out of a byte matrix at once; that is
several times faster than reading token by token. The cut is taken only when it is proved equal to tokenizing: all rows
have the same length, and each row has exactly one token in each column. Any other file goes through gemmi's tokenizer.
"""

from typing import NamedTuple

import gemmi
import numpy as np

from foldgraft.curate.entry import MISSING

WANTED = (
    "label_asym_id", "label_seq_id", "label_comp_id", "label_atom_id", "label_alt_id", "label_entity_id", "occupancy",
    "cartn_x", "cartn_y", "cartn_z", "b_iso_or_equiv", "auth_seq_id", "auth_asym_id", "pdbx_pdb_ins_code", "group_pdb",
)  # fmt: skip
"""In lower case, as names in CIF have no case."""
SPARE = {"label_comp_id": "auth_comp_id", "label_atom_id": "auth_atom_id"}
"""Columns that serve where the first is absent or null."""
MODEL = "pdbx_pdb_model_num"
CUT = "_atom_site.cut"
"""Stands in the rest of the file where the table was."""
QUOTES = (34, 39)

Columns = dict[str, np.ndarray]


class AtomTable(NamedTuple):
    """Columns of the first model, (A,) bytes each, and how many models the table holds."""

    columns: Columns
    models: int


def split_atoms(content: bytes) -> tuple[AtomTable | None, bytes]:
    """The wanted `_atom_site` columns of the first model, if aligned, and the rest of the file for an ordinary reader.

    Returns
    -------
    table : AtomTable, or None if the table is absent or not aligned
    rest : bytes, the content with the tag `CUT` in place of the table; all of it if table is None
    """
    loop = _find_loop(content, b"_atom_site.")
    if loop is None:
        return None, content
    start, body, end, tags = loop
    table = _aligned(content[body:end], tags)
    if table is None:
        return None, content
    rest = content[:start] + CUT.encode() + b" 1\n" + content[end:]
    loop = _find_loop(rest, b"_atom_site_anisotrop.")
    return table, rest if loop is None else rest[: loop[0]] + rest[loop[2] :]


def _find_loop(content: bytes, category: bytes) -> tuple[int, int, int, list[str]] | None:
    """Where a loop, its body and the comment line after it begin, and the names of its columns."""
    first = content.find(b"\n" + category) + 1
    start = content.rfind(b"\nloop_", 0, first) + 1
    if not first or not start or content[start + 5 : first].strip():
        return None
    tags, at = [], first
    while content.startswith(category, at):
        stop = content.find(b"\n", at) + 1 or len(content)
        tags.append(content[at + len(category) : stop].strip().decode("latin-1").lower())
        at = stop
    end = content.find(b"\n#", at) + 1 or len(content)
    return start, at, end, tags


def _aligned(body: bytes, tags: list[str]) -> AtomTable | None:
    width = body.find(b"\n") + 1
    if width == 0 or len(body) % width or b"#" in body or b";" in body:
        return None
    rows = np.frombuffer(body, dtype=np.uint8).reshape(-1, width)  # (A, width)
    filled = rows > 32
    spans = _spans(filled)
    if len(spans) != len(tags) or not (rows[:, -1] == 10).all() or not _one_token_each(filled, spans):
        return None
    span_of = dict(zip(tags, spans, strict=True))
    groups = _cells(rows, span_of["group_pdb"]) if "group_pdb" in span_of else None
    if groups is None or not ((groups == b"ATOM") | (groups == b"HETATM")).all():
        return None
    models = 1
    if MODEL in span_of:
        a, b = span_of[MODEL]
        first = (rows[:, a:b] == rows[0, a:b]).all(axis=1)
        if not first.all():
            models = len(np.unique(_cells(rows, span_of[MODEL])))
            rows = rows[first]
    columns = {tag: _cells(rows, span_of[tag]) for tag in tags if tag in WANTED}
    for tag, spare in SPARE.items():  # read only where it is needed, as it takes time
        if spare in span_of and (tag not in columns or _null(columns[tag]).any()):
            columns[spare] = _cells(rows, span_of[spare])
    return AtomTable(columns, models)


def _spans(filled: np.ndarray) -> list[tuple[int, int]]:
    """First and last-but-one byte of each run of bytes that is not blank in all rows."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], filled.any(axis=0), [False]]))).tolist()
    return list(zip(edges[::2], edges[1::2], strict=True))


def _one_token_each(filled: np.ndarray, spans: list[tuple[int, int]]) -> bool:
    """Whether each row has exactly one token in each span: no span is empty, and there are no more tokens than that.

    Rows end in a line feed, so that tokens of one row do not run on into the next.
    """
    flat = filled.ravel()
    starts = np.count_nonzero(flat[1:] > flat[:-1]) + int(flat[0])
    if starts != len(filled) * len(spans):
        return False
    return all(filled[:, a].all() or filled[:, b - 1].all() or filled[:, a:b].any(axis=1).all() for a, b in spans)


def _chosen(tags: list[str]) -> list[str]:
    return [tag for tag in tags if tag in WANTED or tag in SPARE.values()]


def _cells(rows: np.ndarray, span: tuple[int, int]) -> np.ndarray:
    cells = np.ascontiguousarray(rows[:, slice(*span)])
    cells = cells * (cells > 32)
    column = cells.view(f"S{cells.shape[1]}").ravel()
    if not cells[:, 0].all():  # right-aligned values: the padding stands in front
        column = np.array([value.lstrip(b"\0") for value in column.tolist()], dtype=column.dtype)
    return _unquoted(column)


def _unquoted(column: np.ndarray) -> np.ndarray:
    first = column.view(np.uint8).reshape(len(column), -1)[:, 0]
    for at in np.flatnonzero((first == QUOTES[0]) | (first == QUOTES[1])).tolist():
        column[at] = column[at][1:-1] if column[at][:1] == column[at][-1:] else column[at]
    return column


def atom_columns(block: gemmi.cif.Block) -> AtomTable:
    """The same columns by way of gemmi, in whatever layout they are; empty if there are none."""
    table = block.find_loop("_atom_site.Cartn_x")
    if not table:
        pairs = {tag: block.find_value(f"_atom_site.{tag}") for tag in (*WANTED, *SPARE.values())}
        return AtomTable({tag: _bytes([value]) for tag, value in pairs.items() if value}, 1)
    loop = table.get_loop()
    tags = [tag.split(".", 1)[1].lower() for tag in loop.tags]
    values, width = loop.values, len(tags)
    columns = {tag: _bytes(values[tags.index(tag) :: width]) for tag in _chosen(tags)}
    models = np.array(values[tags.index(MODEL) :: width]) if MODEL in tags else np.zeros(len(values) // width)
    first = models == models[0]
    return AtomTable({tag: column[first] for tag, column in columns.items()}, len(np.unique(models)))


def _bytes(values: list[str]) -> np.ndarray:
    try:
        column = np.array(values, dtype=bytes)
    except UnicodeEncodeError:
        column = np.array([value.encode("latin-1", "replace") for value in values])
    return _unquoted(column)


def _null(column: np.ndarray) -> np.ndarray:
    return (column == b"?") | (column == b".") | (column == b"")


def cleared(column: np.ndarray) -> np.ndarray:
    """The column with the null values ? and . as empty text."""
    null = _null(column)
    return np.where(null, b"", column) if null.any() else column


def first_of(columns: Columns, *tags: str) -> np.ndarray:
    """(A,) bytes, the value of the first of the columns that is there and not null; else empty."""
    values: np.ndarray | None = None
    for tag in tags:
        if tag not in columns:
            continue
        column = cleared(columns[tag])
        values = column if values is None else np.where(values == b"", column, values)
        if (values != b"").all():
            break
    return np.zeros(len(columns["cartn_x"]), dtype="S1") if values is None else values


def numbers(column: np.ndarray, missing: float = np.nan) -> np.ndarray:
    """A text column as float64, `missing` where it is no number; a column of numbers comes as float64.

    The standard uncertainty of `1.234(5)` is left out.
    """
    if len(column) > 1 and column[0] == column[-1] and (column == column[0]).all():  # most often the occupancies
        return numbers(column[:1], missing).repeat(len(column))
    try:
        return column.astype(np.float64)
    except ValueError:
        return np.array([_number(value, missing) for value in column.tolist()], dtype=np.float64)


def _number(value: bytes, missing: float) -> float:
    try:
        return float(value.partition(b"(")[0])
    except ValueError:
        return missing


def integers(column: np.ndarray) -> np.ndarray:
    """A text column as int64, MISSING where it is no integer of 31 bits and a sign."""
    null = _null(column)
    if null.all():
        return np.full(len(column), MISSING, dtype=np.int64)
    values = numbers(np.where(null, b"nan", column) if null.any() else column)
    good = (np.abs(values) < -MISSING) & (values == np.floor(values))
    return np.where(good, values, MISSING).astype(np.int64)

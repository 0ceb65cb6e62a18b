"""The `_atom_site` table of an mmCIF file as columns.

The archive writes this table with its columns aligned, so all of them can be cut out of a byte matrix at once; that is
several times faster than reading token by token. The cut is taken only when it is proved equal to tokenizing: all rows
have the same length, and each row has exactly one token in each column. Any other file goes through gemmi's tokenizer.
"""

import gemmi
import numpy as np

WANTED = (
    "label_asym_id", "label_seq_id", "label_comp_id", "label_atom_id", "label_alt_id", "label_entity_id", "occupancy",
    "Cartn_x", "Cartn_y", "Cartn_z", "B_iso_or_equiv", "auth_seq_id", "auth_asym_id", "pdbx_PDB_ins_code",
)  # fmt: skip
SPARE = {"label_asym_id": "auth_asym_id", "label_comp_id": "auth_comp_id", "label_atom_id": "auth_atom_id"}
"""Columns that serve where the first is absent."""
MODEL = "pdbx_PDB_model_num"
QUOTES = (34, 39)

Columns = dict[str, np.ndarray]


def split_atoms(content: bytes) -> tuple[Columns | None, bytes]:
    """The wanted `_atom_site` columns of the first model, if aligned, and the rest of the file for an ordinary reader.

    Returns
    -------
    columns : dict of (A,) bytes arrays, or None if the table is absent or not aligned
    rest : bytes, the content without the tables that were cut out; all of it if columns is None
    """
    loop = _find_loop(content, b"_atom_site.")
    if loop is None:
        return None, content
    start, body, end, tags = loop
    columns = _aligned(content[body:end], tags)
    if columns is None:
        return None, content
    rest = content[:start] + content[end:]
    loop = _find_loop(rest, b"_atom_site_anisotrop.")
    return columns, rest if loop is None else rest[: loop[0]] + rest[loop[2] :]


def _find_loop(content: bytes, category: bytes) -> tuple[int, int, int, list[str]] | None:
    """Where a loop, its body and the comment line after it begin, and the names of its columns."""
    first = content.find(b"\n" + category) + 1
    start = content.rfind(b"\nloop_", 0, first) + 1
    if not first or not start or content[start + 5 : first].strip():
        return None
    tags, at = [], first
    while content.startswith(category, at):
        stop = content.find(b"\n", at) + 1 or len(content)
        tags.append(content[at + len(category) : stop].strip().decode("latin-1"))
        at = stop
    end = content.find(b"\n#", at) + 1 or len(content)
    return start, at, end, tags


def _aligned(body: bytes, tags: list[str]) -> Columns | None:
    width = body.find(b"\n") + 1
    if width == 0 or len(body) % width or b"#" in body or b";" in body:
        return None
    rows = np.frombuffer(body, dtype=np.uint8).reshape(-1, width)  # (A, width)
    filled = rows > 32
    spans = _spans(filled)
    if len(spans) != len(tags) or not (rows[:, -1] == 10).all() or not _one_token_each(filled, spans):
        return None
    place = dict(zip(tags, spans, strict=True))
    if "group_PDB" not in place or not np.isin(_cells(rows, place["group_PDB"]), (b"ATOM", b"HETATM")).all():
        return None
    if MODEL in place:
        a, b = place[MODEL]
        first = (rows[:, a:b] == rows[0, a:b]).all(axis=1)
        rows = rows if first.all() else rows[first]
    return {tag: _cells(rows, place[tag]) for tag in _chosen(tags)}


def _spans(filled: np.ndarray) -> list[tuple[int, int]]:
    """First and last-but-one byte of each run of bytes that is not blank in all rows."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], filled.any(axis=0), [False]]))).tolist()
    return list(zip(edges[::2], edges[1::2], strict=True))


def _one_token_each(filled: np.ndarray, spans: list[tuple[int, int]]) -> bool:
    """Whether each row has exactly one token in each span: as many tokens as spans, and no span empty."""
    starts = np.count_nonzero(filled[:, 1:] & ~filled[:, :-1], axis=1) + filled[:, 0]
    if not (starts == len(spans)).all():
        return False
    return all(filled[:, a].all() or filled[:, b - 1].all() or filled[:, a:b].any(axis=1).all() for a, b in spans)


def _chosen(tags: list[str]) -> list[str]:
    absent = {SPARE[tag] for tag in SPARE if tag not in tags}
    return [tag for tag in tags if tag in WANTED or tag in absent]


def _cells(rows: np.ndarray, span: tuple[int, int]) -> np.ndarray:
    cells = np.ascontiguousarray(rows[:, slice(*span)])
    cells = cells * (cells > 32)
    column = cells.view(f"S{cells.shape[1]}").ravel()
    if not cells[:, 0].all():  # right-aligned values: the padding stands in front
        column = np.array([value.lstrip(b"\0") for value in column.tolist()], dtype=column.dtype)
    return _unquoted(column)


def _unquoted(column: np.ndarray) -> np.ndarray:
    first = column.view(np.uint8).reshape(len(column), -1)[:, 0]
    for at in np.flatnonzero(np.isin(first, QUOTES)).tolist():
        column[at] = column[at][1:-1] if column[at][:1] == column[at][-1:] else column[at]
    return column


def atom_columns(block: gemmi.cif.Block) -> Columns:
    """The same columns by way of gemmi, in whatever layout they are; empty if there are none."""
    table = block.find_loop("_atom_site.Cartn_x")
    if not table:
        pairs = {tag: block.find_value(f"_atom_site.{tag}") for tag in (*WANTED, *SPARE.values())}
        return {tag: _bytes([value]) for tag, value in pairs.items() if value}
    loop = table.get_loop()
    tags = [tag.split(".", 1)[1] for tag in loop.tags]
    values, width = loop.values, len(tags)
    columns = {tag: _bytes(values[tags.index(tag) :: width]) for tag in _chosen(tags)}
    if MODEL in tags:
        models = np.array(values[tags.index(MODEL) :: width])
        first = models == models[0]
        columns = {tag: column[first] for tag, column in columns.items()}
    return columns


def _bytes(values: list[str]) -> np.ndarray:
    try:
        column = np.array(values, dtype=bytes)
    except UnicodeEncodeError:
        column = np.array([value.encode("latin-1", "replace") for value in values])
    return _unquoted(column)


def cleared(column: np.ndarray) -> np.ndarray:
    """The column with the null values ? and . as empty text."""
    return np.where((column == b"?") | (column == b"."), b"", column)


def numbers(column: np.ndarray, missing: float = np.nan) -> np.ndarray:
    """A text column as float64, `missing` where it is no number."""
    try:
        return column.astype(np.float64)
    except ValueError:
        return np.array([_number(value, missing) for value in column.tolist()], dtype=np.float64)


def _number(value: bytes, missing: float) -> float:
    try:
        return float(value)
    except ValueError:
        return missing


def integers(column: np.ndarray) -> np.ndarray:
    """A text column as int64, -1 where it is no integer between 0 and 2**31."""
    null = np.isin(column, (b"", b".", b"?"))
    values = numbers(np.where(null, b"-1", column), -1.0)
    good = np.isfinite(values) & (values >= 0) & (values < 2**31) & (values == np.floor(values))
    return np.where(good, values, -1).astype(np.int64)

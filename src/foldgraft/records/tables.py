"""Parquet tables with a fixed schema, read and written whole or a batch at a time."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from foldgraft.errors import FoldgraftError
from foldgraft.records import footer, origin
from foldgraft.records.files import atomic

STRAINED = ("Failed to launch", "Resource temporarily unavailable", "Cannot allocate memory", "Too many open files")
"""What a machine says that is short of memory, threads or handles; the file is none the worse for it."""


class RowWriter:
    """Collects rows and writes them in row groups, so that memory stays flat however many there are."""

    def __init__(self, writer: pq.ParquetWriter, schema: pa.Schema, group: int):
        self._writer, self._schema, self._group = writer, schema, group
        self._rows: list[Mapping[str, Any]] = []
        self.count = 0

    def write(self, row: Mapping[str, Any]) -> None:
        """Add one row; keys must be the schema's column names."""
        self._rows.append(row)
        self.count += 1
        if len(self._rows) >= self._group:
            self.flush()

    def flush(self) -> None:
        if self._rows:
            columns = [pa.array([row[f.name] for row in self._rows], type=f.type) for f in self._schema]
            self._writer.write_table(pa.Table.from_arrays(columns, schema=self._schema))
            self._rows.clear()


@contextmanager
def row_writer(path: Path, schema: pa.Schema, group: int = 32) -> Iterator[RowWriter]:
    """Write a table row by row; it appears under its name only when complete."""
    with _table(path, schema, use_dictionary=_recurring(schema)) as parquet:
        writer = RowWriter(parquet, schema, group)
        yield writer
        writer.flush()
        parquet.add_key_value_metadata(origin.written(path, _columns(schema), writer.count))


@contextmanager
def _table(path: Path, schema: pa.Schema, **options: Any) -> Iterator[pq.ParquetWriter]:
    """A parquet file with checksums of its pages and of its footer."""
    with atomic(path) as temporary:
        with pq.ParquetWriter(temporary, schema, compression="zstd", write_page_checksum=True, **options) as parquet:
            yield parquet
        footer.seal(temporary)


def _columns(schema: pa.Schema) -> list[tuple[str, str]]:
    """Names and types; parquet calls an item of a list its element."""
    return [(field.name, str(field.type).replace("<item:", "<element:")) for field in schema]


def _recurring(schema: pa.Schema) -> list[str]:
    """Columns whose values recur, so that a dictionary of them pays: scalars and lists of bytes, not coordinates."""
    lists = [f for f in schema if pa.types.is_list(f.type) and f.type.value_type == pa.uint8()]
    scalars = [f.name for f in schema if not pa.types.is_list(f.type)]
    return scalars + [f"{field.name}.list.element" for field in lists]


def write_frame(path: Path, frame: pd.DataFrame, schema: pa.Schema, group: int | None = None) -> None:
    """Write a data frame whose columns are those of the schema, `group` rows together."""
    write_table(path, pa.Table.from_pandas(frame[schema.names], schema=schema, preserve_index=False), group)


def write_table(path: Path, table: pa.Table, group: int | None = None) -> None:
    """Write an Arrow table, `group` rows together."""
    with _table(path, table.schema) as parquet:
        parquet.write_table(table, row_group_size=group)
        parquet.add_key_value_metadata(origin.written(path, _columns(table.schema), table.num_rows))


def read_frame(path: Path, schema: pa.Schema, columns: list[str] | None = None) -> pd.DataFrame:
    """Read a table, or some of its columns, as a data frame.

    Raises
    ------
    FoldgraftError
        if the file is no parquet table, lacks a column of the schema, was damaged, or is another run's or shard's.
    """
    with _open(path, schema, columns) as parquet, _reading(path):
        return parquet.read(columns=columns or schema.names).to_pandas()


def read_selected(path: Path, schema: pa.Schema, column: str, values: set[str]) -> pa.Table:
    """Read the rows whose column has one of the values; row groups that can hold none are not read."""
    parts = [schema.empty_table()]
    with _open(path, schema, []) as parquet, _reading(path):
        position = parquet.schema.names.index(column)
        for number in range(parquet.num_row_groups):
            bounds = parquet.metadata.row_group(number).column(position).statistics
            if bounds is None or not bounds.has_min_max or any(bounds.min <= v <= bounds.max for v in values):
                _whole(path, parquet.metadata, schema.names, [number])
                rows = parquet.read_row_group(number, columns=schema.names)
                parts.append(rows.filter(pc.is_in(rows[column], pa.array(sorted(values), rows[column].type))))
    return pa.concat_tables([table.replace_schema_metadata(None) for table in parts])


def read_metadata(path: Path, schema: pa.Schema) -> dict[str, str]:
    """What a table says of itself, besides its rows.

    Raises
    ------
    FoldgraftError
        if the file is no parquet table of the schema.
    """
    with _open(path, schema, []) as parquet:
        metadata = parquet.schema_arrow.metadata or {}
    return {key.decode(): value.decode(errors="replace") for key, value in metadata.items()}


def read_frames(paths: Iterable[Path], schema: pa.Schema, columns: list[str] | None = None) -> pd.DataFrame:
    """Read several shards of one table as one data frame, in the order given."""
    frames = [read_frame(path, schema, columns) for path in paths]
    if not frames:
        return schema.empty_table().select(columns or schema.names).to_pandas()
    return pd.concat(frames, ignore_index=True)


def read_rows(path: Path, schema: pa.Schema, columns: list[str] | None = None) -> Iterator[dict[str, Any]]:
    """Yield a table's rows as dictionaries, holding no more than one row group in memory."""
    for batch in _batches(path, schema, columns, 32):
        yield from batch.to_pylist()


def read_arrays(path: Path, schema: pa.Schema, columns: list[str] | None = None) -> Iterator[dict[str, Any]]:
    """Yield a table's rows like `read_rows`, lists of numbers as numpy arrays: for rows of many thousands."""
    for batch in _batches(path, schema, columns, 8):
        for index in range(batch.num_rows):
            yield {name: _value(batch.column(name)[index]) for name in batch.schema.names}


def _value(scalar: pa.Scalar) -> Any:
    if isinstance(scalar, pa.ListScalar) and scalar.is_valid and pa.types.is_primitive(scalar.type.value_type):
        return scalar.values.to_numpy(zero_copy_only=False)
    return scalar.as_py()


def _batches(path: Path, schema: pa.Schema, columns: list[str] | None, size: int) -> Iterator[pa.RecordBatch]:
    with _open(path, schema, columns) as parquet:
        batches = parquet.iter_batches(batch_size=size, columns=columns or schema.names)
        while True:
            with _reading(path):
                batch = next(batches, None)
            if batch is None:
                return
            yield batch


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, MemoryError, pa.ArrowException) as error:
        if isinstance(error, MemoryError) or any(words in str(error) for words in STRAINED):
            raise FoldgraftError(
                f"{path}: could not be read for want of memory or threads ({error}); the file may well be whole: "
                "ask for more of them, or run fewer jobs at a time"
            ) from None
        missing = isinstance(error, FileNotFoundError)
        raise FoldgraftError(
            f"{path}: cannot be read as a parquet table ({error}); "
            + ("run the same command again, which makes it" if missing else origin.REMAKE)
        ) from None


def _open(path: Path, schema: pa.Schema, columns: list[str] | None = None) -> pq.ParquetFile:
    """Open a table whose columns and origin are those asked for, and whose bytes are those that were written.

    `columns` are those that will be read, all of the schema if not given; only their bytes are compared.
    """
    with _reading(path):
        sound = footer.sound(path)
        if sound is False:
            raise OSError("its footer differs from its checksum")
        # the checksum of a column is of its pages too, so that theirs need not be compared as well
        parquet = pq.ParquetFile(path, page_checksum_verification=not sound)
        metadata, found = parquet.metadata, parquet.schema_arrow
        if sound is None and origin.KEY in (metadata.metadata or {}):
            raise OSError("its footer has lost its checksum")
    missing = set(schema.names) - set(found.names)
    if missing:
        raise FoldgraftError(f"{path}: the columns {', '.join(sorted(missing))} are missing")
    strange = next((field for field in schema if found.field(field.name).type != field.type), None)
    if strange is not None:
        raise FoldgraftError(
            f"{path}: the column {strange.name} is {found.field(strange.name).type}, not {strange.type}; it was "
            f"damaged, or written by another version; {origin.REMAKE}"
        )
    origin.check(path, metadata.metadata, _columns(found), metadata.num_rows)
    if sound:
        with _reading(path):
            _whole(path, metadata, schema.names if columns is None else columns, range(metadata.num_row_groups))
    return parquet


def _whole(path: Path, metadata: pq.FileMetaData, columns: list[str], groups: Iterable[int]) -> None:
    if origin.KEY in (metadata.metadata or {}) and (column := footer.damaged(path, metadata, columns, groups)):
        raise OSError(f"its column {column} differs from its checksum")

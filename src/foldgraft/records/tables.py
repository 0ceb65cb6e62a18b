"""Parquet tables with a fixed schema, read and written whole or a batch at a time."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from foldgraft.errors import FoldgraftError
from foldgraft.records.files import atomic


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
    with (
        atomic(path) as temporary,
        pq.ParquetWriter(temporary, schema, compression="zstd", use_dictionary=_recurring(schema)) as parquet,
    ):
        writer = RowWriter(parquet, schema, group)
        yield writer
        writer.flush()


def _recurring(schema: pa.Schema) -> list[str]:
    """Columns whose values recur, so that a dictionary of them pays: scalars and lists of bytes, not coordinates."""
    lists = [f for f in schema if pa.types.is_list(f.type) and f.type.value_type == pa.uint8()]
    scalars = [f.name for f in schema if not pa.types.is_list(f.type)]
    return scalars + [f"{field.name}.list.element" for field in lists]


def write_frame(path: Path, frame: pd.DataFrame, schema: pa.Schema) -> None:
    """Write a data frame whose columns are those of the schema."""
    with atomic(path) as temporary:
        table = pa.Table.from_pandas(frame[schema.names], schema=schema, preserve_index=False)
        pq.write_table(table, temporary, compression="zstd")


def read_frame(path: Path, schema: pa.Schema, columns: list[str] | None = None) -> pd.DataFrame:
    """Read a table, or some of its columns, as a data frame.

    Raises
    ------
    FoldgraftError
        if the file is no parquet table or lacks a column of the schema.
    """
    parquet = _open(path, schema)
    with _reading(path):
        return parquet.read(columns=columns or schema.names).to_pandas()


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
    with _open(path, schema) as parquet:
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
    except (OSError, pa.ArrowException) as error:
        raise FoldgraftError(f"{path}: cannot be read as a parquet table ({error})") from None


def _open(path: Path, schema: pa.Schema) -> pq.ParquetFile:
    with _reading(path):
        parquet = pq.ParquetFile(path)
    missing = set(schema.names) - set(parquet.schema_arrow.names)
    if missing:
        raise FoldgraftError(f"{path}: the columns {', '.join(sorted(missing))} are missing")
    return parquet

"""The SIFTS table: read for some entries only, keyed by entry and author chain."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from foldgraft.errors import FoldgraftError
from foldgraft.records.sifts import ROW_GROUP, SCHEMA, Segment, read_segments
from foldgraft.records.tables import row_writer

ROWS = [
    ("101m", "A", "P02185", 1, 154, "0", "153", 1, 154),
    ("1abc", "NA", "P00001", 5, 9, "5", "8A", 105, 109),
    ("1abc", "NA", "P00002", 12, 20, None, "20", 1, 9),
    ("1abc", "A", "P00001", 1, 9, "1", "9", 101, 109),
    ("9xyz", "a", "A0A024RBG1", 1, 2, "1", "2", 1, 2),
]


def written(path, rows, group=2):
    with row_writer(path, SCHEMA, group) as table:
        for row in rows:
            table.write(dict(zip(SCHEMA.names, row, strict=True)))
    return path


def test_segments_are_keyed_by_entry_and_author_chain(tmp_path):
    path = written(tmp_path / "sifts.parquet", ROWS)
    found = read_segments(path, ["1ABC", "9xyz", "0aaa"])
    assert list(found) == [("1abc", "NA"), ("1abc", "A"), ("9xyz", "a")]
    assert found["1abc", "NA"] == [Segment(*ROWS[1][2:]), Segment(*ROWS[2][2:], origin="sifts")]
    assert read_segments(path, []) == {}


def test_only_the_row_groups_of_the_entries_are_read(tmp_path):
    rows = [(f"{i:04d}", "A", "P00001", 1, 9, "1", "9", 1, 9) for i in range(3 * ROW_GROUP)]
    path = written(tmp_path / "sifts.parquet", rows, ROW_GROUP)
    parquet = pq.ParquetFile(path)
    assert parquet.metadata.num_row_groups == 3
    column = parquet.metadata.row_group(0).column(0)
    damaged = bytearray(path.read_bytes())
    start = column.dictionary_page_offset or column.data_page_offset
    size = column.total_compressed_size
    damaged[start : start + size] = bytes(np.full(size, 0xA5, dtype=np.uint8))
    path.write_bytes(damaged)
    assert list(read_segments(path, [f"{ROW_GROUP * 2 + 1:04d}"])) == [(f"{ROW_GROUP * 2 + 1:04d}", "A")]
    with pytest.raises(FoldgraftError, match=r"sifts\.parquet"):
        read_segments(path, ["0001"])


def test_a_broken_or_foreign_table_is_one_clear_error(tmp_path):
    path = tmp_path / "sifts.parquet"
    for make in (
        lambda: None,
        lambda: path.write_text("PDB,CHAIN\n"),
        lambda: pq.write_table(pa.table({"a": [1]}), path),
    ):
        make()
        with pytest.raises(
            FoldgraftError, match=r"sifts\.parquet: (cannot be read as a parquet table|the columns .* are missing)"
        ):
            read_segments(path, ["1abc"])

"""Parquet tables: written row by row or whole, read back, and refused where broken."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from foldgraft.errors import FoldgraftError
from foldgraft.records import alignments, chains, index, labels, lock, predictions, sifts, split, targets
from foldgraft.records.tables import read_arrays, read_frame, read_frames, read_rows, row_writer, write_frame

SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("values", pa.list_(pa.float32()), nullable=False),
        pa.field("names", pa.list_(pa.string())),
        pa.field("flag", pa.bool_()),
    ],
    metadata={"values": "angstrom"},
)
SCHEMAS = {
    "chains": chains.SCHEMA,
    "targets": targets.SCHEMA,
    "alignments": alignments.ALIGNMENTS,
    "coevolution": alignments.COEVOLUTION,
    "index": index.SCHEMA,
    "labels": labels.SCHEMA,
    "lock": lock.SCHEMA,
    "sifts": sifts.SCHEMA,
    "protein": predictions.PROTEIN,
    "residue": predictions.RESIDUE,
    "pair": predictions.PAIR,
    "distogram": predictions.DISTOGRAM,
    "split": split.SPLIT,
    "leakage": split.LEAKAGE,
}


def rows(count):
    names, flags = (["a", "b"], None), (True, None, False)
    return [
        {"id": f"r{i}", "values": [float(i)] * i, "names": names[i % 2], "flag": flags[i % 3]} for i in range(count)
    ]


def written(path, count, group=4):
    with row_writer(path, SCHEMA, group) as writer:
        for row in rows(count):
            writer.write(row)
    assert writer.count == count
    return path


@pytest.mark.parametrize("count", [0, 1, 4, 33, 70])
def test_rows_are_read_as_written(count, tmp_path):
    path = written(tmp_path / "x.parquet", count)
    assert list(read_rows(path, SCHEMA)) == rows(count)


def test_memory_is_bounded_by_row_groups(tmp_path):
    path = written(tmp_path / "x.parquet", 10, group=4)
    metadata = pq.ParquetFile(path).metadata
    assert [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)] == [4, 4, 2]


def test_arrays_are_rows_with_numbers_in_numpy(tmp_path):
    path = written(tmp_path / "x.parquet", 40)
    for row, expected in zip(read_arrays(path, SCHEMA), rows(40), strict=True):
        assert row["values"].dtype == np.float32
        np.testing.assert_array_equal(row["values"], expected["values"])
        assert {key: row[key] for key in ("id", "names", "flag")} == {k: expected[k] for k in ("id", "names", "flag")}


def test_arrays_may_be_null_empty_or_bits(tmp_path):
    schema = pa.schema([pa.field("bits", pa.list_(pa.bool_()))])
    with row_writer(tmp_path / "x.parquet", schema) as writer:
        for bits in ([True, False, True], [], None):
            writer.write({"bits": bits})
    first, second, third = (row["bits"] for row in read_arrays(tmp_path / "x.parquet", schema))
    assert first.tolist() == [True, False, True]
    assert len(second) == 0
    assert third is None


def test_the_schema_travels_with_the_table(tmp_path):
    path = written(tmp_path / "x.parquet", 3)
    schema = pq.read_schema(path)
    assert schema.metadata == SCHEMA.metadata
    assert schema.names == SCHEMA.names


def test_columns_may_be_chosen(tmp_path):
    path = written(tmp_path / "x.parquet", 3)
    assert list(read_rows(path, SCHEMA, ["id"])) == [{"id": "r0"}, {"id": "r1"}, {"id": "r2"}]
    assert list(read_frame(path, SCHEMA, ["flag", "id"]).columns) == ["flag", "id"]


def test_frames_are_read_as_written_and_joined_in_order(tmp_path):
    schema = pa.schema([pa.field("id", pa.string(), nullable=False), pa.field("n", pa.int64(), nullable=False)])
    parts = [pd.DataFrame({"n": [i, i + 1], "id": [f"a{i}", f"b{i}"], "other": 0}) for i in (5, 1)]
    paths = [tmp_path / f"{i}.parquet" for i in range(2)]
    for path, part in zip(paths, parts, strict=True):
        write_frame(path, part, schema)
    joined = read_frames(paths, schema)
    assert joined.to_dict("list") == {"id": ["a5", "b5", "a1", "b1"], "n": [5, 6, 1, 2]}
    assert joined.index.tolist() == [0, 1, 2, 3]


def test_no_shards_make_an_empty_frame_with_its_columns():
    assert list(read_frames([], SCHEMA).columns) == SCHEMA.names
    assert list(read_frames([], SCHEMA, ["flag"]).columns) == ["flag"]


def test_a_null_where_none_may_be_is_not_written(tmp_path):
    with pytest.raises((pa.ArrowException, ValueError)), row_writer(tmp_path / "x.parquet", SCHEMA) as writer:
        writer.write({"id": None, "values": [], "names": None, "flag": None})
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_no_table(tmp_path):
    with pytest.raises(RuntimeError), row_writer(tmp_path / "x.parquet", SCHEMA, 1) as writer:
        writer.write(rows(1)[0])
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


READERS = {
    "frame": lambda path: read_frame(path, SCHEMA),
    "frames": lambda path: read_frames([path], SCHEMA),
    "rows": lambda path: list(read_rows(path, SCHEMA)),
    "arrays": lambda path: list(read_arrays(path, SCHEMA)),
}


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
@pytest.mark.parametrize("damage", ["absent", "empty", "text", "truncated", "scrambled"])
def test_a_broken_table_is_one_clear_error(read, damage, tmp_path):
    path = tmp_path / "x.parquet"
    whole = written(path, 40).read_bytes()
    damaged = {
        "empty": b"",
        "text": b"id,values\n",
        "truncated": whole[: len(whole) // 2],
        "scrambled": whole[:4] + bytes(byte ^ 0x5A for byte in whole[4:600]) + whole[600:],
    }
    path.unlink()
    if damage != "absent":
        path.write_bytes(damaged[damage])
    with pytest.raises(FoldgraftError, match=r"x\.parquet: cannot be read as a parquet table"):
        read(path)


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_missing_columns_are_named(read, tmp_path):
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"id": ["a"], "flag": [True]}), path)
    with pytest.raises(FoldgraftError, match=r"x\.parquet: the columns names, values are missing"):
        read(path)


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_schema_makes_a_table_and_explains_columns_that_exist(name, tmp_path):
    schema = SCHEMAS[name]
    assert {key.decode() for key in schema.metadata} <= set(schema.names)
    path = tmp_path / "x.parquet"
    with row_writer(path, schema):
        pass
    assert list(read_rows(path, schema)) == []
    assert read_frame(path, schema).empty


def test_bytes_that_recur_are_written_once_and_coordinates_as_they_are(tmp_path):
    columns = {"bins": pa.list_(pa.uint8()), "places": pa.list_(pa.float32()), "name": pa.string()}
    with row_writer(tmp_path / "t.parquet", pa.schema(columns)) as table:
        table.write({"bins": [1, 2, 1], "places": [0.5, 1.5], "name": "a"})
    group = pq.ParquetFile(tmp_path / "t.parquet").metadata.row_group(0)
    assert [group.column(k).has_dictionary_page for k in range(3)] == [True, False, True]


@pytest.mark.parametrize(
    "error",
    [
        pa.ArrowException("Unknown error: Failed to launch worker thread: Resource temporarily unavailable"),
        pa.ArrowMemoryError("malloc of size 64 failed: Cannot allocate memory"),
        OSError(24, "Too many open files"),
        MemoryError(),
    ],
)
def test_want_of_memory_or_threads_is_not_a_bad_file(error, tmp_path, monkeypatch):
    path = written(tmp_path / "x.parquet", 3)

    def starved(*arguments, **options):
        raise error

    monkeypatch.setattr(pq.ParquetFile, "read", starved)
    with pytest.raises(FoldgraftError, match=r"x\.parquet: could not be read for want of memory or threads"):
        read_frame(path, SCHEMA)

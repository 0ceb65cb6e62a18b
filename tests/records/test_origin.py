"""A table knows whose it is: damage, other shards, other runs and other versions are refused by name."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from foldgraft.errors import FoldgraftError
from foldgraft.records import footer, origin
from foldgraft.records.embedding_shards import write_embeddings
from foldgraft.records.embeddings import Contents, Embeddings
from foldgraft.records.tables import read_arrays, read_frame, read_rows, read_selected, row_writer, write_table

SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("label", pa.float64()),
        pa.field("places", pa.list_(pa.float32()), nullable=False),
    ]
)
ROWS = [{"id": f"r{k}", "label": k / 4 if k % 3 else None, "places": [k + 0.5] * (k % 4)} for k in range(12)]


@pytest.fixture(autouse=True)
def by_hand():
    """No test leaves its job to the next."""
    yield
    origin.begin("")


def written(path, rows=ROWS):
    with row_writer(path, SCHEMA, group=8) as table:
        for row in rows:
            table.write(row)
    return path


def made_by(job, path):
    """A table that a job has written."""
    origin.begin(path.parts[-3], job)
    written(path)
    return path


def about(path):
    return json.loads(pq.read_metadata(path).metadata[origin.KEY])


READERS = {
    "frame": lambda path: read_frame(path, SCHEMA).values.tolist(),
    "rows": lambda path: list(read_rows(path, SCHEMA)),
    "arrays": lambda path: [{**row, "places": list(row["places"])} for row in read_arrays(path, SCHEMA)],
    "selected": lambda path: read_selected(path, SCHEMA, "id", {"r11"}).to_pylist(),
}


def test_no_flipped_bit_is_taken_for_data(tmp_path):
    path = written(tmp_path / "chains/files-00000.parquet")
    whole = path.read_bytes()
    expected = {name: str(read(path)) for name, read in READERS.items()}
    refused = 0
    for bit in range(0, 8 * len(whole), 13):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        for name in ("rows", "selected"):
            try:
                assert str(READERS[name](path)) == expected[name], f"{name} took the flipped bit {bit} for data"
            except FoldgraftError as error:
                assert "files-00000.parquet" in str(error)
                refused += 1
    assert refused > len(whole) / 2


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_a_flip_in_a_page_and_one_in_the_footer_are_refused_by_every_reader(read, tmp_path):
    path = written(tmp_path / "x.parquet")
    whole = path.read_bytes()
    page = pq.ParquetFile(path).metadata.row_group(1).column(0)  # of the last row
    footer_size = int.from_bytes(whole[-8:-4], "little")
    for place in (page.data_page_offset + page.total_compressed_size - 3, len(whole) - 8 - footer_size // 2):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(FoldgraftError, match=r"(?s)x\.parquet: cannot be read .* delete it and run"):
            read(path)


def test_a_footer_whose_checksum_was_lost_is_refused(tmp_path):
    path = written(tmp_path / "x.parquet")
    whole = path.read_bytes()
    assert footer.sound(path)
    path.write_bytes(whole.replace(footer.MARK, b"lost"))
    with pytest.raises(FoldgraftError, match="its footer has lost its checksum"):
        read_frame(path, SCHEMA)


def test_other_readers_of_parquet_read_it(tmp_path):
    path = written(tmp_path / "x.parquet")
    duck = pq.read_table(path).to_pylist()
    assert duck == ROWS
    assert pq.ParquetFile(path).metadata.row_group(0).column(0).path_in_schema == "id"


def test_metadata_say_stage_table_and_rows(tmp_path):
    path = made_by("abc:", tmp_path / "curate/chains/files-00000.parquet")
    told = about(path)
    assert told["stage"] == "curate"
    assert told["table"] == "curate/chains/files-00000.parquet"
    assert told["rows"] == len(ROWS)
    assert told["made_from"] == "abc"
    write_table(tmp_path / "y.parquet", pa.Table.from_pylist(ROWS, SCHEMA))
    assert about(tmp_path / "y.parquet")["rows"] == len(ROWS)


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_another_shard_under_the_name_of_one_is_refused_by_hand_too(read, tmp_path):
    path = written(tmp_path / "chains/files-00001.parquet")
    path.rename(tmp_path / "chains/files-00000.parquet")
    with pytest.raises(FoldgraftError, match=r"files-00000\.parquet: holds the shard files-00001"):
        read(tmp_path / "chains/files-00000.parquet")


def test_a_copy_under_a_name_of_ones_own_is_read(tmp_path):
    path = written(tmp_path / "chains/files-00001.parquet")
    path.rename(tmp_path / "mine.parquet")
    assert len(read_frame(tmp_path / "mine.parquet", SCHEMA)) == len(ROWS)


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_a_job_reads_its_own_run_and_no_other(read, tmp_path):
    mine, other = "1" * 16, "2" * 16
    path = made_by(f"{mine}:", tmp_path / "cluster/all/split.parquet")
    origin.begin("train", f"{'3' * 16}:{'9' * origin.SHORT},{mine[: origin.SHORT]}")
    assert read(path)
    made_by(f"{other}:", path)
    origin.begin("train", f"{'3' * 16}:{mine[: origin.SHORT]}")
    with pytest.raises(FoldgraftError, match=r"split\.parquet: was made by another run"):
        read(path)
    origin.begin("train")  # by hand nothing is known, and the table is whole
    assert read(path)


def test_one_experiments_predictions_are_not_anothers(tmp_path):
    first = made_by("1" * 16, tmp_path / "train/a/predictions.parquet")
    second = tmp_path / "train/b/predictions.parquet"
    second.parent.mkdir()
    first.rename(second)
    origin.begin("evaluate", f"{'3' * 16}:{'1' * origin.SHORT},{'2' * origin.SHORT}")
    with pytest.raises(FoldgraftError, match=r"b/predictions\.parquet: was written as train/a/predictions\.parquet"):
        read_frame(second, SCHEMA)


def test_a_table_that_others_wrote_is_read(tmp_path):
    pq.write_table(pa.Table.from_pylist(ROWS, SCHEMA), tmp_path / "x.parquet")
    origin.begin("train", f"{'3' * 16}:{'9' * origin.SHORT}")
    assert len(read_frame(tmp_path / "x.parquet", SCHEMA)) == len(ROWS)


def told(tmp_path, **changed):
    """A table that says this of itself."""
    table = pa.Table.from_pylist(ROWS, SCHEMA)
    written(tmp_path / "good.parquet")
    text = json.dumps(about(tmp_path / "good.parquet") | {"table": "x.parquet"} | changed)
    path = tmp_path / "x.parquet"
    pq.write_table(table.replace_schema_metadata({origin.KEY: text}), path)
    footer.seal(path)
    return path


def test_what_metadata_and_table_disagree_about_is_damage(tmp_path):
    assert len(read_frame(told(tmp_path), SCHEMA)) == len(ROWS)
    for changed, message in (
        ({"rows": 11}, "its rows or columns are not those that were written"),
        ({"columns": "0"}, "its rows or columns are not those that were written"),
        ({"format": 2}, "a table of format 2, where this version reads 1"),
        ({"table": None}, "its metadata cannot be read"),
    ):
        with pytest.raises(FoldgraftError, match=message):
            read_frame(told(tmp_path, **changed), SCHEMA)


def test_a_column_of_another_type_is_named(tmp_path):
    pq.write_table(pa.table({"id": ["a"], "label": [1], "places": [[1.0]]}), tmp_path / "x.parquet")
    with pytest.raises(FoldgraftError, match=r"x\.parquet: the column label is int64, not double"):
        read_frame(tmp_path / "x.parquet", SCHEMA)


def test_embeddings_know_whose_they_are(tmp_path):
    path = tmp_path / "embed/files-00000.safetensors"
    origin.begin("embed", "1" * 16)
    write_embeddings(path, [], Contents("t", 1, 3))
    origin.begin("train", f"{'3' * 16}:{'2' * origin.SHORT}")
    with pytest.raises(FoldgraftError, match=r"files-00000\.safetensors: was made by another run"):
        Embeddings([path])
    origin.begin("train")
    assert len(Embeddings([path])) == 0
    path.rename(path.with_name("files-00001.safetensors"))
    with pytest.raises(FoldgraftError, match="holds the shard files-00000"):
        Embeddings([path.with_name("files-00001.safetensors")])

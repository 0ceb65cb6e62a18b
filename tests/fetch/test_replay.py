"""A lock read back, shard by shard, with its files verified."""

import pyarrow.parquet as pq
import pytest

from foldgraft.errors import FoldgraftError
from foldgraft.fetch.replay import Replay
from foldgraft.records.lock import SCHEMA, store_path, write_piece


@pytest.fixture
def locked(tmp_path, store):
    """A lock of two stored files, and its path."""
    rows = []
    for name in ("a", "b"):
        sha256, size = store.add([name.encode()])
        row = dict.fromkeys(SCHEMA.names) | {"source": "files", "id": name, "url": name, "status": "stored"}
        rows.append(row | {"sha256": sha256, "bytes": size})
    write_piece(tmp_path / "lock.parquet", "files-00000", rows)
    return Replay(tmp_path / "lock.parquet", store.root)


def test_rows_come_in_the_order_of_the_lock(locked):
    rows = locked.rows("files-00000")
    assert [row["id"] for row in rows] == ["a", "b"]
    assert [locked.path(row).read_text() for row in rows] == ["a", "b"]


@pytest.mark.parametrize("shard", ["files-00001", "query-00000"])
def test_a_shard_that_is_not_there_is_named(locked, shard):
    with pytest.raises(FoldgraftError, match=f"lock.parquet has no rows of the shard '{shard}'"):
        locked.rows(shard)


def test_a_search_may_have_found_too_few_for_a_shard(tmp_path, store):
    row = dict.fromkeys(SCHEMA.names) | {"source": "rcsb", "id": "search", "url": "x", "status": "stored"}
    write_piece(tmp_path / "lock.parquet", "search", [row])
    assert Replay(tmp_path / "lock.parquet", store.root).rows("query-00001") == []


def test_a_file_that_is_missing_or_damaged_is_named(locked):
    first, second = locked.rows("files-00000")
    store_path(locked.store, first["sha256"]).unlink()
    with pytest.raises(FoldgraftError, match=f"replay: a: the store .* lacks its file {first['sha256']}"):
        locked.path(first)
    store_path(locked.store, second["sha256"]).write_bytes(b"x")
    with pytest.raises(FoldgraftError, match=f"replay: b: its file {second['sha256']} in the store .* was damaged"):
        locked.path(second)


@pytest.mark.parametrize("content", [None, b"not parquet"])
def test_a_lock_that_cannot_be_read_is_an_error(tmp_path, store, content):
    if content is not None:
        (tmp_path / "lock.parquet").write_bytes(content)
    with pytest.raises(FoldgraftError, match="is no lock, or is damaged"):
        Replay(tmp_path / "lock.parquet", store.root).rows("files-00000")


def test_a_row_without_a_file_is_named(locked):
    with pytest.raises(FoldgraftError, match="'None' is not a sha256"):
        locked.path(locked.rows("files-00000")[0] | {"sha256": None})


def test_a_lock_of_another_version_is_told_from_one_without_the_shard(locked):
    table = pq.read_table(locked.lock)
    pq.write_table(table.drop_columns(["shard"]), locked.lock)
    with pytest.raises(FoldgraftError, match="has no column shard; it is no lock, or that of another version"):
        locked.rows("files-00000")

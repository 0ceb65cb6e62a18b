"""The content-addressed store."""

import gzip
import hashlib
import os
import threading
import time

import pytest

from foldgraft.errors import FoldgraftError
from foldgraft.fetch.packed import decompressed
from foldgraft.records.lock import store_path


def test_bytes_lie_under_their_sha256_and_nothing_else_is_left(store):
    sha256, size = store.add([b"one ", b"two"])
    assert sha256 == hashlib.sha256(b"one two").hexdigest()
    assert size == 7
    assert store_path(store.root, sha256).read_bytes() == b"one two"
    assert [path for path in store.root.rglob("*") if path.is_file()] == [store_path(store.root, sha256)]


def test_what_breaks_off_leaves_nothing(store):
    def broken():
        yield b"one"
        raise OSError("gone")

    with pytest.raises(FoldgraftError, match=r"the store .* cannot be written or read: gone"):
        store.add(broken())
    assert not [path for path in store.root.rglob("*") if path.is_file()]


def test_a_store_that_cannot_be_written_is_an_error(store):
    store.root.write_text("a file where the folder should be")
    with pytest.raises(FoldgraftError, match=r"cannot be written or read: .*Not a directory"):
        store.add([b"one"])


def test_many_may_store_the_same_at_once(store):
    threads = [threading.Thread(target=store.add, args=([b"x" * 100_000] * 20,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (path,) = [path for path in store.root.rglob("*") if path.is_file()]
    assert store.holds(path.name)


def test_a_memory_of_bytes_that_are_gone_is_none(store):
    sha256, _ = store.add([b"one"])
    row = {"source": "rcsb", "id": "1ubq", "sha256": sha256}
    store.remember(row)
    assert store.remembered("rcsb", "1ubq") == row
    assert store.remembered("rcsb", "4hhb") is None
    store_path(store.root, sha256).unlink()
    assert store.remembered("rcsb", "1ubq") is None


def _members(body):
    """As bgzip and pigz write it: gzip members one after another."""
    return b"".join(gzip.compress(body[at : at + 70_000]) for at in range(0, len(body), 70_000))


def test_content_is_read_through_several_gzip_pieces(tmp_path):
    body = bytes(range(256)) * 20_000
    for name, raw in (("plain", body), ("packed", gzip.compress(body)), ("members", _members(body))):
        (tmp_path / name).write_bytes(raw)
        assert b"".join(decompressed(tmp_path / name, len(body))) == body
        with pytest.raises(ValueError, match="more than"):
            list(decompressed(tmp_path / name, len(body) - 1))


def test_only_temporary_files_that_no_job_can_still_need_are_removed(store):
    with store.incoming() as young, store.incoming() as old:
        young.touch()
        old.touch()
        os.utime(old, (time.time() - 3 * 86400,) * 2)
        store.tidy()
        assert young.exists() and not old.exists()
    (store.root / "incoming" / "folder").mkdir()  # or what is not ours to remove
    os.utime(store.root / "incoming" / "folder", (1, 1))
    store.tidy()
    sha256, _ = store.add([b"one"])
    os.utime(store_path(store.root, sha256), (1, 1))
    store.tidy()
    assert store.holds(sha256)


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"sha256": "../../etc/passwd"}', b'{"sha256": 3}', b"\xff"])
def test_a_damaged_memory_is_none(store, content):
    sha256, _ = store.add([b"one"])
    store.remember({"source": "rcsb", "id": "1ubq", "sha256": sha256})
    (memory,) = (store.root / "downloads").rglob("*.json")
    memory.write_bytes(content)
    assert store.remembered("rcsb", "1ubq") is None

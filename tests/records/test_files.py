"""Whole files, digests, ids."""

import hashlib
import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foldgraft.errors import FoldgraftError
from foldgraft.records.files import (
    atomic,
    checked_id,
    file_sha256,
    intact,
    read_json,
    sealed,
    sequence_sha256,
    write_json,
)
from foldgraft.records.lock import store_path

EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_a_file_appears_when_it_is_complete(tmp_path):
    path = tmp_path / "deep" / "x.txt"
    with atomic(path) as temporary:
        temporary.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"
    assert list(path.parent.iterdir()) == [path]


def test_a_failure_keeps_the_old_file_and_leaves_no_other(tmp_path):
    path = tmp_path / "x.txt"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), atomic(path) as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_the_umask_decides_who_may_read(umask, mode, tmp_path):
    before = os.umask(umask)
    try:
        with atomic(tmp_path / "x.txt") as temporary:
            temporary.touch(mode=0o600)  # as safetensors makes its files
        assert os.umask(umask) == umask
    finally:
        os.umask(before)
    assert (tmp_path / "x.txt").stat().st_mode & 0o777 == mode


def test_a_block_that_writes_nothing_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError), atomic(tmp_path / "x.txt"):
        pass


def test_json_round_trip_with_sorted_keys(tmp_path):
    path = tmp_path / "x.json"
    write_json(path, {"b": [1, 2.5, None], "a": "\u00e5"})
    assert read_json(path) == {"a": "\u00e5", "b": [1, 2.5, None]}
    assert path.read_text().index('"a"') < path.read_text().index('"b"')


@pytest.mark.parametrize("content", [b"", b"{", b"{'a': 1}", b"\xff\xfe"])
def test_malformed_json_is_named(content, tmp_path):
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(FoldgraftError, match=r"x\.json: cannot be read as JSON"):
        read_json(path)


def test_missing_json_is_named(tmp_path):
    with pytest.raises(FoldgraftError, match="cannot be read as JSON"):
        read_json(tmp_path / "absent.json")


@given(data=st.binary(min_size=1, max_size=60), bit=st.integers(0, 479), size=st.integers(0, 59))
def test_no_flipped_bit_and_no_shorter_file_is_taken_for_a_sealed_one(data, bit, size, tmp_path_factory):
    path = tmp_path_factory.mktemp("sealed") / "x.csv"
    with sealed(path) as temporary:
        temporary.write_bytes(data)
    assert intact(path).read_bytes() == data
    flipped = bytearray(data)
    flipped[bit // 8 % len(data)] ^= 1 << bit % 8
    for damaged in (bytes(flipped), data[: size % len(data)]):
        path.write_bytes(damaged)
        with pytest.raises(FoldgraftError, match=r"x\.csv: its bytes are not those that were written"):
            intact(path)


def test_a_seal_is_what_sha256sum_checks(tmp_path):
    write_json(tmp_path / "x.json", {})
    check = ["sha256sum", "--check", ".x.json.sha256"]
    assert subprocess.run(check, cwd=tmp_path, capture_output=True, text=True).stdout == "x.json: OK\n"


def test_what_others_wrote_or_is_missing_has_no_seal(tmp_path):
    (tmp_path / "x.json").write_text("{}")
    assert read_json(tmp_path / "x.json") == {}
    assert intact(tmp_path / "absent.csv") == tmp_path / "absent.csv"


def test_digests(tmp_path):
    (tmp_path / "x").write_bytes(b"")
    assert file_sha256(tmp_path / "x") == EMPTY
    assert sequence_sha256("ACD") == hashlib.sha256(b"ACD").hexdigest()


@pytest.mark.parametrize("name", ["1abc_A", "sp|P12345|X_HUMAN", "a", "A" * 128, "1abc-2:A~1+x.y"])
def test_ids_that_serve(name):
    assert checked_id(name, "here") == name


@pytest.mark.parametrize("name", ["", " a", "a b", "../x", ".hidden", "-rf", "a/b", "a\n", "a\x00", "<b>", "A" * 129])
def test_ids_that_do_not(name):
    with pytest.raises(FoldgraftError, match=r"^row 3: .* cannot be an id"):
        checked_id(name, "row 3")


@given(st.text(max_size=200))
def test_an_id_is_safe_or_refused(text):
    try:
        name = checked_id(text, "here")
    except FoldgraftError as error:
        assert "\n" not in str(error)
        return
    assert not set(name) & set("/\\<>&'\"\n\r\t\0 $`;*?")
    assert name not in (".", "..")


def test_the_store_is_spread_over_folders(tmp_path):
    assert store_path(tmp_path, EMPTY) == tmp_path / "e3" / EMPTY


@pytest.mark.parametrize("digest", ["", "e3b0", EMPTY.upper(), "../" + EMPTY[3:], EMPTY + "\n", "/etc/passwd"])
def test_the_store_holds_nothing_but_digests(digest, tmp_path):
    with pytest.raises(FoldgraftError, match="not a sha256"):
        store_path(tmp_path, digest)


def test_the_umask_is_never_changed_not_even_for_a_moment(tmp_path, monkeypatch):
    """It belongs to all threads: a file that another makes meanwhile would have the wrong permissions."""
    monkeypatch.setattr(os, "umask", lambda _: pytest.fail("the umask was set"))
    with atomic(tmp_path / "x.txt") as temporary:
        temporary.touch()


def full_disk(path):
    with Path("/dev/full").open("w") as handle:
        handle.write("x" * 100_000)


def library_on_a_full_disk(path):
    raise RuntimeError("I/O error: No space left on device (os error 28)")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
@pytest.mark.parametrize("write", [full_disk, library_on_a_full_disk])
def test_a_full_disk_is_told_with_the_file(write, tmp_path):
    path = tmp_path / "chains.parquet"
    with pytest.raises(OSError, match=r"No space left on device: '.*chains\.parquet'"), atomic(path) as temporary:
        write(temporary)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(IsADirectoryError, match=f"'{tmp_path}'"), atomic(tmp_path):
        pytest.fail("the block began")


def test_other_troubles_stay_what_they_are(tmp_path):
    with pytest.raises(ZeroDivisionError), atomic(tmp_path / "x") as temporary:
        temporary.touch()
        1 / 0  # noqa: B018

"""Corpora as text."""

import lzma

import pytest

from foldgraft.errors import FoldgraftError
from foldgraft.records.files import sequence_sha256
from foldgraft.trunk.pretraining import texts
from foldgraft.trunk.pretraining.texts import read_lines, read_texts


def test_line_ends_may_be_those_of_windows(tmp_path):
    (tmp_path / "text").write_bytes(b"MKTAY\r\nMXK\r\n")
    assert list(read_lines(tmp_path / "text")) == ["MKTAY", "MXK"]


@pytest.mark.parametrize("compress", [lzma.compress, bytes])
def test_plain_and_compressed_lines_are_read(tmp_path, compress):
    path = tmp_path / "text"
    path.write_bytes(compress(b"MKTAY\nMXK\n"))
    assert list(read_lines(path)) == ["MKTAY", "MXK"]
    assert read_texts([path, path]) == {sequence_sha256(s): s for s in sorted(("MKTAY", "MXK"), key=sequence_sha256)}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"MKTAY\nMkT\n", r"text, line 2: 'MkT' is no sequence"),
        (b"MKTAY\n\nMKT\n", r"text, line 2: '' is no sequence"),
        (b"MKTAY\nMK-T\n", r"text, line 2: 'MK-T' is no sequence"),
        (b">a\nMKT\n", r"text, line 1: '>a' is no sequence"),
        (b"", "holds no sequence"),
        (lzma.compress(b"MKTAY\n" * 1000)[:-40], "cannot be read as text"),
        (lzma.compress(b"M" * 2_000_000), "line 1: more than 1000000 letters"),
    ],
)
def test_a_bad_line_is_named(tmp_path, content, reason):
    path = tmp_path / "text"
    path.write_bytes(content)
    with pytest.raises(FoldgraftError, match=reason):
        list(read_lines(path))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FoldgraftError, match=r"none\.xz: cannot be read"):
        read_texts([tmp_path / "none.xz"])


def test_what_is_held_in_memory_is_bounded(tmp_path, monkeypatch):
    path = tmp_path / "text"
    path.write_text("MKTAY\n" * 3)
    monkeypatch.setattr(texts, "MAX_RESIDUES", 14)
    with pytest.raises(FoldgraftError, match="more than 14 residues"):
        read_texts([path])

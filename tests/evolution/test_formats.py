"""Alignment files of every kind, against Biopython's AlignIO where it reads them."""

import gzip
from contextlib import suppress
from io import StringIO

import pytest
from Bio import AlignIO
from Bio.Align import MultipleSeqAlignment
from Bio.Seq import Seq
from Bio.SeqRecord import SeqRecord
from hypothesis import given
from hypothesis import strategies as st

from foldgraft.errors import FoldgraftError
from foldgraft.evolution import formats
from foldgraft.evolution.formats import Row, read_parts

TEXTS = ["ACDEFGHIKLMNPQRSTVWY" * 4, "ACDEF-HIKLMNPQRSTVW-" * 4, "--DEFGHIKLMNPQRSTVWY" * 4]


def read(tmp_path, content, name="a"):
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_parts(tmp_path / name)


def rows(tmp_path, content):
    (part,) = read(tmp_path, content)
    return [(row.name, row.text) for row in part.rows]


@pytest.mark.parametrize("kind", ["stockholm", "clustal", "fasta"])
def test_agrees_with_biopython(tmp_path, kind):
    records = [SeqRecord(Seq(text), id=f"s{k}/1-80", description="") for k, text in enumerate(TEXTS)]
    handle = StringIO()
    AlignIO.write([MultipleSeqAlignment(records)], handle, kind)
    theirs = AlignIO.read(StringIO(handle.getvalue()), kind)
    assert rows(tmp_path, handle.getvalue()) == [(record.id, str(record.seq)) for record in theirs]


def test_stockholm_in_blocks_with_annotation_and_several_in_one_file(tmp_path):
    text = (
        "# STOCKHOLM 1.0\n#=GF ID one\n\nq  ACD\nh/1-6 A-D\n#=GR h/1-6 PP 999\n#=GC RF xxx\n\n"
        "q  EFG\nh/1-6 E.G\n#=GR h/1-6 PP 999\n//\n"
        "# STOCKHOLM 1.0\nz AC\nz WW\n//\n"
    )
    parts = read(tmp_path, text)
    assert [[row.text for row in part.rows] for part in parts] == [["ACDEFG", "A-DE.G"], ["AC", "WW"]]


def test_clustal_with_counts_and_conservation(tmp_path):
    text = (
        "CLUSTAL W (1.83) multiple sequence alignment\n\n\na  ACDE 4\nb  AC-E 3\n   ** *\n\na  FG 6\nb  FG 5\n   **\n"
    )
    assert rows(tmp_path, text) == [("a", "ACDEFG"), ("b", "AC-EFG")]


def test_rows_without_headers_and_with_names(tmp_path):
    assert rows(tmp_path, "ACD-F\nACDEF\n") == [("row1", "ACD-F"), ("row2", "ACDEF")]
    assert rows(tmp_path, "S_1    ACD-F\nS_1    ACDEF\n") == [("S_1", "ACD-F"), ("S_1", "ACDEF")]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_line_ends_compression_and_marks_do_not_matter(tmp_path, end, pack, mark):
    content = mark + end.join(["#50\t1", ">q a b", "ACD", "", " EF", ">h\tx", "acdeF"]).encode()
    assert rows(tmp_path, pack(content)) == [("q a b", "ACDEF"), ("h\tx", "acdeF")]


def test_latin_1_names_and_nul(tmp_path):
    parts = read(tmp_path, b">Universit\xe4t\nACD\n\0>b\nWWW\n\0\n")
    assert [part.rows for part in parts] == [[Row("Universität", "ACD")], [Row("b", "WWW")]]


def test_what_is_no_row_is_dropped_and_counted(tmp_path):
    text = ">ss_pred\nCCC\n>ss_conf\n999\n>x_consensus\nAxD\n>e\n>gaps\n---\n>digits\nA1D\n>q\nACD\n"
    (part,) = read(tmp_path, text)
    assert part.rows == [Row("q", "ACD")]
    assert part.dropped == {"annotation": 3, "empty": 2, "not letters": 1}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the alignment is empty"),
        (b"\n \r\n\0", "the alignment is empty"),
        (b"hello world and more\n", "not an alignment but unknown"),
        (b"hello\n", "not an alignment but unknown"),
        (b"<!DOCTYPE html>\n<p>404\n", "not an alignment but markup"),
        (b'{"status": "ERROR"}\n', "not an alignment but JSON"),
        (b"HMMER3/f [3.3]\nNAME x\n", "not an alignment but HMM"),
        (b"HEADER    OXIDOREDUCTASE\nATOM\n", "not an alignment but structure"),
        (b" 3 80\nseq1 ACD\n", "not an alignment but PHYLIP"),
        (b"PK\x03\x04zip", "not an alignment but binary"),
        (b"\x1f\x8bbroken", "cannot be read"),
        (gzip.compress(b">a\nACD\n" * 999, mtime=0)[:-20], "cannot be read"),
        (b">a\n>b\n---\n", "has no usable row; 2 empty"),
        (b">ss_pred\nCCC\n", "has no usable row; 1 annotation"),
    ],
)
def test_what_is_no_alignment_is_told_in_one_sentence(tmp_path, content, words):
    with pytest.raises(FoldgraftError, match=words) as error:
        read(tmp_path, content, "bad.a3m")
    assert "bad.a3m" in str(error.value) and "\n" not in str(error.value)


def test_a_missing_file_and_one_without_end_are_named(tmp_path, monkeypatch):
    with pytest.raises(FoldgraftError, match="cannot be read"):
        read_parts(tmp_path / "none.a3m")
    monkeypatch.setattr(formats, "MAX_BYTES", 100)
    with pytest.raises(FoldgraftError, match="more than 100 bytes"):
        read(tmp_path, gzip.compress(b">a\n" + b"A" * 1000))


def test_a_beginning_ends_with_a_whole_line(tmp_path):
    (tmp_path / "a").write_text(">q\nACDEF\n>h\nACDEF\n")
    (part,) = read_parts(tmp_path / "a", 14)
    assert part.rows == [Row("q", "ACDEF")]


@given(st.binary(max_size=200))
def test_any_bytes_are_an_alignment_or_an_error_for_people(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(content)
    with suppress(FoldgraftError):
        assert all(row.text for part in read_parts(path) for row in part.rows)

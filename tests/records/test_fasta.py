"""FASTA: what is written is read, and what is wrong is named."""

import gzip
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from foldgraft.errors import FoldgraftError
from foldgraft.records import fasta
from foldgraft.records.fasta import count_records, raw_records, read_fasta, write_fasta
from foldgraft.records.files import ID

NAMES = st.from_regex(ID, fullmatch=True)
SEQUENCES = st.text("ACDEFGHIKLMNPQRSTVWYXBZUOacdefghiklmnpqrstvwy-.*", min_size=1, max_size=200)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(records=st.lists(st.tuples(NAMES, SEQUENCES), min_size=1, max_size=8), suffix=st.sampled_from(["", ".gz"]))
def test_what_is_written_is_read(records, suffix, tmp_path):
    path = tmp_path / f"x.fasta{suffix}"
    write_fasta(path, records)
    assert [(record.id, record.sequence) for record in read_fasta(path)] == records


@pytest.mark.parametrize("name", ["x.fasta", "x.fasta.gz"])
def test_the_same_records_give_the_same_bytes(name, tmp_path):
    for folder in "ab":
        write_fasta(tmp_path / folder / name, [("P1", "ACD")])
    assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert b"tmp" not in (tmp_path / "a" / name).read_bytes()


def test_biopython_reads_what_is_written(tmp_path):
    from Bio import SeqIO

    records = [("sp|P1|X_Y", "MKV"), ("b", "ACDEF" * 40)]
    write_fasta(tmp_path / "x.fasta.gz", records)
    with gzip.open(tmp_path / "x.fasta.gz", "rt") as handle:
        assert [(record.id, str(record.seq)) for record in SeqIO.parse(handle, "fasta")] == records


@pytest.mark.parametrize(
    "text",
    [
        ">a the first\nACD\nEF\n\n>b\nGH I\n",
        ">a the first\r\nACD\r\nEF\r\n>b\r\nGHI\r\n",
        "\ufeff>a\tthe first\nACDEF\n>b\nGHI",
        "\n\n> a  the first \n AC\nDEF\n>b \nGHI\n",
    ],
    ids=["lines", "carriage returns", "mark and tab", "blanks"],
)
def test_what_people_write_is_read(text, tmp_path):
    path = tmp_path / "x.fasta"
    path.write_text(text, encoding="utf-8", newline="")
    assert list(read_fasta(path)) == [("a", "the first", "ACDEF"), ("b", "", "GHI")]


def test_gzip_is_known_by_its_bytes_not_its_name(tmp_path):
    path = tmp_path / "x.fasta"
    path.write_bytes(gzip.compress(b">a\nACD\n"))
    assert [record.sequence for record in read_fasta(path)] == ["ACD"]


WHOLE = gzip.compress(b">a\n" + bytes(Random(0).choices(b"ACDEFGHIKLMNPQRSTVWY", k=9999)) + b"\n", mtime=0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no FASTA record"),
        (b"\n\n", "holds no FASTA record"),
        (b"id,sequence\na,ACD\n", "not FASTA"),
        (b">a\n>b\nACD\n", r"record 1 \(a\): the sequence is empty"),
        (b">a\nACD\n>b\n", r"record 2 \(b\): the sequence is empty"),
        (b">\nACD\n", "record 1: '' cannot be an id"),
        (b">../../etc\nACD\n", "cannot be an id"),
        (b"><script>\nACD\n", "cannot be an id"),
        (b">a\nAC1D?\n", r"the sequence holds '1', '\?'"),
        (b">a\nAC\xc3\x84\n", "the sequence holds"),
        (b">a\nAC\xff\xfe\n", "the sequence holds"),
        (WHOLE[:-200], "cannot be read as FASTA"),
        (WHOLE[:40] + b"\xff" * 40 + WHOLE[80:], "cannot be read as FASTA"),
    ],
)
def test_what_is_wrong_is_named(content, message, tmp_path):
    path = tmp_path / "x.fasta"
    path.write_bytes(content)
    with pytest.raises(FoldgraftError, match=message) as error:
        list(read_fasta(path))
    assert str(path) in str(error.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FoldgraftError, match="cannot be read as FASTA"):
        list(read_fasta(tmp_path / "absent.fasta"))


@pytest.mark.parametrize("text", [b">a\n" + b"A" * 1001, b">a\n" + b"AAAAAAAAA\n" * 112, b">" + b"a" * 1001])
def test_an_endless_record_is_not_read_to_its_end(text, tmp_path, monkeypatch):
    monkeypatch.setattr(fasta, "MAX_LETTERS", 1000)
    path = tmp_path / "x.fasta.gz"
    path.write_bytes(gzip.compress(text))
    with pytest.raises(FoldgraftError, match="more than 1000 letters"):
        list(read_fasta(path))


def test_records_are_counted_apart(tmp_path, monkeypatch):
    monkeypatch.setattr(fasta, "MAX_LETTERS", 1000)
    write_fasta(tmp_path / "x.fasta", [(f"r{i}", "A" * 900) for i in range(5)])
    assert len(list(read_fasta(tmp_path / "x.fasta"))) == 5


def test_a_failing_source_of_records_leaves_nothing(tmp_path):
    def broken():
        yield "a", "ACD"
        raise RuntimeError("no more")

    for name in ("x.fasta", "x.fasta.gz"):
        with pytest.raises(RuntimeError):
            write_fasta(tmp_path / name, broken())
    assert list(tmp_path.iterdir()) == []


LINES = [b">a", b" >b c", b"MKT", b"", b"\t>", b"\xef\xbb\xbf>x", b"A>B", b"\xa0>y", b">z\rM", b"\xc2\xa0>n"]


@given(lines=st.lists(st.sampled_from(LINES)), packed=st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_records_are_counted_as_they_are_read(tmp_path, lines, packed):
    """Wherever the file can be read at all."""
    content = b"\n".join(lines)
    (tmp_path / "a.fasta").write_bytes(gzip.compress(content) if packed else content)
    try:
        read = len(list(raw_records(tmp_path / "a.fasta")))
    except FoldgraftError:
        return
    assert count_records(tmp_path / "a.fasta") == read


def test_what_cannot_be_read_through_is_not_counted(tmp_path):
    (tmp_path / "cut.gz").write_bytes(gzip.compress(b">a\nMKT\n" * 1000)[:-20])
    (tmp_path / "long").write_bytes(b">a\n" + b"A" * 1_000_001)
    (tmp_path / "lines").write_bytes(b">a\n" + b"ACDEFGHIKL\n" * 100_001)
    (tmp_path / "other").write_bytes(b"id,sequence\n>a,b\n")
    for name in ("cut.gz", "long", "lines", "other", "none"):
        assert count_records(tmp_path / name) is None

"""Alignments that the user brings along: found, and checked before any job."""

import pytest

from foldgraft import mmseqs
from foldgraft.errors import FoldgraftError
from foldgraft.msa.inputs import HEAD, check, find
from foldgraft.msa.settings import AlignmentFiles, MsaSettings


@pytest.fixture
def data(tmp_path):
    for name, query in (("one", "ACD-EF"), ("two", "CDE")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "query.fa").write_text(f">q\n{query}\n")
        (tmp_path / name / "family.fasta").write_text(f">a\n{'G' * len(query)}\n>b\n{query}\n")
    (tmp_path / "own.a3m").write_text(">q\nWWACDEFWW\n>b\nWWACccDEFW-\n")
    return tmp_path


def settings(*files, queries=()):
    return AlignmentFiles(files=list(files), queries=list(queries))


def test_a_query_may_stand_in_a_file_of_the_same_folder(data):
    found = find(settings("*/*.fasta", "*.a3m", queries=["*/query.fa"]), data)
    assert [(item.name, item.guide) for item in found] == [
        ("one/family.fasta", "ACD-EF"), ("own.a3m", None), ("two/family.fasta", "CDE")
    ]  # fmt: skip
    ((_, alignment),) = found[0].read()
    assert [row.text for row in alignment.rows] == ["GGGGGG", "ACD-EF"]
    assert [row.text for row in alignment.candidates] == ["ACD-EF"]


def test_query_files_are_no_alignments_even_if_both_patterns_match_them(data):
    assert len(find(settings("*/*.f*", queries=["*/query.fa"]), data)) == 2


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (settings("nothing/*.a3m"), r"msa.alignments.files: 'nothing/\*.a3m' matches no file"),
        (settings("*.a3m", queries=["no*"]), r"msa.alignments.queries: 'no\*' matches no file"),
        (settings("/etc/nothing*"), "matches no file"),
        (settings(""), "matches no file"),
        (settings("*/*.fasta", queries=["*/*.fa*"]), "one folder"),
    ],
)
def test_patterns_that_cannot_be_meant_are_named(data, given, message):
    with pytest.raises(FoldgraftError, match=message):
        check(MsaSettings(alignments=given), data)


@pytest.mark.parametrize(
    ("content", "message"), [(">a\n---\n>b\n", "no usable row"), ("hello", "unknown"), ("", "is empty")]
)
def test_a_broken_alignment_stops_before_any_job(tmp_path, content, message):
    (tmp_path / "bad.fasta").write_text(content)
    with pytest.raises(FoldgraftError, match=message) as error:
        check(MsaSettings(alignments=settings("*.fasta")), tmp_path)
    assert "bad.fasta" in str(error.value) and "\n" not in str(error.value)


def test_rows_of_different_length_are_no_error(tmp_path):
    (tmp_path / "odd.fasta").write_text(">a\nACD\n>b\nACDE\n>c\nACW\n")
    check(MsaSettings(alignments=settings("*.fasta")), tmp_path)


def test_a_large_file_is_known_by_its_beginning(tmp_path):
    (tmp_path / "large.a3m").write_text(">a\nACDEF\n" * (HEAD // 8) + "\0{broken")
    check(MsaSettings(alignments=settings("*.a3m")), tmp_path)


def test_a_query_that_does_not_fit_its_columns_is_named(data):
    (data / "one" / "query.fa").write_text(">q\nACDEF\n")
    with pytest.raises(FoldgraftError, match="6 columns where its query has 5"):
        check(MsaSettings(alignments=settings("one/*.fasta", queries=["one/query.fa"])), data)
    (data / "one" / "query.fa").write_text(">q\nACD-EF\n>r\nACD-EF\n")
    with pytest.raises(FoldgraftError, match="one row"):
        check(MsaSettings(alignments=settings("one/*.fasta", queries=["one/query.fa"])), data)


def test_without_alignments_there_is_nothing_to_check(tmp_path):
    check(MsaSettings(), tmp_path)


def test_a_prepared_database_is_one_of_proteins(tmp_path):
    mmseqs.database({"a": "ACDEFGHIKLMNPQRSTVWY"}, tmp_path / "proteins")
    check(MsaSettings(database="proteins"), tmp_path)
    with pytest.raises(FoldgraftError, match=r"msa.database: .*/none is no MMseqs2 database"):
        check(MsaSettings(database="none"), tmp_path)
    (tmp_path / "proteins.dbtype").write_bytes(b"\x01\0\0\0")
    with pytest.raises(FoldgraftError, match="no database of protein sequences"):
        check(MsaSettings(database="proteins"), tmp_path)

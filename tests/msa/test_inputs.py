"""Alignments that the user brings along: found, checked, fitted."""

import pytest

from foldgraft.errors import FoldgraftError
from foldgraft.msa.inputs import check, find, fit
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


def test_queries_come_from_the_same_folder_or_the_first_row(data):
    found = find(settings("*/*.fasta", "*.a3m", queries=["*/query.fa"]), data)
    assert [(str(item.path.relative_to(data)), item.query) for item in found] == [
        ("one/family.fasta", "ACDEF"),
        ("own.a3m", "WWACDEFWW"),
        ("two/family.fasta", "CDE"),
    ]
    assert [row.text for row in found[0].rows()] == ["GGGgGG", "ACDEF"]


def test_query_files_are_no_alignments_even_if_both_patterns_match_them(data):
    assert len(find(settings("*/*.f*", queries=["*/query.fa"]), data)) == 2


def test_the_longest_fitting_query_wins(data):
    found = find(settings("*/*.fasta", queries=["*/query.fa"]), data)
    item, start = fit("MMACDEFMM", found)
    assert (item.query, start) == ("ACDEF", 2)
    item, start = fit("MMXCDEFMM", found)
    assert (item.query, start) == ("CDE", 3)
    assert fit("MMXXDEFMM", found) is None
    assert fit("MM", []) is None


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
    ("content", "message"),
    [(">a\nACD\n>b\nACDE\n", "4 columns"), (">a\n---\n>b\nACD\n", "gaps"), ("hello", "does not begin")],
)
def test_a_broken_alignment_stops_before_any_job(tmp_path, content, message):
    (tmp_path / "bad.fasta").write_text(content)
    with pytest.raises(FoldgraftError, match=message) as error:
        check(MsaSettings(alignments=settings("*.fasta")), tmp_path)
    assert "bad.fasta" in str(error.value) and "\n" not in str(error.value)


def test_a_query_that_does_not_fit_its_columns_is_named(data):
    (data / "one" / "query.fa").write_text(">q\nACDEF\n")
    with pytest.raises(FoldgraftError, match="6 columns where the query has 5"):
        check(MsaSettings(alignments=settings("one/*.fasta", queries=["one/query.fa"])), data)
    (data / "one" / "query.fa").write_text(">q\nACD-EF\n>r\nACD-EF\n")
    with pytest.raises(FoldgraftError, match="one row"):
        check(MsaSettings(alignments=settings("one/*.fasta", queries=["one/query.fa"])), data)


def test_without_alignments_there_is_nothing_to_check(tmp_path):
    check(MsaSettings(), tmp_path)

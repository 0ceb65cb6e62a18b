"""Which records of a FASTA file are predicted, and why the others are not."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foldgraft.errors import FoldgraftError
from foldgraft.predict.sequences import Candidate, Candidates, chunks, portions, why_not
from foldgraft.predict.settings import PredictSettings

SETTINGS = PredictSettings(min_length=5, max_length=40)


def read(tmp_path, text, settings=SETTINGS):
    path = tmp_path / "new.fasta"
    path.write_text(text)
    return list(Candidates(path, settings))


LETTERS = "MKTAYIAKQR"


def test_every_record_has_a_row_in_its_order(tmp_path):
    text = (
        ">good a protein\nMKTAY\nIAKQR\n>lower\nmktayiakqr\n>stop\nMKTAYIAK*\n>inner\nMKT*AYIAK\n>short\nMKT\n"
        ">long\n" + "M" * 41 + "\n>digits\nMKT4AYIAKQ\n>gap\nMKT-AYIAKQ\n>empty\n>good\nMKTAYIAKQR\n"
        ">rare\nMKTUXBZOAY\n>joined\nMKT\tJAYI AK\n>dna\n"
        + "GATTACA" * 5
        + "\n>rna\n"
        + "GAUUNACAUUAR" * 3
        + "\n>silk\n"
        + "GAGAGAGATA" * 4
        + "\n>peptide\nGATCNGATNC\n"
        ">unknown\nXXXXXXXMKT\n>half\nXXXXXMKTAY\n"
    )
    rows = read(tmp_path, text)
    assert [row.id for row in rows if not row.reason] == [
        "good",
        "lower",
        "stop",
        "good",
        "rare",
        "joined",
        "silk",
        "peptide",
        "half",
    ]
    assert [row.sequence for row in rows[:3]] == [LETTERS, LETTERS, "MKTAYIAK"]
    assert rows[0].description == "a protein" and rows[1].description == ""
    assert {row.id: row.sequence for row in rows}["joined"] == "MKTXAYIAK"
    assert {row.id: row.reason for row in rows if row.reason} == {
        "inner": "a stop ('*') at position 4, before the end",
        "short": "3 residues, fewer than 5",
        "long": "41 residues, more than 40",
        "digits": "no letters of a protein: '4'",
        "gap": "gaps of an alignment ('-' or '.'); give the sequence without them",
        "empty": "the sequence is empty",
        "dna": "letters of DNA or RNA alone; translate it first",
        "rna": "letters of DNA or RNA alone; translate it first",
        "unknown": "only 3 of 10 residues are known",
    }


NAMES = ["Q9XYZ1/1-98", "mut(K48H)", "pET28a#3", "_x", "with,comma", "Größe-β", "bad/../id", "=cmd", "x" * 10_000]


def test_records_keep_their_names(tmp_path):
    rows = read(tmp_path, "".join(f">{name} of ours\n{LETTERS}\n" for name in NAMES))
    assert [(row.id, row.description, row.reason) for row in rows] == [(name, "of ours", "") for name in NAMES]


def test_a_record_without_a_name_is_called_by_its_number(tmp_path):
    assert [row.id for row in read(tmp_path, f">a\n{LETTERS}\n>\n{LETTERS}\n")] == ["a", "record:2"]


def test_names_in_latin_1_are_read_and_none_steers_a_terminal(tmp_path):
    path = tmp_path / "new.fasta"
    path.write_bytes(b">M\xfcller\nMKTAYIAKQR\n>M\xc3\xbcller\nMKTAYIAKQR\n>a\x1b[2Jb\nMKTAYIAKQR\n")
    assert [row.id for row in Candidates(path, SETTINGS)] == ["Müller", "Müller", "a"]


def test_compressed_files_are_read(tmp_path):
    path = tmp_path / "new.fasta.gz"
    path.write_bytes(gzip.compress(b">a\nMKTAYIAKQR\n"))
    assert [row.id for row in Candidates(path, SETTINGS)] == ["a"]


@pytest.mark.parametrize("content", [b"", b"MKTAY\n", b"\x1f\x8b broken", b"\xff\xfe\x00"])
def test_what_is_no_fasta_is_refused(tmp_path, content):
    path = tmp_path / "new.fasta"
    path.write_bytes(content)
    with pytest.raises(FoldgraftError, match=r"new\.fasta"):
        list(Candidates(path, SETTINGS))


@given(st.text(max_size=50))
def test_any_text_is_either_fit_or_has_a_reason(text):
    reason = why_not(text, SETTINGS)
    fit = 5 <= len(text) <= 40 and set(text) <= set("ACDEFGHIKLMNPQRSTVWYXBUZO")
    vague = 2 * sum(map(text.count, "XBZ")) > len(text)
    nucleic = len(text) >= 30 and set("ACG") <= set(text)
    assert bool(reason) != (fit and not vague) or nucleic


def test_chunks_keep_everything():
    assert list(chunks(range(7), 3)) == [[0, 1, 2], [3, 4, 5], [6]] and list(chunks([], 3)) == []


@given(st.lists(st.integers(0, 30), max_size=40), st.integers(1, 60))
def test_portions_keep_everything_and_hold_no_more_than_they_must(lengths, residues):
    records = [Candidate(str(number), "M" * length, "") for number, length in enumerate(lengths)]
    found = list(portions(records, residues))
    assert [record for portion in found for record in portion] == records and all(found)
    sizes = [[1 + len(record.sequence) for record in portion] for portion in found]
    assert all(sum(each[:-1]) < residues for each in sizes) and all(sum(each) >= residues for each in sizes[:-1])


@pytest.mark.parametrize("name", ["../x", "a b", "", "a/b", "-x", "é"])
def test_names_of_tables_are_checked(name):
    with pytest.raises(ValueError, match="sequences"):
        PredictSettings.model_validate({"sequences": {name: "x.fasta"}})


def test_limits_must_make_sense():
    with pytest.raises(ValueError, match="min_length"):
        PredictSettings(min_length=10, max_length=5)

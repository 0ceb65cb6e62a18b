"""Which records of a FASTA file are predicted, and why the others are not."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foldgraft.errors import FoldgraftError
from foldgraft.predict.sequences import candidates, chunks, why_not
from foldgraft.predict.settings import PredictSettings

SETTINGS = PredictSettings(min_length=5, max_length=20)


def read(tmp_path, text, settings=SETTINGS):
    path = tmp_path / "new.fasta"
    path.write_text(text)
    return list(candidates(path, settings))


def test_every_record_has_a_row_in_its_order(tmp_path):
    text = (
        ">good a protein\nMKTAY\nIAKQR\n>lower\nmktayiakqr\n>stop\nMKTAYIAK*\n>inner\nMKT*AYIAK\n>short\nMKT\n"
        ">long\n" + "M" * 21 + "\n>digits\nMKT4AYIAKQ\n>gap\nMKT-AYIAKQ\n>empty\n>good\nMKTAYIAKQR\n"
        ">bad/../id\nMKTAYIAKQR\n>\nMKTAYIAKQR\n>rare\nMKTUXBZOAY\n"
    )
    rows = read(tmp_path, text)
    assert [(row.id, row.reason) for row in rows if not row.reason] == [
        ("good", ""),
        ("lower", ""),
        ("stop", ""),
        ("rare", ""),
    ]
    assert [row.sequence for row in rows[:3]] == ["MKTAYIAKQR", "MKTAYIAKQR", "MKTAYIAK"]
    reasons = {row.id: row.reason for row in rows if row.reason}
    assert reasons["inner"] == "no letters of a protein: '*'"
    assert reasons["short"] == "3 residues, fewer than 5"
    assert reasons["long"] == "21 residues, more than 20"
    assert reasons["digits"] == "no letters of a protein: '4'"
    assert reasons["gap"] == "no letters of a protein: '-'"
    assert reasons["empty"] == "0 residues, fewer than 5"
    assert reasons["good"] == "an earlier record has the same id"
    assert "cannot be an id" in reasons["record:11"] and "cannot be an id" in reasons["record:12"]
    assert len(rows) == 13


def test_compressed_files_are_read(tmp_path):
    path = tmp_path / "new.fasta.gz"
    path.write_bytes(gzip.compress(b">a\nMKTAYIAKQR\n"))
    assert [row.id for row in candidates(path, SETTINGS)] == ["a"]


@pytest.mark.parametrize("content", [b"", b"MKTAY\n", b"\x1f\x8b broken", b"\xff\xfe\x00"])
def test_what_is_no_fasta_is_refused(tmp_path, content):
    path = tmp_path / "new.fasta"
    path.write_bytes(content)
    with pytest.raises(FoldgraftError, match=r"new\.fasta"):
        list(candidates(path, SETTINGS))


@given(st.text(max_size=30))
def test_any_text_is_either_fit_or_has_a_reason(text):
    reason = why_not(text, SETTINGS)
    assert bool(reason) != (5 <= len(text) <= 20 and set(text) <= set("ACDEFGHIKLMNPQRSTVWYXBUZO"))


def test_chunks_keep_everything():
    assert list(chunks(range(7), 3)) == [[0, 1, 2], [3, 4, 5], [6]] and list(chunks([], 3)) == []


@pytest.mark.parametrize("name", ["../x", "a b", "", "a/b", "-x", "é"])
def test_names_of_tables_are_checked(name):
    with pytest.raises(ValueError, match="sequences"):
        PredictSettings.model_validate({"sequences": {name: "x.fasta"}})


def test_limits_must_make_sense():
    with pytest.raises(ValueError, match="min_length"):
        PredictSettings(min_length=10, max_length=5)

"""Reading alignments and bringing them onto chains."""

import gzip

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foldgraft.errors import FoldgraftError
from foldgraft.msa.a3m import (
    CODES,
    GAP,
    INSERTION,
    Row,
    build,
    encode,
    format_a3m,
    onto_query,
    parse_a3m,
    read_alignment,
    safe_name,
)
from foldgraft.residues import AMINO_ACIDS


def rows(*texts):
    return [Row(f"r{k}", text) for k, text in enumerate(texts)]


def onto(texts, query=None):
    residues, found = onto_query(rows(*texts), query, "file")
    return residues, [row.text for row in found]


def test_reads_plain_and_compressed_files_with_pfam_names(tmp_path):
    text = "#comment\n>Q3_MOUSE/98-160 a protein\nAC-\nDE.\n>x\nACcdDE-\n"
    (tmp_path / "a.a3m").write_text(text)
    (tmp_path / "b.fasta.gz").write_bytes(gzip.compress(text.encode()))
    expected = [Row("Q3_MOUSE/98-160 a protein", "AC-DE."), Row("x", "ACcdDE-")]
    assert list(read_alignment(tmp_path / "a.a3m")) == list(read_alignment(tmp_path / "b.fasta.gz")) == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no sequence"),
        (b"ACDEF\n", "does not begin"),
        (b">a\n>b\nAC\n", "'a' is empty"),
        (b">a\nAC1\n", "not aligned letters"),
        (b"\x1f\x8bbroken", "cannot be read"),
        (b">a\n\xff\xfe\n", "cannot be read"),
    ],
)
def test_what_is_no_alignment_is_named(content, message, tmp_path):
    (tmp_path / "bad.a3m").write_bytes(content)
    with pytest.raises(FoldgraftError, match=message) as error:
        list(read_alignment(tmp_path / "bad.a3m"))
    assert "bad.a3m" in str(error.value)


def test_an_a3m_keeps_its_insertions():
    assert onto(["ACDEF", "A-DccEF", "--DEF"]) == ("ACDEF", ["ACDEF", "A-DccEF", "--DEF"])


def test_columns_without_a_query_residue_become_insertions():
    found = onto(["A-C-D", "AGCTD", "--C-D", "AG--D"])
    assert found == ("ACD", ["ACD", "AgCtD", "-CD", "Ag-D"])


def test_the_query_may_be_another_row_than_the_first():
    assert onto(["AGCTD", "A-C-D"], query="A-CW-")[1] == ["AgCTd", "AC-d"]
    assert onto(["AGCTD", "A-C-D"], query="A-CW-")[0] == "ACW"


def test_dots_and_lower_case_columns_of_equal_rows_are_columns():
    assert onto(["Ac.D", "A.gD"]) == ("ACD", ["ACD", "A-gD"])


def test_an_a3m_whose_query_has_gaps_keeps_both_kinds_of_insertion():
    assert onto(["A-CD", "AxGCD", "A--D"]) == ("ACD", ["ACD", "AxgCD", "A-D"])


def test_rows_of_another_length_are_named():
    with pytest.raises(FoldgraftError, match=r"file: the row 'r1' has 4 columns where the query has 3"):
        onto(["ACD", "ACDE"])
    with pytest.raises(FoldgraftError, match="has 3 columns where the query has 4"):
        onto(["ACD", "ACE"], query="AC-D")
    with pytest.raises(FoldgraftError, match="nothing but gaps"):
        onto(["---", "ACE"])


@given(
    st.lists(st.text("ACDEFG-", min_size=12, max_size=12), min_size=1, max_size=8),
    st.text("AW-", min_size=12, max_size=12),
)
def test_no_letter_is_lost_and_the_queries_columns_stay(texts, query):
    if not query.replace("-", ""):
        return
    residues, found = onto(texts, query=query)
    for text, row in zip(texts, found, strict=True):
        assert row.replace("-", "").upper() == text.replace("-", "")
        assert len(row.translate(INSERTION)) == len(residues)
        kept = [letter for letter, guide in zip(text, query, strict=True) if guide != "-"]
        assert row.translate(INSERTION) == "".join(kept)


def test_building_pads_dedupes_and_drops_short_rows():
    texts = ["CDE", "CDE", "CWE", "CxWE", "--E", "C-E"]
    found = build("ACDEF", 1, "CDE", rows(*texts), min_coverage=0.5, limit=100)
    assert [row.text for row in found] == ["ACDEF", "-CWE-", "-C-E-"]


def test_an_even_selection_of_too_many_is_kept():
    texts = [a + b for a in AMINO_ACIDS for b in AMINO_ACIDS]
    found = [row.text for row in build("AA", 0, "AA", rows(*texts), 0.5, 11)]
    assert len(found) == 11 and found[:2] == ["AA", "AC"] and found[-1] == "YY"
    assert [row.text for row in build("AA", 0, "AA", rows(*texts), 0.5, 1)] == ["AA"]


def test_codes_are_those_of_the_amino_acids_and_anything_else_is_a_gap():
    codes = encode(rows("ACY-", "AXBx.Z"))
    assert codes.tolist() == [[0, 1, 19, GAP], [0, GAP, GAP, GAP]]
    assert "".join(AMINO_ACIDS[c] for c in CODES[np.frombuffer(AMINO_ACIDS.encode(), np.uint8)]) == AMINO_ACIDS


def test_text_and_rows_are_the_same_thing():
    found = rows("ACD", "A-dD")
    assert parse_a3m(format_a3m(found)) == found


def test_names_lose_what_ids_may_not_hold():
    assert safe_name("Q3_MOUSE/98-160 text") == "Q3_MOUSE_98-160"
    assert safe_name("<script>\t") == "_script_"
    assert safe_name("") == "unnamed"

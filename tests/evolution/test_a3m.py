"""Rows over columns, and onto the residues of a chain."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foldgraft.errors import FoldgraftError
from foldgraft.evolution.a3m import CODES, GAP, encode, format_a3m, onto_chain, parse_a3m, safe_name
from foldgraft.evolution.columns import INSERTION, over_columns
from foldgraft.evolution.formats import Part, Row
from foldgraft.residues import AMINO_ACIDS


def rows(*texts):
    return [Row(f"r{k}", text) for k, text in enumerate(texts)]


def over(texts, guide=None):
    part = Part("FASTA", rows(*texts))
    return [row.text for row in over_columns(part, Path("file"), guide).rows], dict(part.dropped)


def onto(texts, columns):
    return [row.text for row in onto_chain(rows(*texts), np.array(columns))]


def test_an_a3m_keeps_its_insertions():
    assert over(["ACDEF", "A-DccEF", "--DEF"]) == (["ACDEF", "A-DccEF", "--DEF"], {})


def test_dots_and_lower_case_letters_of_equal_rows_are_columns():
    assert over(["Ac.D", "A.gD"]) == (["AC-D", "A-GD"], {})
    assert over(["acd", "acw"]) == (["ACD", "ACW"], {})


def test_dots_of_an_a3m_are_nothing():
    assert over(["AC.D", "ACgD", "A-.D", "ACD"])[0] == ["ACD", "ACgD", "A-D", "ACD"]
    assert over(["ACD", "ACgD", "AC.ggD"])[0] == ["ACD", "ACgD", "ACggD"]


def test_rows_of_another_length_are_dropped_and_counted():
    assert over(["ACD", "ACDE", "AWD", "AD"]) == (["ACD", "AWD"], {"of another length": 2})


def test_the_star_of_a_stop_codon_costs_no_row():
    assert over(["ACD*", "ACD", "AW-", "A*D"]) == (["ACD", "ACD", "AW-", "A-D"], {})
    assert over(["ACD*", "AWD*"])[0] == ["ACD-", "AWD-"]


def test_a_guide_must_fit():
    assert over(["A-CD", "AWCD"], guide="AC-D")[0] == ["A-CD", "AWCD"]
    with pytest.raises(FoldgraftError, match="file: its rows have 4 columns where its query has 3"):
        over(["A-CD", "AWCD"], guide="ACD")
    with pytest.raises(FoldgraftError, match="nothing but gaps"):
        over(["ACD"], guide="---")


def test_columns_without_a_residue_become_insertions():
    assert onto(["A-C-D", "AGCTD", "--C-D", "AG--D"], [0, 2, 4]) == ["ACD", "AgCtD", "-CD", "Ag-D"]


def test_residues_without_a_column_are_gaps():
    assert onto(["ACDE", "AwCDE"], [-1, 0, 1, -1, 2, -1]) == ["-AC-D-", "-AwC-D-"]


def test_letters_beyond_the_chain_go():
    assert onto(["WWACDWW", "WWAgCDWhW", "WW---WW"], [2, 3, 4]) == ["ACD", "AgCD"]


def test_insertions_come_before_the_residue_that_they_precede():
    assert onto(["AgCD"], [0, -1, 1, 2]) == ["A-gCD"]


@given(
    st.lists(st.text("ACDEFG-", min_size=12, max_size=12), min_size=1, max_size=8),
    st.lists(st.booleans(), min_size=12, max_size=12),
    st.lists(st.booleans(), min_size=12, max_size=12),
)
def test_columns_keep_their_residues_and_no_letter_between_them_is_lost(texts, held, missing):
    columns = [
        c for column, keep in enumerate(held) for c in ([-1] if missing[column] else []) + ([column] if keep else [])
    ]
    mapped = [column for column in columns if column >= 0]
    if not mapped:
        return
    inside = slice(mapped[0], mapped[-1] + 1)
    expected = [text for text in texts if set("".join(text[column] for column in mapped)) != {"-"}]
    found = onto(texts, columns)
    assert len(found) == len(expected)
    for text, row in zip(expected, found, strict=True):
        aligned = row.translate(INSERTION)
        assert aligned == "".join("-" if column < 0 else text[column] for column in columns)
        assert row.replace("-", "").upper() == text[inside].replace("-", "")


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

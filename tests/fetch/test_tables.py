"""Sequences, record by record."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foldgraft.errors import FoldgraftError
from foldgraft.fetch.tables import Unlike, clean_sequence, merged, subsample
from foldgraft.residues import TELLING


def test_rare_letters_stay_and_j_becomes_x():
    assert clean_sequence("mkUZBOXj*", "here") == "MKUZBOXX"


PEPTIDES = ("GATCNGATNC", "GACT", "GCNTA", "ALAALAALAALA")


@pytest.mark.parametrize("peptide", PEPTIDES)
def test_a_peptide_whose_letters_are_also_bases_or_codes_passes(peptide):
    unlike = Unlike()
    assert clean_sequence(peptide, "here") == peptide and unlike.reason(peptide, "here") == ""
    unlike.check("records")


@pytest.mark.parametrize(("text", "word"), [("GATC" * 9, "DNA"), ("MetLysValAla" * 3, "three-letter codes")])
def test_one_long_sequence_of_bases_or_codes_is_turned_away_and_many_are_refused(text, word):
    unlike, wrong = Unlike(), clean_sequence(text, "here")
    assert len(wrong) >= TELLING and word in unlike.reason(wrong, "one")
    assert unlike.reason("MKTAYIAKQRQISFVKSHFSRQ", "two") == ""
    unlike.check("records")
    unlike.reason(wrong, "three")
    with pytest.raises(FoldgraftError, match=rf"^one: .*{word}.*\nthree: .*{word}"):
        unlike.check("records")


def test_many_short_pieces_of_dna_are_refused_together():
    unlike = Unlike()
    assert not any(unlike.reason("GATTACAGATTACAGATTAC", f"row {number}") for number in range(9))
    with pytest.raises(FoldgraftError, match=r"row 0: .*DNA(.*\n){5}\.\.\. and 4 more rows"):
        unlike.check("rows")


def test_records_are_merged_by_id():
    assert list(merged([("a", "MKV"), ("b", "MKV"), ("a", "MKV")])) == [("a", "MKV"), ("b", "MKV")]
    with pytest.raises(FoldgraftError, match="'a' stands for two"):
        list(merged([("a", "MKV"), ("a", "MKL")]))


@given(count=st.integers(0, 50), limit=st.integers(1, 60), seed=st.integers(0, 5))
def test_a_subsample_keeps_order_and_grows_by_addition(count, limit, seed):
    items = [(f"p{k}", k) for k in range(count)]
    few = subsample(items, limit, seed)
    assert len(few) == min(limit, count)
    assert few == sorted(few, key=lambda item: item[1])
    assert set(few) <= set(subsample(items, limit + 1, seed))


def test_the_seed_decides_the_subsample():
    items = [(f"p{k}",) for k in range(100)]
    assert subsample(items, 10, 1) == subsample(items, 10, 1) != subsample(items, 10, 2)

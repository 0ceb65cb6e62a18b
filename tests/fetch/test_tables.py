"""Sequences, record by record."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foldgraft.errors import FoldgraftError
from foldgraft.fetch.tables import letters, merged, subsample


def test_rare_letters_stay_and_j_becomes_x():
    assert letters("mkUZBOXj*", "here") == "MKUZBOXX"


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

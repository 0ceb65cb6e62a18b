"""Folds of whole components: balance, published folds, determinism, and sets too small to split."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foldgraft.cluster.folds import assign, split
from foldgraft.cluster.settings import ClusterSettings
from foldgraft.errors import FoldgraftError


def proteins(sizes, name="labels", folds=None):
    """A set with components of these sizes, each protein with a sequence of its own; and its clusters."""
    rows = [(f"{name}-{c}-{k}", c) for c, size in enumerate(sizes) for k in range(size)]
    table = pd.DataFrame(rows, columns=["id", "component"])
    table["sequence_sha256"] = table.id
    clusters = table[["sequence_sha256"]].assign(cluster=table.component)
    fold = pd.Series(folds if folds is not None else [None] * len(table), dtype="Int64")
    return table.drop(columns="component").assign(set=name, sequence="A", fold=fold), clusters


def run(table, clusters, **settings):
    return split(table, clusters, ClusterSettings(**settings))


@given(st.lists(st.integers(1, 30), min_size=3, max_size=40), st.integers(3, 8), st.integers(0, 3))
def test_components_stay_whole_and_no_role_stays_empty(sizes, folds, seed):
    found = run(*proteins(sizes), folds=folds, seed=seed)
    assert (found.groupby("cluster").fold.nunique() == 1).all()
    assert set(found.split) == {"train", "valid", "test"}
    assert (found.split == found.fold.map({0: "test", 1: "valid"}).fillna("train")).all()
    loads = found.fold.value_counts().reindex(range(folds), fill_value=0)
    assert loads.max() - loads.min() <= max(sizes)


def test_the_largest_component_is_trained_on():
    found = run(*proteins([50, 3, 3, 2]))
    assert set(found.split[found.cluster == 0]) == {"train"}


def test_rows_may_come_in_any_order():
    table, clusters = proteins([7, 5, 5, 5, 3, 2, 2, 1, 1])
    again = run(table.sample(frac=1, random_state=1), clusters.sample(frac=1, random_state=2))
    first = run(table, clusters)
    assert dict(zip(again.id, again.fold, strict=True)) == dict(zip(first.id, first.fold, strict=True))


def test_the_seed_deals_equal_components_differently():
    table, clusters = proteins([1] * 40)
    assert (run(table, clusters, seed=0).fold.values != run(table, clusters, seed=1).fold.values).any()


def test_sets_are_balanced_one_by_one():
    left, clusters = proteins([9, 1, 1, 1, 1, 1, 1, 1], "structures")
    right, more = proteins([1, 9, 1, 1, 1, 1, 1, 1], "labels")
    both = run(pd.concat([left, right]), pd.concat([clusters, more]))
    for name in ("structures", "labels"):
        assert set(both.split[both["set"] == name]) == {"train", "valid", "test"}


def test_published_folds_are_kept_whatever_they_are_called():
    found = run(*proteins([1] * 8, folds=[10, 20, 30, 40, 10, 20, 30, None]), folds=3)
    assert found.fold.tolist()[:7] == [0, 1, 2, 3, 0, 1, 2]
    assert found.fold.iloc[7] == 3  # the emptiest


def test_a_relative_joins_the_published_fold_of_its_component():
    found = run(*proteins([2, 1, 1, 1], folds=[2, None, 0, 1, 0]))
    assert found.fold.tolist() == [2, 2, 0, 1, 0]


def test_published_folds_can_be_set_aside():
    table, clusters = proteins([1] * 20, folds=[0, 1, 2, 2] * 5)
    found = run(table, clusters, use_published_folds=False)
    assert found.fold.value_counts().to_dict() == dict.fromkeys(range(5), 4)


@pytest.mark.parametrize("sizes", [[5], [5, 5]])
def test_fewer_than_three_components_cannot_be_split(sizes):
    with pytest.raises(FoldgraftError, match=r"labels: .* unrelated group.*at least 3"):
        run(*proteins(sizes))


def test_two_published_folds_are_too_few():
    with pytest.raises(FoldgraftError, match="use_published_folds"):
        run(*proteins([1] * 4, folds=[0, 1, 0, 1]))


def test_a_sequence_without_a_cluster_is_named():
    table, clusters = proteins([1, 1, 1])
    with pytest.raises(FoldgraftError, match="labels-2-0"):
        run(table, clusters.iloc[:2])


def test_no_proteins_at_all_give_an_empty_split():
    table, clusters = proteins([1, 1, 1])
    assert run(table.iloc[:0], clusters).empty


def test_greedy_by_hand():
    clusters = pd.Series([0] * 6 + [1] * 5 + [2] * 3 + [3] * 2)
    assert assign(clusters, 3, 0, {}) == {0: 2, 1: 0, 2: 1, 3: 1}
    assert assign(clusters, 3, 0, {3: 2}) == {3: 2, 0: 0, 1: 1, 2: 2}

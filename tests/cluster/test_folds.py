"""The split: published folds, sets that are split together, groups, release dates, and sets too small to split."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as bounds
from hypothesis import strategies as st

from foldgraft.cluster.folds import parties, sentences, split
from foldgraft.cluster.proteins import COLUMNS
from foldgraft.cluster.settings import ClusterSettings
from foldgraft.errors import FoldgraftError


def proteins(sizes, name="labels", folds=None, prefix="", **columns):
    """A set with components of these sizes, each protein with a sequence of its own; and its clusters."""
    rows = [(f"{name}-{c}-{k}", c) for c, size in enumerate(sizes) for k in range(size)]
    table = pd.DataFrame(rows, columns=["id", "component"])
    table["sequence_sha256"] = prefix + table.id
    clusters = table[["sequence_sha256"]].assign(cluster=table.component)
    table = table.drop(columns="component").assign(set=name, sequence="A", published_fold=folds, **columns)
    return table.reindex(columns=list(COLUMNS)).astype(COLUMNS), clusters


def both(*parts):
    return tuple(pd.concat(tables, ignore_index=True) for tables in zip(*parts, strict=True))


def run(tables, **settings):
    return split(*tables, ClusterSettings(**settings)).rows


@bounds(max_examples=30)
@given(st.lists(st.integers(1, 30), min_size=3, max_size=40), st.integers(3, 8), st.integers(0, 3))
def test_components_stay_whole_and_no_role_stays_empty(sizes, folds, seed):
    found = run(proteins(sizes), folds=folds, seed=seed)
    assert (found.groupby("cluster").fold.nunique() == 1).all()
    assert set(found.split) == {"train", "valid", "test"}
    assert (found.split == found.fold.map({0: "test", 1: "valid"}).fillna("train")).all()


def test_rows_may_come_in_any_order():
    table, clusters = proteins([7, 5, 5, 5, 3, 2, 2, 1, 1])
    again = run((table.sample(frac=1, random_state=1), clusters.sample(frac=1, random_state=2)))
    pd.testing.assert_frame_equal(again, run((table, clusters)))


def test_the_number_of_a_component_does_not_matter():
    table, clusters = proteins([3, 2, 2, 1, 1, 1, 1] * 9)
    shifted = clusters.assign(cluster=clusters.cluster.max() - clusters.cluster)
    assert run((table, clusters)).fold.tolist() == run((table, shifted)).fold.tolist()


def test_sets_are_split_together_and_each_is_balanced():
    left = proteins([9, *[1] * 40], "structures")
    right = proteins([1, 9, *[2] * 39], "stability")
    found = run(both(left, right))
    assert (found.groupby("cluster").fold.nunique() == 1).all()
    for name in ("structures", "stability"):
        sizes = found[found["set"] == name].fold.value_counts()
        assert len(sizes) == 5 and sizes.max() - sizes.min() <= 9
    apart = run(both(left, right), together=False)
    alone = run(left)
    assert apart[apart["set"] == "structures"].fold.tolist() == alone.fold.tolist()
    assert (apart.groupby("cluster").fold.nunique() > 1).any()


def test_a_table_with_published_folds_stands_alone():
    tables = both(
        proteins([1] * 9, "structures"), proteins([1] * 9, "other"), proteins([1] * 9, "labels", folds=[0, 1, 2] * 3)
    )
    assert parties(tables[0], ClusterSettings()) == [["structures", "other"], ["labels"]]
    assert parties(tables[0], ClusterSettings(use_published_folds=False)) == [["structures", "labels", "other"]]
    found = run(tables)
    assert found[found["set"] == "labels"].fold.tolist() == [0, 1, 2] * 3
    assert (found[found["set"] != "labels"].groupby("cluster").fold.nunique() == 1).all()


def test_published_folds_are_kept_whatever_they_are_called():
    found = run(proteins([1] * 8, folds=[10, 20, 30, 40, 10, 20, 30, None]), folds=3)
    assert found.fold.tolist()[:7] == [0, 1, 2, 3, 0, 1, 2]


def test_a_relative_joins_the_published_fold_of_its_component():
    found = run(proteins([2, 1, 1, 1], folds=[2, None, 0, 1, 0]))
    assert found.fold.tolist() == [2, 2, 0, 1, 0]


def test_published_folds_can_be_set_aside():
    found = run(proteins([1] * 200, folds=[0, 1, 2, 2] * 50), use_published_folds=False)
    assert found.fold.value_counts().between(38, 42).all() and found.fold.nunique() == 5


def test_published_roles_are_kept():
    roles = ["train", "valid", "test", "train", "test"]
    assert run(proteins([1] * 5, published_role=roles)).split.tolist() == roles


def test_without_a_published_validation_set_components_of_the_training_set_serve():
    found = run(proteins([2] * 40, published_role=["train"] * 60 + ["test"] * 20))
    given = found.published_role
    assert (found.split[given == "test"] == "test").all()
    assert set(found.split[given == "train"]) == {"train", "valid"}
    assert (found.groupby("cluster").split.nunique() == 1).all()


def grouped(**settings):
    """Six groups of ten components of two; the first two groups have a component in common."""
    table, clusters = proteins([2] * 60, group=[f"g{k // 20}" for k in range(120)])
    clusters.loc[20, "cluster"] = clusters.cluster[19]
    return run((table, clusters), split_by="group", folds=3, **settings)


def test_of_one_family_with_a_published_test_set_single_sequences_validate():
    """As of a mutational scan: the test set is kept, and replicates of one sequence are not parted."""
    found = run(proteins([60], published_role=["train"] * 40 + ["test"] * 20))
    assert found.split[found.published_role == "test"].eq("test").all()
    rest = found.split[found.published_role == "train"].value_counts()
    assert set(rest.index) == {"train", "valid"} and 4 <= rest["valid"] <= 16


def test_related_groups_are_joined():
    found = grouped()
    assert (found.groupby("group").fold.nunique() == 1).all() and (found.groupby("cluster").fold.nunique() == 1).all()
    assert found[found.group.isin(["g0", "g1"])].fold.nunique() == 1


def test_related_groups_may_be_parted():
    found = [grouped(related_groups="part", seed=seed) for seed in range(8)]
    assert all((one.groupby("group").fold.nunique() == 1).all() for one in found)
    assert any(one[one.group.isin(["g0", "g1"])].fold.nunique() == 2 for one in found)


def test_later_chains_are_tested_and_those_with_an_earlier_relative_left_out():
    dates = ["2019-05-01", "2021-01-01", "2021-01-01", "2021-02-01", *["2018-01-01"] * 20, None]
    chains = proteins([2, 2, *[1] * 21], "structures", released=dates)
    labelled = proteins([1] * 60, "labels")
    found = split(*both(chains, labelled), ClusterSettings(split_by="released", released="2021-01-01"))
    rows = found.rows[found.rows["set"] == "structures"].set_index("id")
    assert rows.index[rows.split == "test"].tolist() == ["structures-1-0", "structures-1-1"]
    assert [(name, rule, value) for name, rule, value, _ in found.rejects] == [
        ("structures-0-1", "released", "2021-01-01")
    ]
    labels = found.rows[found.rows["set"] == "labels"]
    assert set(labels.split) == {"train", "valid", "test"}
    assert (found.rows.groupby("cluster").fold.nunique() == 1).all()
    assert "1 left out" in next(sentences(found.summary))


def test_a_day_and_release_dates_come_together():
    with pytest.raises(ValueError, match="come together"):
        ClusterSettings(split_by="released")
    with pytest.raises(ValueError, match="come together"):
        ClusterSettings(released="2021-01-01")


@pytest.mark.parametrize("sizes", [[5], [5, 5]])
def test_fewer_than_three_components_cannot_be_split(sizes):
    with pytest.raises(FoldgraftError, match=r"labels: .* unrelated group.*at least 3"):
        run(proteins(sizes))


def test_two_published_folds_are_too_few():
    with pytest.raises(FoldgraftError, match="use_published_folds"):
        run(proteins([1] * 4, folds=[0, 1, 0, 1]))


def test_a_sequence_without_a_cluster_is_named():
    table, clusters = proteins([1, 1, 1])
    with pytest.raises(FoldgraftError, match="labels-2-0"):
        run((table, clusters.iloc[:2]))


def test_no_proteins_at_all_give_an_empty_split():
    table, clusters = proteins([1, 1, 1])
    assert run((table.iloc[:0], clusters)).empty


def test_the_summary_says_what_a_split_is_made_of():
    found = split(*proteins([4, 2, 1, 1], label=[1.0, 1, 0, 0, 1, 0, 1, 0]), ClusterSettings(folds=3))
    summary = found.summary["labels"]
    assert (summary["proteins"], summary["units"], summary["largest_unit"]) == (8, 4, 4)
    assert sum(fold["proteins"] for fold in summary["folds"]) == 8
    (sentence,) = sentences(found.summary)
    assert "8 proteins" in sentence and "4 units, the largest of 4" in sentence


@pytest.mark.parametrize(
    "trial",
    [
        proteins([3], "trial"),
        proteins([1, 1, 2], "trial", published_role="test"),
        proteins([1, 1, 2], "trial", folds=7),
        proteins([1, 1, 2], "trial", folds=[1, 1, 2, 2]),
    ],
    ids=["one family", "all for test", "one fold", "two folds"],
)
@pytest.mark.parametrize("together", [True, False])
def test_a_set_from_which_no_head_learns_may_lack_roles(trial, together):
    tables, settings = both(proteins([1] * 30, prefix="x"), trial), ClusterSettings(together=together)
    with pytest.raises(FoldgraftError, match=r"^trial: "):
        split(*tables, settings)
    found = split(*tables, settings, tried=["trial"]).rows
    assert found.groupby("set").size().to_dict() == {"labels": 30, "trial": len(trial[0])}
    assert set(found.split[found["set"] == "labels"]) == {"train", "valid", "test"}
    with pytest.raises(FoldgraftError, match=r"^labels: "):  # others still may not
        split(*both(proteins([2], prefix="x"), trial), settings, tried=["trial"])

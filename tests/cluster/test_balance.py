"""Dealing units to folds: whole, balanced by label, and stable when proteins are added."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foldgraft.cluster.balance import assign, strata


def deal(counts, folds, seed=0, names=None, allowed=None):
    counts = np.array(counts).reshape(len(counts), -1)
    names = names or [f"unit{k}" for k in range(len(counts))]
    allowed = np.ones((len(counts), folds), dtype=bool) if allowed is None else allowed
    return assign(names, counts, allowed, np.zeros((folds, counts.shape[1])), seed)


def loads(found, counts, folds):
    load = np.zeros((folds, np.array(counts).reshape(len(counts), -1).shape[1]))
    np.add.at(load, found, np.array(counts).reshape(len(counts), -1))
    return load


SIZES = st.lists(st.integers(1, 30), min_size=3, max_size=40)


@settings(max_examples=40)
@given(SIZES, st.integers(3, 8), st.integers(0, 3))
def test_no_role_stays_empty_and_no_single_move_would_balance_better(sizes, folds, seed):
    found = deal(sizes, folds, seed)
    assert {0, 1} <= set(found) and set(found) - {0, 1}
    load = loads(found, sizes, folds)[:, 0]
    assert load.max() - load.min() <= max(*sizes, 2 + 2 * 0.02 * sum(sizes) / folds)


@settings(max_examples=40)
@given(st.data(), SIZES)
def test_a_unit_stays_where_it_is_allowed(data, sizes):
    allowed = np.array([data.draw(st.lists(st.booleans(), min_size=4, max_size=4)) for _ in sizes])
    allowed[~allowed.any(axis=1), 2] = True
    assert allowed[np.arange(len(sizes)), deal(sizes, 4, allowed=allowed)].all()


@pytest.mark.parametrize("folds", [3, 5, 10])
def test_the_largest_unit_is_trained_on(folds):
    assert deal([50, 3, 3, 2], folds)[0] not in (0, 1)


def families(rng, count):
    """Units whose sizes are as uneven as those of real families, and whose members mostly have one label."""
    sizes = rng.zipf(2.0, count).clip(max=150)
    positive = rng.binomial(sizes, rng.beta(1.2, 0.6, count))
    return np.stack([sizes - positive, positive], axis=1)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_labels_are_balanced_within_two_points_and_sizes_within_two_percent(seed):
    counts = families(np.random.default_rng(seed), 1500)
    load = loads(deal(counts, 5, seed), counts, 5)
    share = load[:, 1] / load.sum(axis=1)
    assert np.abs(share - counts[:, 1].sum() / counts.sum()).max() <= 0.02
    assert np.abs(load.sum(axis=1) / (counts.sum() / 5) - 1).max() <= 0.02


def test_a_protein_more_moves_its_own_unit_and_next_to_no_other():
    moved = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        counts = families(rng, 1500)
        names = [f"{rng.integers(1 << 60):015x}" for _ in counts]
        before = deal(counts, 5, names=names)
        for number in range(0, 1400, 140):
            grown, renamed, others = counts.copy(), [*names], np.arange(len(names)) != number
            grown[number, number // 140 % 2] += 1
            moved.append((deal(grown, 5, names=names) != before)[others].mean())
            renamed[number] = f"{number:015x}"  # the new protein has the smallest hash of its unit
            moved.append((deal(grown, 5, names=renamed) != before)[others].mean())
            moved.append((deal([*counts, (0, 1)], 5, names=[*names, f"new{number}"])[:-1] != before).mean())
    assert np.mean(moved) < 0.005 and np.max(moved) < 0.03


def test_neither_the_order_of_units_nor_anything_but_their_names_matters():
    counts = families(np.random.default_rng(3), 200)
    names = [f"n{k * 37 % 200}" for k in range(200)]
    order = np.random.default_rng(4).permutation(200)
    first, again = deal(counts, 5, names=names), deal(counts[order], 5, names=[names[k] for k in order])
    assert (first[order] == again).all()
    assert (first != deal(counts, 5, seed=1, names=names)).any()


def test_strata_are_classes_or_quartiles():
    assert strata(pd.Series([1.0, 0.0, np.nan, 1.0])).tolist() == [1, 0, -1, 1]
    values = strata(pd.Series(np.random.default_rng(0).normal(size=400)))
    assert values.value_counts().to_dict() == dict.fromkeys(range(4), 100)
    assert set(strata(pd.Series([0.0] * 50 + list(np.linspace(0.1, 1, 50))))) <= set(range(4))

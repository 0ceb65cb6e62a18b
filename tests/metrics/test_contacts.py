"""Contact precision against cases counted by hand and against a plain loop."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foldgraft.metrics.contacts import METRICS, RANGES, contact_ceiling, contact_precision, precision_at, top_pairs
from foldgraft.records.pairs import pack


def test_ranges_are_those_of_casp():
    assert RANGES == {"short": (6, 11), "medium": (12, 23), "long": (24, None), "all": (6, None)}


def hand_made() -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Length 10: ten pairs have a separation of 6 or more; L = 10, L/2 = 5, L/5 = 2."""
    scores, contacts = np.zeros((10, 10)), np.zeros((10, 10), dtype=bool)
    ranked = [(0, 6), (1, 7), (2, 8), (3, 9), (0, 7), (1, 8), (2, 9), (0, 8), (1, 9), (0, 9)]
    for rank, pair in enumerate(ranked):
        scores[pair] = 1 - rank / 10
    for pair in [(0, 6), (2, 8), (1, 8), (0, 9), (4, 5)]:  # (4, 5) is too near to count
        contacts[pair] = True
    scores[4, 5] = 5
    return pack(scores), pack(contacts), np.ones(45, dtype=bool), 10


def test_counted_by_hand():
    found = contact_precision(*hand_made())
    assert found["P@L/5 all"] == 1 / 2
    assert found["P@L/2 all"] == 2 / 5
    assert found["P@L all"] == 4 / 10
    assert found["P@L/5 short"] == 1 / 2
    assert all(np.isnan(found[name]) for name in found if name.endswith(("medium", "long")))
    assert list(found) == METRICS


def test_unresolved_pairs_are_out_of_ranking_and_truth():
    scores, contacts, mask, length = hand_made()
    i, _ = np.triu_indices(length, k=1)
    mask = mask & (i != 0)  # the first residue is unresolved: six pairs with separation >= 6 remain
    found = contact_precision(scores, contacts, mask, length)
    assert found["P@L/5 all"] == 1 / 2  # (1, 7) no, (2, 8) yes
    assert found["P@L all"] == 2 / 6


def test_the_number_of_pairs_is_not_capped_by_the_number_of_contacts():
    scores, contacts, mask, length = hand_made()
    one = np.zeros_like(contacts)
    one[np.argmax(np.where(np.diff(np.triu_indices(length, k=1), axis=0)[0] >= 6, scores, 0))] = True
    assert contact_precision(scores, one, mask, length)["P@L all"] == 1 / 10


def test_equal_scores_give_the_expectation_over_their_order():
    values, truth = np.array([3.0, 2.0, 2.0, 2.0, 1.0]), np.array([True, False, True, False, True])
    for count in range(1, 6):
        orders = [list(truth[:1]) + list(order) + list(truth[4:]) for order in itertools.permutations(truth[1:4])]
        assert precision_at(values, truth, count) == pytest.approx(np.mean([np.mean(o[:count]) for o in orders]))


@given(st.integers(7, 60), st.integers(0, 2**32 - 1))
def test_agrees_with_a_plain_loop(length, seed):
    rng = np.random.default_rng(seed)
    pairs = list(itertools.combinations(range(length), 2))
    scores, contacts = rng.permutation(len(pairs)).astype(float), rng.random(len(pairs)) < 0.1
    mask = rng.random(len(pairs)) < 0.9
    found = contact_precision(scores, contacts, mask, length)
    for name, (low, high) in RANGES.items():
        kept = [p for p, (i, j) in enumerate(pairs) if low <= j - i <= (high or length) and mask[p]]
        kept.sort(key=lambda p: -scores[p])
        for metric, divisor in (("P@L", 1), ("P@L/2", 2), ("P@L/5", 5)):
            top = kept[: max(1, length // divisor)]
            value = found[f"{metric} {name}"]
            assert np.isnan(value) if not top else value == pytest.approx(np.mean([contacts[p] for p in top]))


def test_a_score_that_is_no_number_ranks_last():
    scores, contacts, mask, length = hand_made()
    scores[np.argmax(scores * (np.diff(np.triu_indices(length, k=1), axis=0)[0] >= 6))] = np.nan  # (0, 6), a contact
    assert contact_precision(scores, contacts, mask, length)["P@L/5 all"] == 1 / 2  # (1, 7) no, (2, 8) yes


@given(st.integers(7, 60), st.integers(0, 2**32 - 1))
def test_the_ceiling_is_what_the_truth_itself_reaches(length, seed):
    rng = np.random.default_rng(seed)
    pairs = length * (length - 1) // 2
    contacts, mask = rng.random(pairs) < 0.03, rng.random(pairs) < 0.9
    ceiling = contact_ceiling(contacts, mask, length)
    best = contact_precision(contacts.astype(float), contacts, mask, length)
    for name, value in ceiling.items():
        assert value == pytest.approx(best[name], nan_ok=True)


def test_a_count_beyond_the_pairs_takes_them_all():
    assert precision_at(np.array([0.3, 0.2]), np.array([True, False]), 7) == 0.5
    assert np.isnan(precision_at(np.zeros(0), np.zeros(0, dtype=bool), 3))


def test_the_top_pairs_are_the_likeliest_that_are_resolved_and_far_apart():
    scores, _, mask, length = hand_made()
    i, j = np.triu_indices(length, k=1)
    best = top_pairs(scores, mask & (i != 1), length, 3)
    assert [(int(i[at]), int(j[at])) for at in best] == [(0, 6), (2, 8), (3, 9)]

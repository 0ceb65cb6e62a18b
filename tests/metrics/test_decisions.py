"""Decisions against scikit-learn; the threshold against all thresholds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from foldgraft.metrics.decisions import best_threshold, decision_rows, decisions
from foldgraft.metrics.sums import total

pytestmark = pytest.mark.filterwarnings("ignore:A single label was found")

pairs_of_bools = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40)


def reference(truth: np.ndarray, called: np.ndarray) -> dict[str, float]:
    """Scikit-learn's values where it gives one without a warning, or where both of us say 0."""
    found = {"mcc": sk.matthews_corrcoef(truth, called), "accuracy": sk.accuracy_score(truth, called)}
    if truth.any():
        found["f1"] = sk.f1_score(truth, called, zero_division=0)
        found["precision"] = sk.precision_score(truth, called, zero_division=0)
        found["recall"] = sk.recall_score(truth, called)
    if truth.any() and not truth.all():
        found["balanced_accuracy"] = sk.balanced_accuracy_score(truth, called)
    return found


@given(pairs_of_bools, st.integers(0, 2**32 - 1))
def test_agrees_with_scikit_learn_on_repeated_rows(pairs, seed):
    truth, called = np.array(pairs).T
    weights = np.random.default_rng(seed).integers(0, 4, size=(3, len(truth)))
    found = decisions(total(decision_rows(truth, called), weights.astype(float)))
    for row, weight in enumerate(weights):
        if not weight.any():
            continue
        expected = reference(np.repeat(truth, weight), np.repeat(called, weight))
        for name, value in expected.items():
            assert found[name][row] == pytest.approx(value, abs=1e-12), name
        assert all(np.isnan(found[name][row]) for name in set(found) - set(expected))


def test_nothing_called_positive_gives_zero_and_a_single_class_no_mcc_but_zero():
    found = decisions(total(decision_rows([False, True, True], [False, False, False])))
    assert [found[name].item() for name in ("precision", "f1", "mcc", "recall")] == [0, 0, 0, 0]
    one = decisions(total(decision_rows([True, True], [True, False])))
    assert one["mcc"].item() == 0
    assert np.isnan(one["balanced_accuracy"].item())


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9)), min_size=2, max_size=40))
def test_the_best_threshold_is_the_best_of_all(pairs):
    truth = np.array([positive for positive, _ in pairs])
    score = np.array([value / 9 for _, value in pairs])
    cut = best_threshold(truth, score)
    if truth.all() or not truth.any() or len(np.unique(score)) == 1:
        assert np.isnan(cut)
        return
    best = max(sk.matthews_corrcoef(truth, score >= value) for value in np.unique(score)[1:])
    assert sk.matthews_corrcoef(truth, score >= cut) == pytest.approx(best)


def test_equally_good_thresholds_yield_the_one_nearest_the_middle():
    truth = np.array([False, True, False, True])
    assert best_threshold(truth, np.array([0.1, 0.2, 0.7, 0.9])) == pytest.approx(0.8)
    assert best_threshold(truth, np.array([0.1, 0.6, 0.7, 0.95])) == pytest.approx(0.35)


def test_scores_without_a_number_between_them_are_still_separated():
    low = 0.5
    high = np.nextafter(low, 1.0)
    cut = best_threshold(np.array([False, True]), np.array([low, high]))
    assert low < cut <= high

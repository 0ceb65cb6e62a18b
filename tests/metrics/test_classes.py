"""Metrics of several classes against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from foldgraft.metrics.classes import agreement, confusion_rows, cross_entropy
from foldgraft.metrics.sums import by_group, total

pytestmark = pytest.mark.filterwarnings("ignore:A single label was found")

classes = st.integers(0, 3)


@given(st.lists(st.tuples(classes, classes), min_size=1, max_size=40), st.integers(0, 2**32 - 1))
def test_agrees_with_scikit_learn_on_repeated_rows(pairs, seed):
    truth, called = np.array(pairs).T
    weights = np.random.default_rng(seed).integers(0, 3, size=(3, len(truth)))
    found = agreement(total(confusion_rows(truth, called, 4), weights.astype(float)))
    for row, weight in enumerate(weights):
        y, c = np.repeat(truth, weight), np.repeat(called, weight)
        if not len(y):
            assert all(np.isnan(values[row]) for values in found.values())
            continue
        assert found["accuracy"][row] == pytest.approx(sk.accuracy_score(y, c))
        assert found["macro_f1"][row] == pytest.approx(sk.f1_score(y, c, average="macro", zero_division=0))
        assert found["mcc"][row] == pytest.approx(sk.matthews_corrcoef(y, c), abs=1e-12)


def test_the_mcc_of_one_predicted_class_is_zero():
    found = agreement(total(confusion_rows(np.array([0, 1, 2]), np.array([1, 1, 1]), 3)))
    assert found["mcc"].item() == 0


@given(st.lists(st.tuples(classes, classes, st.integers(0, 2)), min_size=1, max_size=40))
def test_confusions_by_group_are_those_of_the_rows_added_up(rows):
    truth, called, group = np.array(rows).T
    single = confusion_rows(truth, called, 4)
    assert np.array_equal(confusion_rows(truth, called, 4, group, 3), by_group(single, group, 3))


def test_cross_entropy_is_the_log_loss():
    rng = np.random.default_rng(0)
    probabilities, truth = rng.dirichlet(np.ones(5), 200), rng.integers(0, 5, 200)
    assert cross_entropy(truth, probabilities).mean() == pytest.approx(
        sk.log_loss(truth, probabilities, labels=range(5))
    )
    sure = cross_entropy(np.array([0]), np.array([[0.0, 1.0]]))
    assert np.isfinite(sure).all()

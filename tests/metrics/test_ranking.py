"""Ranking metrics against scikit-learn and scipy, on plain and on weighted rows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata, spearmanr
from sklearn.metrics import average_precision_score, roc_auc_score

from foldgraft.metrics.ranking import areas, mean_ranks, roc_auc, spearman

few_values = st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=2, max_size=40)


def split(pairs: list[tuple[bool, int]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([positive for positive, _ in pairs]), np.array([value / 6 for _, value in pairs])


@given(few_values, st.integers(0, 2**32 - 1))
def test_areas_agree_with_scikit_learn_on_ties_and_on_repeated_rows(pairs, seed):
    truth, score = split(pairs)
    weights = np.random.default_rng(seed).integers(0, 4, size=(3, len(truth)))
    roc, pr = areas(truth, score, weights.astype(float)).values()
    assert np.array_equal(roc, roc_auc(truth, score, weights.astype(float)), equal_nan=True)
    for row, weight in enumerate(weights):
        y, s = np.repeat(truth, weight), np.repeat(score, weight)
        if y.any() and not y.all():
            assert roc[row] == pytest.approx(roc_auc_score(y, s), abs=1e-12)
            assert pr[row] == pytest.approx(average_precision_score(y, s), abs=1e-12)
        else:
            assert np.isnan(roc[row])


@given(few_values)
def test_areas_ask_for_the_order_alone(pairs):
    truth, score = split(pairs)
    assert roc_auc(truth, score) == pytest.approx(roc_auc(truth, np.exp(5 * score) - 3), nan_ok=True)
    pr, other = (areas(truth, one)["pr_auc"] for one in (score, np.exp(5 * score) - 3))
    assert pr == pytest.approx(other, nan_ok=True)
    assert roc_auc(truth, -score) == pytest.approx(1 - roc_auc(truth, score), nan_ok=True)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=2, max_size=40), st.integers(0, 2**32 - 1))
def test_spearman_agrees_with_scipy_on_ties_and_on_repeated_rows(pairs, seed):
    x, y = np.array(pairs, dtype=float).T
    weights = np.random.default_rng(seed).integers(0, 4, size=(3, len(x)))
    found = spearman(x, y, weights.astype(float))
    for row, weight in enumerate(weights):
        a, b = np.repeat(x, weight), np.repeat(y, weight)
        if len(np.unique(a)) > 1 and len(np.unique(b)) > 1:
            assert found[row] == pytest.approx(spearmanr(a, b).statistic, abs=1e-9)
        else:
            assert np.isnan(found[row])


def test_ranks_are_those_of_scipy():
    values = np.array([0.3, 0.1, 0.3, 0.9, 0.1, 0.3])
    assert mean_ranks(values)[0].tolist() == rankdata(values).tolist()


def test_a_single_class_and_no_rows_are_undefined_not_errors():
    score = np.linspace(0.1, 0.9, 6)
    assert np.isnan(roc_auc(np.ones(6), score)).all()
    assert areas(np.ones(6), score)["pr_auc"].tolist() == [1.0]  # as scikit-learn
    assert np.isnan(areas(np.zeros(6), score)["pr_auc"]).all()
    nothing = np.zeros(0)
    assert np.isnan(list(areas(nothing, nothing).values())).all()

"""Regression metrics against scikit-learn and scipy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import pearsonr
from sklearn import metrics as sk

from foldgraft.metrics.regression import regression, regression_rows
from foldgraft.metrics.sums import total


@given(st.integers(3, 40), st.floats(-1e6, 1e6), st.integers(0, 2**32 - 1))
def test_agrees_with_scikit_learn_far_from_zero_and_on_repeated_rows(n, shift, seed):
    rng = np.random.default_rng(seed)
    truth = shift + rng.normal(size=n)
    predicted = truth + rng.normal(size=n)
    weights = rng.integers(0, 4, size=(3, n))
    found = regression(total(regression_rows(truth, predicted), weights.astype(float)))
    for row, weight in enumerate(weights):
        y, p = np.repeat(truth, weight), np.repeat(predicted, weight)
        if len(np.unique(y)) < 2:
            continue
        assert found["r2"][row] == pytest.approx(sk.r2_score(y, p), rel=1e-6)
        assert found["pearson"][row] == pytest.approx(pearsonr(y, p).statistic, abs=1e-6)
        assert found["rmse"][row] == pytest.approx(sk.root_mean_squared_error(y, p))
        assert found["mae"][row] == pytest.approx(sk.mean_absolute_error(y, p))


def test_a_constant_truth_or_prediction_has_no_correlation():
    values = np.array([0.1, 0.7, 0.3])
    constant = np.full(3, 0.1)
    found = regression(total(regression_rows(constant, values)))
    assert np.isnan(found["r2"].item())
    assert np.isnan(found["pearson"].item())
    found = regression(total(regression_rows(values, np.full(3, values.mean()))))
    assert found["r2"].item() == pytest.approx(0, abs=1e-12)
    assert np.isnan(found["pearson"].item())


def test_no_rows_give_no_number():
    assert all(np.isnan(value).all() for value in regression(total(regression_rows(np.zeros(0), np.zeros(0)))).values())

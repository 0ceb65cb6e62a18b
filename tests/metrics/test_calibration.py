"""Calibration against scikit-learn's curve and statsmodels' published Wilson intervals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss

from foldgraft.metrics.calibration import calibration, calibration_rows, reliability, score_bins
from foldgraft.metrics.sums import total


def made_up(bins: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    score = rng.random(400)
    label = (rng.random(400) < score**2).astype(float)
    return label, score, score_bins(score, bins)


def test_error_and_curve_agree_with_scikit_learn():
    label, score, bin = made_up(8)
    fraction, mean = calibration_curve(label, score, n_bins=8, strategy="quantile")
    found = calibration(total(calibration_rows(label, score, bin)))
    assert found["ece"].item() == pytest.approx(np.mean(np.abs(fraction - mean)))  # 50 rows in each bin
    assert found["brier"].item() == pytest.approx(brier_score_loss(label, score))
    points = reliability(label, score, bin)
    assert points["fraction"] == pytest.approx(fraction)
    assert points["score"] == pytest.approx(mean)
    for low, high, k, n in zip(points["ci_low"], points["ci_high"], fraction * 50, points["n"], strict=True):
        assert (low, high) == pytest.approx(binomtest(round(k), int(n)).proportion_ci(method="wilson"), abs=1e-6)


def test_weights_are_repeated_rows():
    label, score, bin = made_up(5)
    weight = np.random.default_rng(0).integers(0, 3, len(label))
    found = calibration(total(calibration_rows(label, score, bin), weight[None].astype(float)))
    repeated = [np.repeat(values, weight) for values in (label, score, bin)]
    for name, value in calibration(total(calibration_rows(*repeated))).items():
        assert found[name] == pytest.approx(value)


def test_a_fraction_predicted_exactly_is_calibrated():
    label = np.random.default_rng(5).uniform(0.3, 0.7, 200)
    bin = score_bins(label, 10)
    exact = calibration(total(calibration_rows(label, label, bin)))
    assert (exact["brier"].item(), exact["ece"].item()) == (0, 0)
    off = calibration(total(calibration_rows(label, label + 0.1, bin)))
    assert (off["brier"].item(), off["ece"].item()) == pytest.approx((0.01, 0.1))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60), st.integers(2, 12))
def test_bins_follow_the_score_and_leave_none_empty(score, bins):
    score = np.array(score)
    found = score_bins(score, bins)
    assert set(found) == set(range(found.max() + 1))
    assert found.max() < bins
    assert np.all(np.diff(found[np.argsort(score, kind="stable")]) >= 0)

"""Solubility metrics against scikit-learn and scipy, on plain and on weighted (resampled) proteins."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn import metrics as sk
from sklearn.calibration import calibration_curve

from foldgraft.evaluate import classification as own


def scored(label: np.ndarray, score: np.ndarray, cut: float = 0.5, bins: int = 10) -> own.Scored:
    return own.Scored(label, score, score >= cut, own.score_bins(score, bins))


def reference(label: np.ndarray, score: np.ndarray, cut: float) -> dict[str, float]:
    truth, called = label >= 0.5, score >= cut
    return {
        "roc_auc": sk.roc_auc_score(truth, score),
        "pr_auc": sk.average_precision_score(truth, score),
        "mcc": sk.matthews_corrcoef(truth, called),
        "balanced_accuracy": sk.balanced_accuracy_score(truth, called),
        "f1": sk.f1_score(truth, called, zero_division=0),
        "precision": sk.precision_score(truth, called, zero_division=0),
        "recall": sk.recall_score(truth, called),
        "accuracy": sk.accuracy_score(truth, called),
        "brier": sk.brier_score_loss(truth, score),
    }


@pytest.fixture
def example() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    label = (rng.random(300) < 0.35).astype(float)
    score = np.round(np.clip(0.3 * label + rng.normal(0.4, 0.2, 300), 0, 1), 2)  # two digits: many ties
    return label, score


@pytest.mark.parametrize("cut", [0.3, 0.5, 0.99])
def test_plain_metrics_agree_with_scikit_learn(example, cut):
    label, score = example
    found = own.solubility_metrics(scored(label, score, cut), np.ones((1, len(label))))
    for name, value in reference(label, score, cut).items():
        assert found[name][0] == pytest.approx(value, abs=1e-12), name


def test_weights_are_repeated_proteins(example):
    label, score = example
    weights = np.random.default_rng(0).integers(0, 4, size=(5, len(label))).astype(float)
    found = own.solubility_metrics(scored(label, score, 0.45), weights)
    for row, weight in enumerate(weights.astype(int)):
        repeated = reference(np.repeat(label, weight), np.repeat(score, weight), 0.45)
        for name, value in repeated.items():
            assert found[name][row] == pytest.approx(value, abs=1e-12), name


def test_calibration_error_agrees_with_the_curve_of_scikit_learn():
    rng = np.random.default_rng(1)
    score = rng.random(400)
    label = (rng.random(400) < score**2).astype(float)
    fraction, mean = calibration_curve(label, score, n_bins=8, strategy="quantile")
    found = own.calibration_error(scored(label, score, bins=8), np.ones((1, 400)))[0]
    assert found == pytest.approx(np.mean(np.abs(fraction - mean)), abs=1e-12)  # 50 proteins in each bin


def test_fractions_add_spearman_and_r_squared():
    rng = np.random.default_rng(2)
    label = np.round(rng.random(120), 1)
    score = np.round(np.clip(label + rng.normal(0, 0.2, 120), 0, 1), 1)
    weights = rng.integers(0, 3, size=(3, 120)).astype(float)
    found = own.solubility_metrics(scored(label, score), weights)
    for row, weight in enumerate(weights.astype(int)):
        y, s = np.repeat(label, weight), np.repeat(score, weight)
        assert found["spearman"][row] == pytest.approx(spearmanr(y, s).statistic, abs=1e-12)
        assert found["r2"][row] == pytest.approx(sk.r2_score(y, s), abs=1e-12)
    assert "spearman" not in own.solubility_metrics(scored(label.round(), score), weights)


def test_a_fraction_predicted_exactly_is_calibrated():
    label = np.random.default_rng(5).uniform(0.3, 0.7, 200)
    found = own.solubility_metrics(scored(label, label), np.ones((1, 200)))
    assert found["brier"][0] == found["ece"][0] == 0
    off = own.solubility_metrics(scored(label, label + 0.1), np.ones((1, 200)))
    assert (off["brier"][0], off["ece"][0]) == pytest.approx((0.01, 0.1))


@pytest.mark.parametrize("truth", [0.0, 1.0])
def test_a_single_class_is_undefined_not_an_error(truth):
    label, score = np.full(6, truth), np.linspace(0.1, 0.9, 6)
    found = own.solubility_metrics(scored(label, score), np.ones((1, 6)))
    assert np.isnan(found["roc_auc"][0])
    assert np.isnan(found["balanced_accuracy"][0])
    assert found["mcc"][0] == 0
    assert np.isnan(found["pr_auc"][0]) == (truth == 0)
    assert np.isfinite(found["brier"][0])


def test_nothing_called_soluble_gives_zero_not_a_crash():
    label, score = np.array([0.0, 1.0, 1.0]), np.array([0.1, 0.2, 0.3])
    found = own.solubility_metrics(scored(label, score, 0.9), np.ones((1, 3)))
    assert (found["precision"][0], found["f1"][0], found["mcc"][0], found["recall"][0]) == (0, 0, 0, 0)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9)), min_size=2, max_size=40))
def test_the_best_threshold_is_the_best_of_all(pairs):
    truth = np.array([positive for positive, _ in pairs])
    score = np.array([value / 9 for _, value in pairs])
    cut = own.best_threshold(truth, score)
    if truth.all() or not truth.any() or len(np.unique(score)) == 1:
        assert np.isnan(cut)
        return
    best = max(sk.matthews_corrcoef(truth, score >= value) for value in np.unique(score)[1:])
    assert sk.matthews_corrcoef(truth, score >= cut) == pytest.approx(best)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60), st.integers(2, 12))
def test_bins_follow_the_score_and_leave_none_empty(score, bins):
    score = np.array(score)
    found = own.score_bins(score, bins)
    assert set(found) == set(range(found.max() + 1))
    assert found.max() < bins
    assert np.all(np.diff(found[np.argsort(score, kind="stable")]) >= 0)

"""All metrics of binary labels and of fractions together."""

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import r2_score

from foldgraft.evaluate import classification as own
from foldgraft.metrics.calibration import score_bins


def scored(label: np.ndarray, score: np.ndarray, cut: float = 0.5, bins: int = 10) -> own.Scored:
    return own.Scored(label, score, score >= cut, score_bins(score, bins))


def test_fractions_add_spearman_and_r_squared():
    rng = np.random.default_rng(2)
    label = np.round(rng.random(120), 1)
    score = np.round(np.clip(label + rng.normal(0, 0.2, 120), 0, 1), 1)
    weights = rng.integers(0, 3, size=(3, 120)).astype(float)
    found = own.solubility_metrics(scored(label, score), weights)
    for row, weight in enumerate(weights.astype(int)):
        y, s = np.repeat(label, weight), np.repeat(score, weight)
        assert found["spearman"][row] == pytest.approx(spearmanr(y, s).statistic, abs=1e-12)
        assert found["r2"][row] == pytest.approx(r2_score(y, s), abs=1e-12)
    assert "spearman" not in own.solubility_metrics(scored(label.round(), score), weights)


@pytest.mark.parametrize("truth", [0.0, 1.0])
def test_a_single_class_is_undefined_not_an_error(truth):
    label, score = np.full(6, truth), np.linspace(0.1, 0.9, 6)
    found = own.solubility_metrics(scored(label, score), np.ones((1, 6)))
    assert np.isnan(found["roc_auc"][0])
    assert np.isnan(found["balanced_accuracy"][0])
    assert found["mcc"][0] == 0
    assert np.isnan(found["pr_auc"][0]) == (truth == 0)
    assert np.isfinite(found["brier"][0])

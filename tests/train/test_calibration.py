"""Temperature, shift and threshold against exhaustive search and scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import matthews_corrcoef

from foldgraft.train.calibration import ensemble, fit_scale_shift, fit_temperature, fit_threshold


def sample(n=4000, scale=1.0, shift=0.0):
    """Logits, and labels drawn with the probability sigmoid(scale * logit + shift)."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, n)
    labels = (rng.random(n) < 1 / (1 + np.exp(-(scale * logits + shift)))).astype(float)
    return logits, labels


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_temperature_is_found(temperature):
    logits, labels = sample(scale=1 / temperature)
    assert fit_temperature(logits[None], labels) == pytest.approx(temperature, rel=0.1)


def test_temperature_takes_fractions_and_members():
    logits, _ = sample()
    labels = 1 / (1 + np.exp(-logits / 2))
    assert fit_temperature(np.stack([logits, logits]), labels) == pytest.approx(2, rel=0.02)
    assert fit_temperature(np.empty((1, 0)), np.empty(0)) == 1.0
    assert ensemble(np.array([[0.0], [2.0]]), 2.0) == pytest.approx(1 / (1 + np.exp([[0.0], [-1.0]])))


def test_scale_and_shift_are_those_of_a_logistic_regression():
    logits, labels = sample(scale=0.4, shift=-1.5)
    temperature, shift = fit_scale_shift(logits[None], labels)
    reference = LogisticRegression(C=1e9, tol=1e-9).fit(logits[:, None], labels)
    assert 1 / temperature == pytest.approx(reference.coef_.item(), abs=1e-3)
    assert shift == pytest.approx(reference.intercept_.item(), abs=1e-3)


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_a_single_class_calibrates_nothing(label):
    logits = sample(50)[0][None]
    assert fit_temperature(logits, np.full(50, label)) == 1.0
    assert fit_scale_shift(logits, np.full(50, label)) == (1.0, 0.0)


@pytest.mark.filterwarnings("ignore:A single label")
@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.sampled_from([0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 0.9]), st.booleans()), min_size=1, max_size=25)
)
def test_threshold_is_the_best_there_is(pairs):
    scores, labels = np.array([s for s, _ in pairs]), np.array([float(t) for _, t in pairs])
    threshold = fit_threshold(scores, labels)
    best = max(matthews_corrcoef(labels, scores >= value) for value in np.unique(scores))
    if best > 0:
        assert matthews_corrcoef(labels, scores >= threshold) == pytest.approx(best)
    else:
        assert threshold == 0.5


def test_threshold_lies_between_the_classes():
    assert fit_threshold(np.array([0.1, 0.3, 0.7, 0.8]), np.array([0, 0, 1, 1.0])) == pytest.approx(0.5)
    assert fit_threshold(np.array([0.1, 0.2]), np.array([1.0, 1.0])) == 0.5

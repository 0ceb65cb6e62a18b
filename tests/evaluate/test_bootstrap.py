"""The bootstrap: what its weights are, and how often its intervals hold the truth."""

import numpy as np
import pytest

from foldgraft.evaluate import bootstrap


def test_weights_draw_as_many_groups_as_there_are():
    groups = np.array([7, 7, 9, 4, 4, 4])
    weights = np.concatenate(list(bootstrap.resampled_weights(groups, 50, seed=1)))
    assert weights.shape == (50, 6)
    assert np.all(weights[:, 0] == weights[:, 1])
    assert np.all(weights[:, 3] == weights[:, 5])
    assert np.all(weights[:, 0] + weights[:, 2] + weights[:, 3] == 3)


def test_the_seed_decides_and_batches_do_not(monkeypatch):
    groups = np.arange(40)
    whole = np.concatenate(list(bootstrap.resampled_weights(groups, 30, seed=5)))
    monkeypatch.setattr(bootstrap, "CELLS", 200)
    pieces = list(bootstrap.resampled_weights(groups, 30, seed=5))
    assert len(pieces) == 6
    assert np.array_equal(np.concatenate(pieces), whole)
    assert not np.array_equal(next(bootstrap.resampled_weights(groups, 30, seed=6)), whole[:5])


@pytest.mark.parametrize("grouped", [False, True])
def test_intervals_hold_the_true_mean_about_95_times_in_100(grouped):
    rng, held, trials = np.random.default_rng(0), 0, 200
    groups = np.repeat(np.arange(50), 4) if grouped else np.arange(200)
    for trial in range(trials):
        sample = rng.normal(size=50).repeat(4) if grouped else rng.normal(size=200)
        _, resampled = bootstrap.evaluate(
            lambda weights, x=sample: {"mean": weights @ x / weights.sum(axis=1)}, groups, 300, trial, "mean"
        )
        low, high = bootstrap.interval(resampled["mean"])
        held += low <= 0 <= high
    assert 0.88 <= held / trials <= 0.99


def test_an_interval_of_nothing_is_undefined():
    assert np.isnan(bootstrap.interval(np.array([np.nan, np.nan]))).all()
    assert bootstrap.interval(np.array([np.nan, 1.0])) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("low", "high", "n", "lower_is_better", "said"),
    [
        (0.01, 0.2, 5, False, "better"),
        (-0.2, -0.01, 5, False, "worse"),
        (-0.1, 0.1, 5, False, "no clear difference"),
        (0.01, 0.2, 5, True, "worse"),
        (-0.2, -0.01, 5, True, "better"),
        (np.nan, np.nan, 5, False, "undefined"),
        (0.01, 0.2, 4, False, "too few to tell"),
        (-0.2, -0.01, 1, False, "too few to tell"),
        (np.nan, np.nan, 0, False, "undefined"),
    ],
)
def test_verdicts(low, high, n, lower_is_better, said):
    assert bootstrap.verdict(low, high, n, lower_is_better) == said

"""The bootstrap and the permutation test: what they draw, how often intervals hold the truth and tests err."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control, permutation_test

from foldgraft.evaluate import kinds, resampling
from foldgraft.evaluate.summary import Summary
from foldgraft.metrics.sums import mean_rows


def of_values(values: np.ndarray) -> Summary:
    return kinds.of_means(np.arange(len(values)).astype(str), ["mean"], mean_rows(values[:, None]))


def of_scores(truth: np.ndarray, score: np.ndarray) -> Summary:
    ids = np.arange(len(truth)).astype(str)
    one = kinds.Examples(ids, np.arange(len(truth)), truth[:, None], score[:, None], score >= 0.5)
    return kinds.binary(one, 10, fractional=False)


def test_weights_draw_as_many_groups_as_there_are():
    groups = np.array([7, 7, 9, 4, 4, 4])
    weights = np.concatenate(list(resampling.resampled_weights(groups, 50, seed=1)))
    assert weights.shape == (50, 6)
    assert np.all(weights[:, 0] == weights[:, 1])
    assert np.all(weights[:, 3] == weights[:, 5])
    assert np.all(weights[:, 0] + weights[:, 2] + weights[:, 3] == 3)


@pytest.mark.parametrize("draw", [resampling.resampled_weights, resampling.exchanges])
def test_the_seed_decides_and_batches_do_not(draw):
    groups = np.arange(40)
    whole = np.concatenate(list(draw(groups, 30, 5, 30)))
    pieces = list(draw(groups, 30, 5, 7))
    assert len(pieces) == 5
    assert np.array_equal(np.concatenate(pieces), whole)
    assert not np.array_equal(next(draw(groups, 30, 6, 30)), whole)


@pytest.mark.parametrize("grouped", [False, True])
def test_intervals_hold_the_true_mean_about_95_times_in_100(grouped):
    rng, held, trials = np.random.default_rng(0), 0, 200
    groups = np.repeat(np.arange(50), 4) if grouped else np.arange(200)
    for trial in range(trials):
        sample = rng.normal(size=50).repeat(4) if grouped else rng.normal(size=200)
        _, resampled = resampling.resample(of_values(sample), groups, 300, trial, "mean")
        low, high = resampling.interval(resampled["mean"])
        held += low <= 0 <= high
    assert 0.88 <= held / trials <= 0.99


def test_the_p_value_of_a_mean_is_that_of_scipy():
    rng = np.random.default_rng(3)
    ours, theirs = rng.normal(0.25, 1, 12), rng.normal(0, 1, 12)
    found = resampling.p_values(of_values(ours), of_values(theirs), np.arange(12), 20_000, 0)["mean"]

    def difference(x: np.ndarray, y: np.ndarray, axis: int) -> np.ndarray:
        return (x - y).mean(axis=axis)

    exact = permutation_test((ours, theirs), difference, permutation_type="samples", n_resamples=np.inf).pvalue
    assert found == pytest.approx(exact, abs=0.02)


def test_the_test_errs_as_often_as_it_says_even_if_scores_are_on_different_scales():
    rng, trials = np.random.default_rng(0), 150
    p = []
    for trial in range(trials):
        truth = np.arange(60) % 2.0
        common = truth + rng.normal(0, 1.5, 60)
        ours, theirs = common + rng.normal(0, 1, 60), np.exp(3 * (common + rng.normal(0, 1, 60)))
        p.append(resampling.p_values(of_scores(truth, ours), of_scores(truth, theirs), np.arange(60) // 2, 199, trial))
    areas = np.array([one["roc_auc"] for one in p])
    assert np.mean(areas <= 0.05) <= 0.1
    assert 0.35 < np.mean(areas) < 0.65


def test_a_clear_difference_is_found_and_none_with_oneself():
    rng = np.random.default_rng(1)
    truth = np.arange(80) % 2.0
    good, bad = truth + rng.normal(0, 0.5, 80), rng.normal(0, 1, 80)
    found = resampling.p_values(of_scores(truth, good), of_scores(truth, bad), np.arange(80), 500, 0)
    assert found["roc_auc"] < 0.01
    same = resampling.p_values(of_scores(truth, good), of_scores(truth, good), np.arange(80), 100, 0)
    assert same["roc_auc"] == 1


def test_holm_by_hand():
    assert resampling.holm([0.01, 0.04, np.nan, 0.03]) == pytest.approx([0.03, 0.06, np.nan, 0.06], nan_ok=True)
    assert resampling.holm([0.6, 0.7]).tolist() == [1.0, 1.0]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_lies_between_no_correction_and_bonferroni_and_above_the_false_discovery_rate(p):
    p = np.array(p)
    found = resampling.holm(p)
    assert np.all(found >= p - 1e-12)
    assert np.all(found <= np.minimum(1, p * len(p)) + 1e-12)
    assert np.all(found >= false_discovery_control(p) - 1e-9)


def test_an_interval_of_nothing_is_undefined():
    assert np.isnan(resampling.interval(np.array([np.nan, np.nan]))).all()
    assert resampling.interval(np.array([np.nan, 1.0])) == (1.0, 1.0)


def test_one_cluster_gives_no_interval():
    """Each resample would be the same, and an interval without width looks like certainty."""
    summary = of_values(np.array([0.2, 0.4, 0.9]))
    value, drawn = resampling.resample(summary, np.zeros(3, dtype=int), 50, 0, "x")
    assert value["mean"] == pytest.approx(0.5)
    assert np.isnan(resampling.interval(drawn["mean"])).all()
    _, drawn = resampling.resample(summary, np.array([0, 0, 1]), 50, 0, "x")
    assert len(np.unique(drawn["mean"])) > 1


@pytest.mark.parametrize(
    ("metric", "low", "high", "p", "clusters", "said"),
    [
        ("roc_auc", 0.01, 0.2, 0.01, 6, "better"),
        ("roc_auc", -0.2, -0.01, 0.01, 6, "worse"),
        ("roc_auc", -0.1, 0.1, 0.01, 6, "no clear difference"),
        ("roc_auc", 0.01, 0.2, 0.06, 6, "no clear difference"),
        ("roc_auc", 0.01, 0.2, np.nan, 6, "better"),
        ("brier", 0.01, 0.2, 0.01, 6, "worse"),
        ("mae phi", -0.2, -0.01, 0.01, 6, "better"),
        ("roc_auc", np.nan, np.nan, np.nan, 6, "undefined"),
        ("roc_auc", 0.01, 0.2, 0.01, 5, "too few to tell"),
        ("roc_auc", np.nan, np.nan, np.nan, 1, "too few to tell"),
    ],
)
def test_verdicts(metric, low, high, p, clusters, said):
    assert resampling.verdict(metric, low, high, p, clusters) == said

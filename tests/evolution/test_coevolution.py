"""Scores by each method, on pairs that were planted, and the correction by hand."""

import numpy as np
import pytest
from sklearn.metrics import mutual_info_score

from foldgraft.evolution import mutual_information
from foldgraft.evolution.a3m import GAP
from foldgraft.evolution.coevolution import corrected, scores, shared
from foldgraft.evolution.settings import CoevolutionSettings, MeanField, MutualInformation, Pseudolikelihood
from foldgraft.evolution.weights import weights

METHODS = [Pseudolikelihood(), MeanField(name="mean_field"), MutualInformation(name="mutual_information")]


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_planted_pairs_come_first(method):
    rng = np.random.default_rng(4)
    codes = rng.integers(0, 20, (400, 15)).astype(np.uint8)
    pairs = [(0, 9), (2, 13), (4, 7)]
    for i, j in pairs:
        codes[:, j] = (codes[:, i] + 5) % 20
    found = scores(codes, weights(codes), method)
    i, j = np.triu_indices(15, 1)
    top = np.argsort(-found[i, j])[:3]
    assert sorted(zip(i[top].tolist(), j[top].tolist(), strict=True)) == pairs


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_columns_that_only_the_query_fills_score_zero(random_codes, method):
    codes = random_codes(50, 10)
    codes[0] = np.arange(10)
    codes[1:, 6:] = GAP
    found = scores(codes, weights(codes), method)
    assert (found[6:] == 0).all() and (found[:, 6:] == 0).all()
    np.testing.assert_allclose(found[:6, :6], scores(codes[:, :6], weights(codes), method))


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_an_alignment_of_one_says_nothing(method):
    assert (scores(np.zeros((1, 8), np.uint8), np.ones(1), method) == 0).all()
    assert (scores(np.full((3, 8), GAP, np.uint8), np.ones(3), method) == 0).all()


def test_indirect_pairs_fall_behind_direct_ones_by_couplings_alone():
    rng = np.random.default_rng(2)
    codes = rng.integers(0, 4, (1500, 6)).astype(np.uint8)
    for j in (1, 2):  # a chain 0 - 1 - 2: 0 and 2 change together only through 1
        copied = rng.random(1500) < 0.8
        codes[copied, j] = codes[copied, j - 1]
    found = scores(codes, np.ones(1500), Pseudolikelihood())
    assert found[0, 2] < 0.2 * min(found[0, 1], found[1, 2])
    mutual = mutual_information.strengths(codes, np.ones(1500))
    assert mutual[0, 2] > 0.3 * mutual[0, 1]


def test_mutual_information_agrees_with_scikit_learn(random_codes, monkeypatch):
    monkeypatch.setattr(mutual_information, "BLOCK", 3)
    codes = random_codes(80, 7)
    found = mutual_information.strengths(codes, np.full(80, 0.5))
    for i in range(7):
        for j in range(i):
            both = (codes[:, i] != GAP) & (codes[:, j] != GAP)
            assert found[i, j] == pytest.approx(mutual_info_score(codes[both, i], codes[both, j]), abs=1e-6)


def test_settings_of_another_method_are_no_settings():
    with pytest.raises(ValueError, match="pseudocount"):
        CoevolutionSettings.model_validate({"method": {"name": "pseudolikelihood", "pseudocount": 0.5}})
    assert CoevolutionSettings.model_validate({"method": {"name": "mean_field"}}).method.pseudocount == 0.7


def test_the_correction_by_hand():
    strength = np.array([[0, 1, 2], [1, 0, 3], [2, 3, 0]], dtype=float)
    mean = np.array([1.5, 2.0, 2.5])
    expected = strength - np.outer(mean, mean) / 2.0
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(corrected(strength), expected)
    assert (corrected(np.zeros((3, 3))) == 0).all()


def test_a_pair_counts_by_the_sequences_that_have_both():
    codes = np.array([[1, 2, 3], [4, GAP, 5], [GAP, GAP, 6]], np.uint8)
    expected = np.array([[0.75, 0.5, 0.75], [0.5, 0.5, 0.5], [0.75, 0.5, 1.0]])  # weights 2, 1 and 1
    np.testing.assert_allclose(shared(codes, np.array([2.0, 1.0, 1.0])), expected)


def test_of_two_pairs_alike_the_one_with_fewer_gaps_comes_first():
    rng = np.random.default_rng(6)
    codes = rng.integers(0, 20, (600, 12)).astype(np.uint8)
    codes[:, 9] = (codes[:, 1] + 3) % 20
    codes[:, 10] = (codes[:, 2] + 3) % 20
    codes[rng.random(600) < 0.5, 2] = GAP
    found = scores(codes, np.ones(600), Pseudolikelihood())
    assert found[1, 9] > 1.5 * found[2, 10] > 0

"""Sequence weights against counting by hand."""

import numpy as np
import pytest

from foldgraft.evolution import weights as module
from foldgraft.evolution.a3m import GAP
from foldgraft.evolution.weights import weights


def brute_force(codes, identity):
    counts = []
    for a in codes:
        near = 0
        for b in codes:
            same = sum(x == y != GAP for x, y in zip(a, b, strict=True))
            near += same >= identity * max((a != GAP).sum(), (b != GAP).sum()) - 1e-9
        counts.append(1 / near)
    return counts


@pytest.mark.parametrize("identity", [0.5, 0.8, 1.0])
def test_agrees_with_counting(random_codes, identity, monkeypatch):
    monkeypatch.setattr(module, "BLOCK", 7)
    codes = random_codes(40, 25, seed=1)
    np.testing.assert_allclose(weights(codes, identity), brute_force(codes, identity))


def test_identical_sequences_share_one_vote():
    codes = np.array([[0, 1, 2, 3, 4]] * 3 + [[9, 8, 7, 6, 5]], dtype=np.uint8)
    np.testing.assert_allclose(weights(codes), [1 / 3, 1 / 3, 1 / 3, 1])


def test_the_threshold_itself_is_within():
    codes = np.array([[0, 1, 2, 3, 4], [0, 1, 2, 3, 9]], dtype=np.uint8)
    np.testing.assert_allclose(weights(codes, 0.8), [0.5, 0.5])
    np.testing.assert_allclose(weights(codes, 0.81), [1, 1])


def test_a_fragment_is_no_copy_of_the_whole():
    codes = np.array([[0, 1, 2, 3, 4], [0, 1, GAP, GAP, GAP], [GAP, GAP, GAP, 3, 4]], dtype=np.uint8)
    np.testing.assert_allclose(weights(codes), [1, 1, 1])

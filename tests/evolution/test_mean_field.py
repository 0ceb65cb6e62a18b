"""Mean-field couplings against the textbook's dense way."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foldgraft.evolution.a3m import GAP
from foldgraft.evolution.mean_field import strengths
from foldgraft.evolution.weights import weights


def textbook(codes, weight, pseudocount):
    """Morcos et al. 2011 as published: frequencies, covariance without the last state, inverse, zero-sum gauge."""
    length = codes.shape[1]
    q = 21
    onehot = (codes[:, :, None] == np.arange(q)).astype(float)  # (M, L, q)
    weight = weight / weight.sum()
    single = (1 - pseudocount) * np.einsum("m,mia->ia", weight, onehot) + pseudocount / q
    pair = (1 - pseudocount) * np.einsum("m,mia,mjb->iajb", weight, onehot, onehot) + pseudocount / q**2
    for i in range(length):
        pair[i, :, i, :] = np.diag(single[i])
    covariance = pair - single[:, :, None, None] * single[None, None]
    reduced = covariance[:, : q - 1, :, : q - 1].reshape(length * (q - 1), -1)
    couplings = np.zeros((length, q, length, q))
    couplings[:, : q - 1, :, : q - 1] = -np.linalg.inv(reduced).reshape(length, q - 1, length, q - 1)
    couplings = couplings - couplings.mean(axis=1, keepdims=True)
    couplings = couplings - couplings.mean(axis=3, keepdims=True)
    norm = np.sqrt((couplings[:, :20, :, :20] ** 2).sum(axis=(1, 3)))
    np.fill_diagonal(norm, 0)
    return norm


@pytest.mark.parametrize("rows", [2, 5, 40, 400])
@pytest.mark.parametrize("pseudocount", [0.2, 0.7])
@pytest.mark.parametrize("woodbury", [True, False])
def test_both_ways_agree_with_the_textbook(random_codes, rows, pseudocount, woodbury):
    codes = random_codes(rows, 12, seed=rows)
    codes[:, 3] = 7  # a conserved column
    codes[:, 4] = np.where(codes[:, 4] == GAP, 0, codes[:, 4])  # one without gaps
    weight = weights(codes)
    expected = textbook(codes, weight, pseudocount)
    found = strengths(codes, weight, pseudocount, woodbury)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6 * expected.max())


@settings(max_examples=25)
@given(st.integers(2, 60), st.integers(2, 9), st.integers(0, 1000), st.floats(0.05, 0.95))
def test_the_two_ways_agree_for_any_alignment(rows, columns, seed, pseudocount):
    codes = np.random.default_rng(seed).integers(0, 21, (rows, columns)).astype(np.uint8)
    weight = np.random.default_rng(seed + 1).uniform(0.1, 1, rows)
    one, other = (strengths(codes, weight, pseudocount, way) for way in (True, False))
    np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-9)
    assert (one == one.T).all() and (np.diag(one) == 0).all()


def test_blocks_change_nothing(random_codes, monkeypatch):
    codes = random_codes(30, 20)
    whole = strengths(codes, np.ones(30), 0.5)
    monkeypatch.setattr("foldgraft.evolution.mean_field.PAIRS_IN_MEMORY", 1)
    np.testing.assert_allclose(strengths(codes, np.ones(30), 0.5), whole, rtol=1e-9)

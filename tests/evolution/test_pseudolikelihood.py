"""Pseudolikelihood against the full likelihood by enumeration, and against a plain minimiser of its own objective."""

import itertools

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.special import logsumexp, softmax

from foldgraft.evolution import pseudolikelihood
from foldgraft.evolution.a3m import GAP
from foldgraft.evolution.pseudolikelihood import Regressions, norms, strengths


def solve(codes, weights, ridge, rounds=150):
    found = Regressions(codes, weights, ridge, precision=torch.float64).couplings(rounds, 1e-24)
    return found.numpy().reshape(codes.shape[1], GAP, codes.shape[1], GAP)


def centred(block):
    """Zero-sum gauge of a pair's couplings."""
    return block - block.mean(0) - block.mean(1)[:, None] + block.mean()


def energies(values, states, length, letters):
    """Fields and couplings (upper triangle) flattened, to minus the energy of each state."""
    fields = values[: length * letters].reshape(length, letters)
    pairs = values[length * letters :].reshape(-1, letters, letters)
    total = fields[np.arange(length), states].sum(axis=1)
    for pair, (i, j) in zip(pairs, itertools.combinations(range(length), 2), strict=True):
        total = total + pair[states[:, i], states[:, j]]
    return total


@pytest.mark.parametrize(("length", "letters"), [(2, 4), (3, 3), (4, 2)])
def test_couplings_are_those_of_the_full_likelihood_by_enumeration(length, letters):
    """On the exact distribution of a Potts model, with next to no ridge, both maxima are the model itself."""
    rng = np.random.default_rng(length)
    states = np.array(list(itertools.product(range(letters), repeat=length)))
    size = length * letters + length * (length - 1) // 2 * letters**2
    true = rng.normal(0, 0.7, size)
    chance = softmax(energies(true, states, length, letters))
    order = [(s[i], s[j]) for s in states for i, j in itertools.combinations(range(length), 2)]
    assert len(order) == len(states) * length * (length - 1) // 2

    def cost(values):  # minus the full log-likelihood, the partition function summed over all states
        energy = energies(values, states, length, letters)
        return logsumexp(energy) - chance @ energy

    full = minimize(cost, np.zeros(size), method="BFGS", options={"gtol": 1e-9, "maxiter": 5000}).x
    pairs = full[length * letters :].reshape(-1, letters, letters)
    couplings = solve(states.astype(np.uint8), chance * 1e4, ridge=1e-5)
    for pair, (i, j) in zip(pairs, itertools.combinations(range(length), 2), strict=True):
        expected = centred(pair)
        for found in (couplings[i, :letters, j, :letters], couplings[j, :letters, i, :letters].T):
            np.testing.assert_allclose(centred(found), expected, atol=1e-3)


def plain(codes, weights, ridge, position):
    """The regression of one position by scipy: couplings of its letters with those of the others, (L, 20, 20)."""
    length = codes.shape[1]
    onehot = (codes[:, :, None] == np.arange(GAP)).astype(float)
    onehot[:, position] = 0
    inputs = onehot.reshape(len(codes), -1)
    known = codes[:, position] < GAP
    seen = np.unique(codes[known, position])
    target = codes[known, position][:, None] == seen

    def cost(values):
        matrix = values[: -len(seen)].reshape(-1, len(seen))
        logits = inputs[known] @ matrix + values[-len(seen) :]
        residual = (softmax(logits, axis=1) - target) * weights[known, None]
        loss = weights[known] @ (logsumexp(logits, axis=1) - (logits * target).sum(axis=1))
        slope = inputs[known].T @ residual + ridge * matrix
        return loss + ridge / 2 * (matrix**2).sum(), np.concatenate([slope.ravel(), residual.sum(axis=0)])

    start = np.zeros((length * GAP + 1) * len(seen))
    done = minimize(cost, start, jac=True, method="L-BFGS-B", options={"maxiter": 5000, "ftol": 1e-15, "gtol": 1e-9})
    found = np.zeros((length * GAP, GAP))
    found[:, seen] = done.x[: -len(seen)].reshape(-1, len(seen))
    return found.reshape(length, GAP, GAP)


@pytest.mark.parametrize("rows", [15, 120])
def test_each_regression_is_at_its_minimum(random_codes, rows):
    codes = random_codes(rows, 5, seed=rows)
    codes[:, 2] = 7
    weights = np.random.default_rng(1).uniform(0.2, 1, rows)
    found = solve(codes, weights, ridge=0.5)
    for position in range(5):
        np.testing.assert_allclose(found[:, :, position], plain(codes, weights, 0.5, position), atol=2e-5)


def test_single_precision_and_few_rounds_rank_alike(random_codes):
    codes = random_codes(200, 12, seed=4)
    weights = np.ones(200)
    exact = norms(torch.from_numpy(solve(codes, weights, 0.01 * 19 * 11, rounds=40).reshape(240, 240)))
    i, j = np.triu_indices(12, 1)
    assert np.corrcoef(strengths(codes, weights, 0.01)[i, j], exact[i, j])[0, 1] > 0.999


def test_blocks_change_nothing(random_codes, monkeypatch):
    codes = random_codes(60, 13, seed=2)
    whole = strengths(codes, np.ones(60), 0.01)
    monkeypatch.setattr(pseudolikelihood, "BLOCK", 40)
    np.testing.assert_allclose(strengths(codes, np.ones(60), 0.01), whole, rtol=1e-4, atol=1e-5)


def test_conserved_and_empty_columns_are_finite_and_silent(random_codes):
    codes = random_codes(50, 8, seed=5)
    codes[:, 3] = 4
    codes[:, 5] = GAP
    codes[0, 5] = 2
    found = strengths(codes, np.ones(50), 0.01)
    assert np.isfinite(found).all() and (found == found.T).all() and (np.diag(found) == 0).all()
    assert found[3].max() < 1e-2 and found[5].max() < 0.3 * found.max()


def test_the_norm_by_hand():
    couplings = torch.zeros(40, 40, dtype=torch.float64)
    couplings[0, 20] = 4.0  # of one regression alone: the mean is 2
    centred_square = 4 * (1 - 1 / 20) ** 2 * (1 - 1 / 20) ** 2 * 1
    rest = 4 * (2 * 19 * (1 / 20 * 19 / 20) ** 2 + 19**2 * (1 / 400) ** 2)
    assert norms(couplings)[0, 1] == pytest.approx(np.sqrt(centred_square + rest))

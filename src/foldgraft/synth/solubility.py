"""Solubility labels: a logistic of net charge, of what the fold leaves on the surface, and of the order of residues.

Composition sees part of it, since the surface is part of the sequence. It cannot see the order: proteins of the same
composition differ in how far their hydrophobic residues stand together in blocks along the chain, and such order
alone changes whether chains aggregate (in a model of disordered proteins: Statt et al. 2020, arXiv 1912.01717).
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from foldgraft.geometry import Array
from foldgraft.metrics.ranking import roc_auc
from foldgraft.synth.potential import CHARGE, HYDROPHOBICITY, Landscape, standard, table

CHARGE_WEIGHT, SURFACE_WEIGHT, BLOCK_WEIGHT = 0.25, 0.25, 1.4
WINDOW = 7  # residues over which hydrophobicity is averaged to see blocks
FAMILY_SHARE = 0.25  # of a family's mean score that stays; the rest is taken off, so that family alone says little
SLOPE = 3.5  # logits per standard deviation of the score
FOLDS = 5


def features(land: Landscape, states: Array) -> Array:
    """Net charge per residue, mean hydrophobicity of the surface, and blockiness of the chain; (N, L) to (N, 3).

    Blockiness is the standard deviation of the hydrophobicity averaged over windows, in standard deviations of the
    residues' own: large where like stands beside like, whatever the composition.
    """
    charge = table(CHARGE)[states].mean(1)
    hydrophobicity = table(HYDROPHOBICITY)[states]  # (N, L)
    surface = np.where(land.exposed, hydrophobicity, 0.0).sum(1) / land.exposed.sum()
    windows = sliding_window_view(hydrophobicity, WINDOW, axis=1).mean(-1)  # (N, L - WINDOW + 1)
    return np.stack([charge, surface, windows.std(1) / hydrophobicity.std(1)], axis=1)


def probabilities(values: Array, family: Array) -> Array:
    """True probability of being soluble, from `features` (N, 3) and the family of each (N,); about half overall."""
    z = (values - values.mean(0)) / values.std(0)
    score = z @ -np.array([CHARGE_WEIGHT, SURFACE_WEIGHT, BLOCK_WEIGHT])
    for number in np.unique(family):
        rows = family == number
        score[rows] -= (1.0 - FAMILY_SHARE) * score[rows].mean()
    return 1.0 / (1.0 + np.exp(-SLOPE * standard(score)))


def composition_auc(states: list[Array], labels: Array, family: Array) -> float:
    """AUC of a ridge logistic regression on amino-acid frequencies, each fold of families predicted by the others."""
    counts = np.array([np.bincount(row, minlength=20) / len(row) for row in states])
    score = np.zeros(len(labels))
    for part in range(FOLDS):
        held = family % FOLDS == part
        if held.any() and not held.all():
            mean, spread = counts[~held].mean(0), counts[~held].std(0) + 1e-9
            x = np.column_stack([(counts - mean) / spread, np.ones(len(counts))])
            score[held] = (x @ logistic(x[~held], labels[~held]))[held]
    return roc_auc(labels == 1, score).item()


def logistic(x: Array, y: Array, ridge: float = 1.0, steps: int = 15) -> Array:
    """Coefficients of a ridge logistic regression by Newton's method; x (N, K), y (N,) of 0 and 1, result (K,)."""
    beta = np.zeros(x.shape[1])
    for _ in range(steps):
        p = 1.0 / (1.0 + np.exp(-(x @ beta)))
        curvature = (x.T * (p * (1.0 - p))) @ x + ridge * np.eye(x.shape[1])
        beta += np.linalg.solve(curvature, x.T @ (y - p) - ridge * beta)
    return beta

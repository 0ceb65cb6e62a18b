"""Solubility labels: a logistic of net charge and of what the fold leaves on the surface, with noise.

Composition sees part of it, since the surface is part of the sequence. It cannot see the stickiest stretch: as in the
aggregation-prone stretches of real proteins (Conchillo-Solé et al. 2007, doi 10.1186/1471-2105-8-65), what counts is
that exposed hydrophobic residues stand close together along the chain.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from foldgraft.geometry import Array
from foldgraft.metrics.ranking import roc_auc
from foldgraft.synth.potential import CHARGE, HYDROPHOBICITY, Landscape, standard, table

CHARGE_WEIGHT, SURFACE_WEIGHT, STRETCH_WEIGHT = 0.7, 0.7, 1.2
WINDOW = 7  # residues of a stretch
FAMILY_SHARE = 0.25  # of a family's mean score that stays; the rest is taken off, so that family alone says little
SLOPE = 2.4  # logits per standard deviation of the score
FOLDS = 5


def features(land: Landscape, states: Array) -> Array:
    """Net charge per residue, mean hydrophobicity of the surface, and of its stickiest stretch; (N, L) to (N, 3)."""
    charge = table(CHARGE)[states].mean(1)
    surface = np.where(land.exposed, table(HYDROPHOBICITY)[states], 0.0)  # (N, L)
    stretches = sliding_window_view(surface, WINDOW, axis=1).mean(-1)  # (N, L - WINDOW + 1)
    return np.stack([charge, surface.sum(1) / land.exposed.sum(), stretches.max(1)], axis=1)


def probabilities(values: Array, family: Array) -> Array:
    """True probability of being soluble, from `features` (N, 3) and the family of each (N,); about half overall."""
    z = (values - values.mean(0)) / values.std(0)
    score = z @ -np.array([CHARGE_WEIGHT, SURFACE_WEIGHT, STRETCH_WEIGHT])
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

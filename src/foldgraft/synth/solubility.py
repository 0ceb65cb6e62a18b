"""Solubility labels: a logistic of net charge and of what the fold leaves on the surface, with noise.

Composition sees part of it, since the surface is part of the sequence; which residues are exposed, and which exposed
ones are neighbours, only the fold tells.
"""

import numpy as np

from foldgraft.geometry import Array, distances
from foldgraft.synth.fold import Fold
from foldgraft.synth.potential import CHARGE, HYDROPHOBICITY, NEIGHBOUR_CUTOFF, Landscape, standard, table

CHARGE_WEIGHT, SURFACE_WEIGHT, PATCH_WEIGHT = 0.5, 1.0, 1.0
FAMILY_SHARE = 0.25  # of a family's mean score that stays; the rest is taken off, so that family alone says little
SLOPE = 2.4  # logits per standard deviation of the score
FOLDS = 5


def features(fold: Fold, land: Landscape, states: Array) -> Array:
    """Net charge per residue, mean hydrophobicity of the surface, and its hydrophobic patches; (N, L) to (N, 3)."""
    charge = table(CHARGE)[states].mean(1)
    hydrophobic = table(HYDROPHOBICITY)[states][:, land.exposed]
    cb = fold.atoms[land.exposed, 2]
    touching = np.triu(distances(cb) < NEIGHBOUR_CUTOFF, k=1).astype(float)
    sticky = np.clip(hydrophobic, 0.0, None)
    patches = np.einsum("ni,ij,nj->n", sticky, touching, sticky) / len(cb)
    return np.stack([charge, hydrophobic.mean(1), patches], axis=1)


def probabilities(values: Array, family: Array) -> Array:
    """True probability of being soluble, from `features` (N, 3) and the family of each (N,); about half overall."""
    z = (values - values.mean(0)) / values.std(0)
    score = z @ -np.array([CHARGE_WEIGHT, SURFACE_WEIGHT, PATCH_WEIGHT])
    for number in np.unique(family):
        rows = family == number
        score[rows] -= (1.0 - FAMILY_SHARE) * score[rows].mean()
    return 1.0 / (1.0 + np.exp(-SLOPE * standard(score)))


def roc_auc(truth: Array, score: Array) -> float:
    """Area under the ROC curve from the ranks, ties counted half; `truth` is 0 or 1."""
    _, rank, counts = np.unique(score, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - (counts - 1) / 2.0
    positive = truth == 1
    n, m = positive.sum(), (~positive).sum()
    return float((middle[rank[positive]].sum() - n * (n + 1) / 2.0) / (n * m))


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
    return roc_auc(labels, score)


def logistic(x: Array, y: Array, ridge: float = 1.0, steps: int = 15) -> Array:
    """Coefficients of a ridge logistic regression by Newton's method; x (N, K), y (N,) of 0 and 1, result (K,)."""
    beta = np.zeros(x.shape[1])
    for _ in range(steps):
        p = 1.0 / (1.0 + np.exp(-(x @ beta)))
        curvature = (x.T * (p * (1.0 - p))) @ x + ridge * np.eye(x.shape[1])
        beta += np.linalg.solve(curvature, x.T @ (y - p) - ridge * beta)
    return beta

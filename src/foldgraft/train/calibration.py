"""Calibration and decision threshold, both fitted on validation proteins only."""

import numpy as np
import torch

COLDEST, HOTTEST = 0.05, 20.0
GRID = 33
EPSILON = 1e-7


def ensemble(logits: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities of all members at a temperature; (M, N) to (M, N)."""
    return torch.sigmoid(torch.from_numpy(logits) / temperature).numpy()


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The temperature (Guo et al. 2017) at which the members' mean probability has the least cross-entropy.

    The mean is calibrated, not each member: averaging calibrated members makes them timid (Rahaman and Thiery 2021).

    Parameters
    ----------
    logits
        shape (M, N), of M members.
    labels
        shape (N,), in [0, 1].

    Returns
    -------
    between 0.05 and 20; 1 if there are no labels, or if all are 0 or all 1: the surest would be the best of them.
    """
    if _of_one_class(labels):
        return 1.0
    low, high = COLDEST, HOTTEST
    for _ in range(2):  # the second grid lies between the neighbours of the first one's best: steps of 1.2 %
        grid = np.geomspace(low, high, GRID)
        best = int(np.argmin([_cross_entropy(ensemble(logits, t).mean(axis=0), labels) for t in grid]))
        low, high = grid[max(best - 1, 0)], grid[min(best + 1, GRID - 1)]
    return float(grid[best])


def fit_scale_shift(logits: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Temperature and shift (Platt 1999) at which the members' mean of sigmoid(logit / temperature + shift) has the
    least cross-entropy; shapes as for `fit_temperature`, 1 and 0 where that gives 1."""
    if _of_one_class(labels):
        return 1.0, 0.0
    z, y = torch.from_numpy(logits), torch.from_numpy(labels.astype(np.float64))
    parameters = torch.zeros(2, dtype=torch.float64, requires_grad=True)  # log scale, shift
    optimizer = torch.optim.LBFGS([parameters], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        scale = parameters[0].clamp(-np.log(HOTTEST), -np.log(COLDEST)).exp()
        probability = torch.sigmoid(z * scale + parameters[1]).mean(dim=0).clamp(EPSILON, 1 - EPSILON)
        value = torch.nn.functional.binary_cross_entropy(probability, y)
        value.backward()
        return value

    optimizer.step(closure)
    log_scale, shift = parameters.detach().tolist()
    return float(np.clip(np.exp(-log_scale), COLDEST, HOTTEST)), shift


def _of_one_class(labels: np.ndarray) -> bool:
    return bool((labels == 0).all() or (labels == 1).all())


def _cross_entropy(probability: np.ndarray, labels: np.ndarray) -> float:
    p = np.clip(probability, EPSILON, 1 - EPSILON)
    return float(-(labels * np.log(p) + (1 - labels) * np.log1p(-p)).mean())


def fit_threshold(scores: np.ndarray, labels: np.ndarray) -> float:
    """The threshold of best Matthews correlation; scores at or above it are positive.

    Parameters
    ----------
    scores
        shape (N,), probabilities.
    labels
        shape (N,); 0.5 and more are positive.

    Returns
    -------
    halfway between the two neighbouring scores that it separates; 0.5 where nothing separates the classes.
    """
    truth = labels >= 0.5
    order = np.argsort(-scores, kind="stable")
    ranked, truth = scores[order], truth[order]
    positives = truth.sum()
    cut = np.flatnonzero(ranked[:-1] > ranked[1:])  # the last score of each group of equals, less the lowest group
    called = cut + 1.0
    true = np.cumsum(truth)[cut].astype(np.float64)
    n = float(len(ranked))
    variance = called * (n - called) * positives * (n - positives)
    with np.errstate(invalid="ignore", divide="ignore"):
        mcc = np.where(variance > 0, (true * n - called * positives) / np.sqrt(variance), 0.0)
    if not len(mcc) or mcc.max() <= 0:
        return 0.5
    best = cut[int(np.argmax(mcc))]
    return float((ranked[best] + ranked[best + 1]) / 2)

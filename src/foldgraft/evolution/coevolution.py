"""Coevolution scores of an alignment: pair strengths by the method chosen, then the average-product correction, then
the share of the sequences that tell of the pair.

Of pseudolikelihood the square roots of the norms are corrected. This, the share, plmc's regularisation and six rounds
were chosen on every fourth family of `benchmarks/benchmark_coevolution.py`; its others show what they are worth.
"""

import numpy as np
import torch

from foldgraft.evolution import mean_field, mutual_information, pseudolikelihood
from foldgraft.evolution.a3m import GAP
from foldgraft.evolution.settings import MeanField, Method, MutualInformation


def scores(codes: np.ndarray, weights: np.ndarray, method: Method, device: torch.device | str = "cpu") -> np.ndarray:
    """Average-product-corrected strength of every pair of positions, times the share of sequences that tell of it.

    Parameters
    ----------
    codes : (M, L) uint8, see `a3m.encode`; the query first
    weights : (M,)
    device : torch.device or str
        where pseudolikelihood is maximised; the other methods stay on the CPU.

    Returns
    -------
    (L, L) float64, symmetric, zero on the diagonal and for positions where only the query has a letter.
    """
    length = codes.shape[1]
    result = np.zeros((length, length))
    varied = np.flatnonzero((codes[1:] != GAP).any(axis=0))
    if len(varied) > 1:
        codes = codes[:, varied]
        result[np.ix_(varied, varied)] = corrected(_strengths(codes, weights, method, device)) * shared(codes, weights)
    return result


def _strengths(codes: np.ndarray, weights: np.ndarray, method: Method, device: torch.device | str) -> np.ndarray:
    if isinstance(method, MeanField):
        return mean_field.strengths(codes, weights, method.pseudocount)
    if isinstance(method, MutualInformation):
        return mutual_information.strengths(codes, weights)
    # Their roots, so that the background, which grows with the product of two positions' norms, stands out less.
    return np.sqrt(pseudolikelihood.strengths(codes, weights, method.regularization, device))


def shared(codes: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The share of the sequences, by weight, that have a letter at both of two positions; (L, L) float64.

    Couplings of few sequences are as strong as those of many, and more often wrong.
    """
    known = (codes != GAP) * np.sqrt(weights)[:, None]
    return known.T @ known / weights.sum()


def corrected(strength: np.ndarray) -> np.ndarray:
    """Average-product correction; means over the other positions (Dunn et al. 2008, 10.1093/bioinformatics/btm604)."""
    length = len(strength)
    mean = strength.sum(axis=1) / (length - 1)
    overall = mean.mean()
    result = strength - np.outer(mean, mean) / overall if overall > 0 else np.zeros_like(strength)
    np.fill_diagonal(result, 0.0)
    return result

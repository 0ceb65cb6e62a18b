"""Attention maps as features of residue pairs: symmetrised, corrected by the average product, one value per pair."""

import torch
from torch import Tensor


def pair_features(maps: Tensor, i: Tensor, j: Tensor) -> Tensor:
    """Features of the pairs (i, j) from the attention maps of one layer.

    A map `a` is symmetrised, `s = a + a^T`, and from it goes the product of its row and column sums over its total
    (average product correction, Dunn et al. 2008, as Rao et al. 2021 apply it to attention). The maps must be
    without the tokens around the sequence, since these draw attention that says nothing of pairs.

    Parameters
    ----------
    maps : Tensor, shape (heads, L, L)
        attention maps.
    i, j : Tensor, shape (P,)
        residue numbers of the pairs.

    Returns
    -------
    Tensor of shape (heads, P); zero for a head all of whose attention goes to the tokens around the sequence.
    """
    length = maps.shape[-1]
    sums = maps.sum(-1) + maps.sum(-2)  # (heads, L)
    flat = maps.reshape(len(maps), -1)
    features = flat.index_select(1, i * length + j)
    features += flat.index_select(1, j * length + i)
    expected = sums.index_select(1, i)
    expected *= sums.index_select(1, j)
    expected /= sums.sum(-1, keepdim=True).clamp_min(torch.finfo(maps.dtype).tiny)
    features -= expected
    return features

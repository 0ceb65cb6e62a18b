"""By what a head knows the trunk that it was trained on."""

import numpy as np

from foldgraft.errors import FoldgraftError
from foldgraft.models.trunk.fingerprint import TOLERANCE, as_lists, distance
from foldgraft.models.trunk.trunk import Trunk
from foldgraft.settings import Settings


class Identity(Settings):
    """By what a head knows the trunk that it was trained on."""

    name: str
    """Name of the trunk."""
    sha256: str
    """Of the trunk's weights."""
    fingerprint: list[list[float]]
    """Its mean embeddings of the reference sequences, in rows."""

    @classmethod
    def of(cls, trunk: Trunk) -> "Identity":
        """That of a trunk."""
        return cls(name=trunk.name, sha256=trunk.sha256, fingerprint=as_lists(trunk.fingerprint))

    def apart(self, trunk: Trunk) -> float:
        """How far what a trunk computes is from what this one does; see `fingerprint.distance`."""
        return distance(np.array(self.fingerprint, dtype=np.float32), trunk.fingerprint)

    def require(self, trunk: Trunk, where: str, tolerance: float = TOLERANCE) -> None:
        """Refuse a trunk that computes something else; see `require_same_behaviour`."""
        if trunk.sha256 != self.sha256:
            known = np.array(self.fingerprint, dtype=np.float32)
            require_same_behaviour(known, self.name, trunk, where, tolerance)


def require_same_behaviour(
    known: np.ndarray, name: str, trunk: Trunk, where: str, tolerance: float = TOLERANCE
) -> None:
    """Refuse a trunk that computes something else than the one whose fingerprint is known.

    Parameters
    ----------
    known : array
        fingerprint of the trunk that something was trained on.
    name : str
        of that trunk.
    trunk : Trunk
        the one at hand.
    where : str
        what was trained on it, for the message.
    tolerance : float
        largest distance of the fingerprints.

    Raises
    ------
    FoldgraftError
        if the fingerprints are further apart than that.
    """
    apart = distance(known, trunk.fingerprint)
    if not apart <= tolerance:  # not a number is not near
        width = known.shape[-1] if known.ndim == 2 else 0
        why = (
            f"its embeddings of the reference sequences differ by {apart:.0%}, and {tolerance:.0%} are allowed"
            if np.isfinite(apart)
            else f"its embeddings are {trunk.width} wide, not {width}"
        )
        raise FoldgraftError(f"{where} was trained on the trunk {name}, and {trunk.name} is another: {why}")

"""Embeddings as heads read them: of chosen layers side by side, from disk or straight from the trunk."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from foldgraft.errors import FoldgraftError
from foldgraft.models.trunk import Trunk
from foldgraft.records.embeddings import Embedded, Embeddings


class Protein(NamedTuple):
    """A sequence and the name under which its embedding is kept."""

    sequence: str
    sequence_sha256: str


class Vectors(Protocol):
    """Embeddings of proteins, the chosen layers side by side; F = layers * D."""

    width: int

    def pooled(self, protein: Protein) -> np.ndarray:
        """Mean over the residues, shape (F,), float32."""

    def residues(self, protein: Protein) -> np.ndarray:
        """Shape (length, F), float32."""


class StoredVectors:
    """Embeddings that the embed stage wrote.

    Parameters
    ----------
    embeddings : Embeddings
    layers : sequence of int
        from 1 to L, ascending.
    """

    def __init__(self, embeddings: Embeddings, layers: Sequence[int]):
        self.embeddings, self.layers = embeddings, list(layers)
        self.width = len(self.layers) * embeddings.width

    def digest(self) -> str:
        """Of what is read: the layers, and the embeddings themselves."""
        return f"{self.layers} {self.embeddings.digest()}"

    def pooled(self, protein: Protein) -> np.ndarray:
        return self.embeddings.pooled([protein.sequence_sha256], self.layers)[0].ravel()

    def residues(self, protein: Protein) -> np.ndarray:
        values = self.embeddings.residues(protein.sequence_sha256)  # (length, K, D)
        chosen = [self.embeddings.layers.index(layer) for layer in self.layers]
        return values[:, chosen].reshape(len(values), -1)

    def check_residues(self) -> None:
        """Stop if residue embeddings of a layer were not kept.

        Raises
        ------
        FoldgraftError
            naming the layer.
        """
        absent = [layer for layer in self.layers if layer not in self.embeddings.layers]
        if absent and len(self.embeddings):
            raise FoldgraftError(
                f"embeddings: no residue embeddings of layer {absent[0]} are kept; rerun the embed stage with "
                f"--residues {absent[0]}"
            )


class TrunkVectors:
    """Embeddings of new sequences, rounded as the stored ones are; `embed` first says which.

    Parameters
    ----------
    trunk : Trunk
    layers : sequence of int
        from 1 to L, ascending.
    """

    def __init__(self, trunk: Trunk, layers: Sequence[int]):
        self.trunk, self.layers = trunk, list(layers)
        self.width = len(self.layers) * trunk.width
        self._embedded: dict[str, Embedded] = {}

    def embed(self, sequences: Iterable[str], residues: bool) -> None:
        """Replace what is held by the embeddings of these sequences; pooled alone, or of the residues too."""
        wanted = list(dict.fromkeys(sequences))
        layers = self.layers if residues else []
        self._embedded = dict(zip(wanted, self.trunk.embed_layers(wanted, layers), strict=True))

    def pooled(self, protein: Protein) -> np.ndarray:
        pooled = self._embedded[protein.sequence].pooled  # (L, D)
        return _rounded(pooled[[layer - 1 for layer in self.layers]].ravel())

    def residues(self, protein: Protein) -> np.ndarray:
        values = self._embedded[protein.sequence].residues
        return _rounded(values.reshape(len(values), -1))


def _rounded(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float16).astype(np.float32)


def layer_numbers(layers: str | int | Sequence[int], depth: int) -> list[int]:
    """The layers of a trunk of this depth that `last`, a number or several name, or that `all`, `best` and `mix` need;
    ascending.

    Raises
    ------
    FoldgraftError
        for a layer that the trunk does not have.
    """
    if layers == "last":
        return [depth]
    if layers in ("all", "best", "mix"):
        return list(range(1, depth + 1))
    numbers = [layers] if isinstance(layers, int) else sorted(set(layers))
    wrong = [number for number in numbers if not 1 <= number <= depth]
    if wrong:
        raise FoldgraftError(f"layers: the trunk has the layers 1 to {depth}, not {wrong[0]}")
    return numbers


def require_trunk(embeddings: Embeddings, trunk: Trunk) -> None:
    """Refuse embeddings that another trunk made."""
    if embeddings.trunk != trunk.sha256:
        raise FoldgraftError(
            f"the embeddings were made with the trunk {str(embeddings.trunk)[:12]}..., not with {trunk.name} "
            f"({trunk.sha256[:12]}...); rerun the embed stage"
        )

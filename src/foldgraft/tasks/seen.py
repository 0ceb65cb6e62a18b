"""How like the training proteins a sequence is."""

from collections.abc import Sequence

import numpy as np
import torch

from foldgraft.models.heads.layers import Standardise
from foldgraft.residues import AMINO_ACIDS, looks_nucleic
from foldgraft.tasks.trained import Seen

RARE = 0.999
"""Quantile of the training proteins beyond which one is called unlike them."""
START = 0.95
"""Fraction of the training proteins that must begin with methionine for a lack of it to be told."""


def composition(sequence: str) -> np.ndarray:
    """Fraction of each amino acid; shape (20,)."""
    return np.array([sequence.count(letter) for letter in AMINO_ACIDS]) / max(1, len(sequence))


def distance(embedding: np.ndarray, normalise: Standardise) -> float:
    """Distance of a mean embedding from the training proteins' mean, see `Seen.far`."""
    with torch.no_grad():
        values = torch.from_numpy(embedding)[None].to(normalise.mean.device)
        return float(normalise(values).square().mean().sqrt())


def describe(sequences: Sequence[str], distances: Sequence[float] = ()) -> Seen:
    """What training proteins are like; `distances` are those of their embeddings, if there are any."""
    lengths = [len(sequence) for sequence in sequences]
    shares = np.array([composition(sequence) for sequence in sequences])
    mean = shares.mean(axis=0)
    return Seen(
        shortest=min(lengths),
        longest=max(lengths),
        methionine=sum(sequence.startswith("M") for sequence in sequences) / len(sequences),
        composition=[round(float(share), 6) for share in mean],
        uneven=float(np.quantile(np.abs(shares - mean).sum(axis=1), RARE)),
        far=float(np.quantile(distances, RARE)) if len(distances) else None,
    )


def warnings(sequence: str, seen: Seen, far: float | None) -> list[str]:
    """In what a sequence is unlike the training proteins; `far` is the distance of its embedding, if it has one."""
    said = []
    if looks_nucleic(sequence):
        said.append("letters of DNA or RNA alone: a peptide?")
    if len(sequence) < seen.shortest:
        said.append(f"shorter than the training proteins (from {seen.shortest} residues)")
    if len(sequence) > seen.longest:
        said.append(f"longer than the training proteins (up to {seen.longest} residues)")
    if seen.methionine >= START and not sequence.startswith("M"):
        said.append("does not begin with M as the training proteins do: a fragment?")
    if np.abs(composition(sequence) - np.array(seen.composition)).sum() > seen.uneven:
        said.append("an odd composition, as of one in 1000 training proteins or fewer")
    if far is not None and seen.far is not None and far > seen.far:
        said.append("an embedding far from those of the training proteins, as of one in 1000 or fewer")
    if unknown := sum(map(sequence.count, "XBZ")):
        said.append(f"{unknown} residues are unknown (X, B or Z)")
    return said

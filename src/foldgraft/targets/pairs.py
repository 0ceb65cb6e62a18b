"""Targets of residue pairs: distogram bins and contacts, from the distances between CB atoms."""

import numpy as np

from foldgraft.geometry import BLOCK, CONTACT_CUTOFF, DISTOGRAM_EDGES, distances
from foldgraft.records.targets import MASKED
from foldgraft.residues import ATOM_INDEX
from foldgraft.targets.masks import REASONS, Mask

FIRST_EDGE, LAST_EDGE = float(DISTOGRAM_EDGES[0]), float(DISTOGRAM_EDGES[-1])
STEP = (LAST_EDGE - FIRST_EDGE) / (len(DISTOGRAM_EDGES) - 1)  # 5/16 angstrom, exact in binary, as are all the edges


def representatives(coordinates: np.ndarray, sequence: str) -> tuple[np.ndarray, np.ndarray]:
    """The atom that stands for each residue: CB, or CA of a glycine.

    Where another residue lacks its CB none is invented: a virtual one would deviate from the truth by up to a few
    tenths of an angstrom, and its pairs are masked instead.

    Parameters
    ----------
    coordinates : array, shape (L, 37, 3), angstrom, NaN where unresolved
    sequence : one letter per residue

    Returns
    -------
    points : float64 array, shape (L, 3); NaN where there is none
    states : array of `Mask`, shape (L,)
    """
    glycine = np.frombuffer(sequence.encode("ascii"), dtype=np.uint8) == ord("G")
    alpha = coordinates[:, ATOM_INDEX["CA"]].astype(np.float64)
    points = np.where(glycine[:, None], alpha, coordinates[:, ATOM_INDEX["CB"]])
    states = np.full(len(points), Mask.DEFINED, dtype=np.int8)
    states[np.isnan(points).any(axis=-1)] = Mask.MISSING_SIDE_CHAIN
    states[np.isnan(alpha).any(axis=-1)] = Mask.UNRESOLVED
    points[states != Mask.DEFINED] = np.nan
    return points, states


def pair_distances(points: np.ndarray) -> np.ndarray:
    """Distances of the pairs i < j in the order of `foldgraft.records.pairs`; (L, 3) to (L * (L - 1) / 2,), angstrom.

    A block of rows at a time and only right of the diagonal, so a chain of 10,000 residues fits in memory too.
    """
    length, blocks = len(points), []
    for start in range(0, length, BLOCK):
        block = distances(points[start : start + BLOCK], points[start:])  # (B, L - start)
        right = np.arange(length - start) > np.arange(len(block))[:, None]
        blocks.append(block[right])
    return np.concatenate([np.empty(0), *blocks])


def distogram_bins(values: np.ndarray) -> np.ndarray:
    """Bin of each distance: the number of edges that are smaller than it.

    A distance equal to an edge is in the bin below; bin 0 and bin 63 are open. NaN becomes `MASKED`.

    Parameters
    ----------
    values : float64 array, any shape, angstrom

    Returns
    -------
    uint8 array of that shape. Edges: Jumper et al. 2021, supplementary section 1.9.8.
    """
    clipped = np.clip(values, FIRST_EDGE, LAST_EDGE + STEP)
    bins = np.ceil((clipped - FIRST_EDGE) / STEP)
    bins[np.isnan(bins)] = MASKED
    return bins.astype(np.uint8)


def contacts(values: np.ndarray) -> np.ndarray:
    """Whether each distance is a contact, that is less than 8.0 angstrom; False for NaN."""
    return values < CONTACT_CUTOFF


def pair_counts(states: np.ndarray) -> list[int]:
    """The audit's counts of pairs, from the states of the residues: total, then each of REASONS."""
    total = _pairs_of(len(states))
    resolved = _pairs_of(int(np.sum(states != Mask.UNRESOLVED)))
    defined = _pairs_of(int(np.sum(states == Mask.DEFINED)))
    counts = {"defined": defined, "unresolved": total - resolved, "missing_side_chain": resolved - defined}
    return [total, *(counts.get(reason, 0) for reason in REASONS)]


def _pairs_of(count: int) -> int:
    return count * (count - 1) // 2

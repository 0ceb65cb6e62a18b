"""One conformer per residue, out of the alternatives a structure holds.

Decisions
---------
- Atoms that are not finite or lie beyond 9999 angstrom are not coordinates; their residue is as if they were missing.
- Atoms of zero occupancy were placed without evidence and count as unresolved, unless no atom of the entry has any
  occupancy (some programs leave the column empty).
- Where a position holds several residue types (microheterogeneity) the one with the highest mean occupancy is taken; at
  equal occupancy, the one that SEQRES names. The letter of the sequence follows the choice.
- Of alternate locations, the label whose atoms sum to the highest occupancy serves for the whole residue, at equal sums
  the first label in the alphabet; atoms without a label belong to every conformer.
"""

import numpy as np

from foldgraft.curate.entry import Atoms

FARTHEST = 9999.0  # angstrom; the widest number of a PDB column


def observed(atoms: Atoms) -> np.ndarray:
    """Mask (A,) of the atoms that are evidence: finite, near, and occupied."""
    near = (np.abs(np.nan_to_num(atoms.position, nan=np.inf)) <= FARTHEST).all(axis=1)
    occupied = atoms.occupancy > 0
    return near & occupied if occupied.any() else near


def one_conformer(atoms: Atoms, where: np.ndarray, seqres: np.ndarray) -> np.ndarray:
    """Choose one residue type and one alternate location at each position.

    Parameters
    ----------
    atoms : Atoms
        of one chain
    where : (A,) int64
        position in the chain of each atom
    seqres : (L,) bytes
        residue name that SEQRES has at each position

    Returns
    -------
    (A,) bool, the atoms kept.
    """
    names, kind = np.unique(atoms.residue, return_inverse=True)
    keep = np.ones(len(where), dtype=bool)
    if len(np.unique(where * len(names) + kind)) > len(np.unique(where)):
        rank = np.where(atoms.residue == seqres[where], 0, kind + 1)
        keep = _strongest(where, rank, atoms.occupancy, mean=True)
    labelled = np.flatnonzero(keep & (atoms.altloc != b""))
    if len(labelled):
        _, label = np.unique(atoms.altloc[labelled], return_inverse=True)
        best = _strongest(where[labelled], label, atoms.occupancy[labelled], mean=False)
        keep[labelled[~best]] = False
    return keep


def _strongest(group: np.ndarray, choice: np.ndarray, weight: np.ndarray, mean: bool) -> np.ndarray:
    """Mask of the members of each group's heaviest choice; the lowest choice wins a tie. All arrays have shape (A,)."""
    span = int(choice.max()) + 1
    pairs, member = np.unique(group * span + choice, return_inverse=True)
    total = np.bincount(member, weights=weight)
    if mean:
        total /= np.bincount(member)
    owner, option = pairs // span, pairs % span
    order = np.lexsort((option, -np.round(total, 4), owner))
    first = np.ones(len(order), dtype=bool)
    first[1:] = owner[order][1:] != owner[order][:-1]
    chosen = np.zeros(len(pairs), dtype=bool)
    chosen[order[first]] = True
    return chosen[member]

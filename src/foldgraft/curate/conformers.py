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

from collections.abc import Sequence

import numpy as np

from foldgraft.curate.entry import Atoms

FARTHEST = 9999.0  # angstrom; the widest number of a PDB column


def near(atoms: Atoms) -> np.ndarray:
    """Mask (A,) of the atoms whose coordinates are some: finite, and within reach."""
    away = np.abs(atoms.coordinates)
    if len(away) and away.max() <= FARTHEST:  # False where one is NaN
        return np.ones(len(away), dtype=bool)
    reach = away <= FARTHEST
    return reach[:, 0] & reach[:, 1] & reach[:, 2]


def occupied(atoms: Atoms) -> np.ndarray:
    """Mask (A,) of the atoms that are evidence; all of them where none has an occupancy."""
    mask = atoms.occupancy > 0
    return mask if mask.any() else ~mask


def one_conformer(atoms: Atoms, where: np.ndarray, names: Sequence[str], seqres: Sequence[str]) -> np.ndarray:
    """Choose one residue type and one alternate location at each position.

    Parameters
    ----------
    atoms : Atoms
        of one chain
    where : (A,) int64
        position in the chain of each atom
    names : sequence of str
        name of each residue of the file
    seqres : sequence of L str
        residue name that SEQRES has at each position

    Returns
    -------
    (A,) bool, the atoms kept.
    """
    keep = np.ones(len(where), dtype=bool)
    runs = np.flatnonzero(np.diff(atoms.residue, prepend=-1))  # the first atom of each residue run
    held = list(zip(where[runs].tolist(), [names[k] for k in atoms.residue[runs].tolist()], strict=True))
    if len(set(held)) > len(set(where[runs].tolist())):
        order = {name: rank for rank, name in enumerate(sorted({name for _, name in held}), start=1)}
        rank = np.array([0 if name == seqres[at] else order[name] for at, name in held])
        keep = _strongest(where, np.repeat(rank, np.diff([*runs, len(where)])), atoms.occupancy, mean=True)
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

"""How far apart residues stand along their chain, by their coordinates and numbers; and sequences read off them.

Decisions
---------
- Two residues are joined where C and N are at most 2.5 angstrom apart or CA and CA at most 4.5, whatever their numbers
  say: many numbering schemes jump without a gap, and nothing fits between two CA that near.
- Where they are not joined, a jump of n in the label numbers stands for n - 1 missing residues, unresolved X; where the
  label numbers do not jump, or are not given, those of the authors are asked in the same way.
- A jump of more than 101 is one X, as it is anyone's guess what it means. Numbers that run on or go back across a break
  say that no residue is missing: a break is a break, and not a residue.
"""

from collections.abc import Sequence

import numpy as np

from foldgraft.curate.entry import MISSING, Residues

BOND = 2.5  # angstrom, C to N; a peptide bond is 1.33
STEP = 4.5  # angstrom, CA to CA; 3.8 across a trans peptide bond, at least 5 with a residue between
WIDEST = 100  # residues; what a larger jump means is anyone's guess
N, CA, C = 0, 1, 2  # of the first axis of a backbone array


def near(one: np.ndarray, two: np.ndarray, cutoff: float) -> np.ndarray:
    """Whether points (..., 3) are within the cutoff; False where one is NaN."""
    between = one - two
    return np.einsum("...i,...i", between, between) <= cutoff * cutoff


def joined(backbone: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Whether the residues `second` follow the residues `first` in the same chain without a gap.

    Parameters
    ----------
    backbone : (3, R, 3) float64
        N, CA and C of each residue of the file, angstrom, NaN where it has none
    first, second : (K,) int64
        residues
    """
    alpha = near(backbone[CA, first], backbone[CA, second], STEP)
    return alpha | near(backbone[C, first], backbone[N, second], BOND)


def steps(residues: Residues, backbone: np.ndarray, members: np.ndarray) -> np.ndarray:
    """(K - 1,) how far each of the residues (K,) lies behind the one before along the chain: 1 if none is missing."""
    before, after = members[:-1], members[1:]
    together = joined(backbone, before, after)
    if together.all():
        return np.ones(len(before), dtype=np.int64)
    return np.where(together, 1, by_number(residues, members))


def by_number(residues: Residues, members: np.ndarray) -> np.ndarray:
    """The same by the numbers alone, joined or not."""
    before, after = members[:-1], members[1:]
    label = _jumps(residues.number[before], residues.number[after])
    author = _jumps(residues.author_number[before], residues.author_number[after])
    return np.where(label > 1, label, author)


def _jumps(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    jump = np.where((before == MISSING) | (after == MISSING), 1, after - before)
    return np.where(jump > WIDEST + 1, 2, np.maximum(jump, 1))


def with_gaps(names: Sequence[str], jumps: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Monomers with "" for each missing one, and the index of each of the names (K,) among them."""
    positions = np.concatenate([[0], np.cumsum(jumps)]).astype(np.int64)
    if int(positions[-1]) + 1 == len(names):
        return list(names), positions
    monomers = [""] * (int(positions[-1]) + 1)
    for name, position in zip(names, positions.tolist(), strict=True):
        monomers[position] = name
    return monomers, positions

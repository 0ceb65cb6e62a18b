"""Observed residues placed on a whole sequence: SEQRES, or one that the user supplies.

Decisions
---------
- Numbering comes first. If the residues, spaced as their numbers say, agree with the sequence at one offset, they
  stand there.
- Else Biopython's `PairwiseAligner` places them, once with a wildcard for each residue that the numbers skip, once
  without any. The best offset stands unless one of these has three matches more, where a residue without a position
  counts as three less.
- Scores: 2 for the same letter, -1 for another, so that a stretch of other residues stays a stretch of mismatches, as
  no gap is cheaper; 0 for X and for a wildcard. A gap within the sequence costs 6 whatever its length, as a loop is
  unresolved as a whole, and nothing at the ends. A residue that the sequence lacks costs 8, and each behind it 1.
- Residues that are joined in the model are not torn apart where they could stand together equally well: a gap slides to
  the break that is next to it.
"""

from functools import cache

import numpy as np
from Bio.Align import PairwiseAligner, substitution_matrices

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ*"
MATCH, MISMATCH, GAP, LEFT_OUT, NEXT_LEFT_OUT = 2.0, -1.0, -6.0, -8.0, -1.0
WILDCARD, UNKNOWN = "*", "X"
MARGIN = 3
FARTHEST_BREAK = 20  # residues from a gap to the break to which it slides
LARGEST = 2 * 10**8
"""Residues times residues of an alignment: about that many bytes."""


@cache
def aligner() -> PairwiseAligner:
    """The aligner with the scores above; the first sequence is the whole one."""
    matrix = substitution_matrices.Array(alphabet=ALPHABET, dims=2)
    matrix[:, :] = MISMATCH
    for one in ALPHABET:
        matrix[one, one] = MATCH
    for free in (UNKNOWN, WILDCARD):
        matrix[free, :] = matrix[:, free] = 0.0
    made = PairwiseAligner(mode="global", substitution_matrix=matrix)
    made.open_deletion_score, made.extend_deletion_score = GAP, 0.0
    made.end_deletion_score = 0.0
    made.open_insertion_score, made.extend_insertion_score = LEFT_OUT, NEXT_LEFT_OUT
    return made


def align(observed: str, steps: np.ndarray, sequence: str, numbers: np.ndarray | None = None) -> np.ndarray | None:
    """Place observed residues on a sequence, in order.

    Parameters
    ----------
    observed : str of n letters
    steps : (n - 1,) int
        from each residue to the next: 1 if they are joined, else how much further the numbers say that it lies
    sequence : str of m letters
    numbers : (n - 1,) int, optional
        the same, by the numbers alone

    Returns
    -------
    (n,) int64, positions in the sequence from 0, ascending; -1 for residues that it lacks. None if the two are too long
    to be aligned.
    """
    spacings = [steps] if numbers is None or (numbers == steps).all() else [numbers, steps]
    candidates = [positions for one in spacings if (positions := _by_number(observed, one, sequence)) is not None]
    for positions in candidates:
        if agreement(observed, positions, sequence) == 1:
            return positions
    if len(observed) * len(sequence) <= LARGEST:
        spacings += [] if (steps == 1).all() else [np.ones_like(steps)]
        for one in spacings:
            candidates.append(_slid(_aligned(observed, one, sequence), steps, observed, sequence))
            if agreement(observed, candidates[-1], sequence) == 1:
                break
    best = None
    for positions in candidates:
        if best is None or _worth(observed, positions, sequence) >= _worth(observed, best, sequence) + MARGIN:
            best = positions
    return best


def _worth(observed: str, positions: np.ndarray, sequence: str) -> int:
    return matches(observed, positions, sequence) - MARGIN * int(np.count_nonzero(positions < 0))


def matches(observed: str, positions: np.ndarray, sequence: str) -> int:
    """How many residues stand on their own letter."""
    placed = positions >= 0
    return int(np.count_nonzero(_codes(observed)[placed] == _codes(sequence)[positions[placed]]))


def agreement(observed: str, positions: np.ndarray, sequence: str, alike: str = "") -> float:
    """Fraction of the observed residues that have their own letter at their position; 0 if there are none.

    X agrees with every letter, and so do the letters `alike` in the model, but a residue without a position disagrees.
    """
    placed = positions >= 0
    ours, theirs = _codes(observed)[placed], _codes(sequence)[positions[placed]]
    compared = (ours != ord(UNKNOWN)) & (theirs != ord(UNKNOWN))
    for one in alike:
        compared &= ours != ord(one)
    known = int(np.count_nonzero(compared)) + len(positions) - len(ours)
    same = int(np.count_nonzero((ours == theirs) & compared))
    return same / known if known else float(len(positions) > 0)


def _codes(letters: str) -> np.ndarray:
    return np.frombuffer(letters.encode("ascii"), dtype=np.uint8)


def _by_number(observed: str, steps: np.ndarray, sequence: str) -> np.ndarray | None:
    """The positions at the best single offset, None if the residues do not fit in."""
    if (steps < 1).any() or not observed:
        return None
    along = np.concatenate([[0], np.cumsum(steps)])
    offsets = len(sequence) - int(along[-1])
    if offsets < 1 or offsets * len(observed) > LARGEST:
        return None
    ours, theirs = _codes(observed), _codes(sequence)
    many = max(1, 10**6 // len(along))  # offsets compared at once
    counts = [
        (theirs[along + np.arange(first, min(first + many, offsets))[:, None]] == ours).sum(axis=1)
        for first in range(0, offsets, many)
    ]
    return along + int(np.concatenate(counts).argmax())


def _aligned(observed: str, steps: np.ndarray, sequence: str) -> np.ndarray:
    along = np.concatenate([[0], np.cumsum(np.clip(steps, 1, len(sequence)))])
    query = np.full(int(along[-1]) + 1, ord(WILDCARD), dtype=np.uint8)
    query[along] = _codes(observed)
    theirs, ours = aligner().align(sequence, query.tobytes().decode("ascii"))[0].indices
    positions = np.full(len(query), -1, dtype=np.int64)
    positions[ours[ours >= 0]] = theirs[ours >= 0]
    return positions[along]


def _slid(positions: np.ndarray, steps: np.ndarray, observed: str, sequence: str) -> np.ndarray:
    """The positions with each gap between joined residues moved to a break nearby, where no match is lost by it."""
    positions = positions.copy()
    for at in np.flatnonzero((positions[1:] - positions[:-1] > 1) & (positions[:-1] >= 0) & (steps == 1)).tolist():
        gap = positions[at + 1] - positions[at] - 1
        for reach in range(1, FARTHEST_BREAK):
            before, after = at - reach, at + reach
            if after < len(steps) and steps[after] > 1 and _together(positions, at + 1, after):
                part, shift = slice(at + 1, after + 1), -gap
            elif before >= 0 and steps[before] > 1 and _together(positions, before + 1, at):
                part, shift = slice(before + 1, at + 1), gap
            else:
                continue
            moved = positions[part] + shift
            if matches(observed[part], moved, sequence) >= matches(observed[part], positions[part], sequence):
                positions[part] = moved
                break
    return positions


def _together(positions: np.ndarray, first: int, last: int) -> bool:
    part = positions[first : last + 1]
    return bool(part[0] >= 0) and bool((np.diff(part) == 1).all())

"""Three-state secondary structure from hydrogen bonds.

The definitions are those of Kabsch & Sander 1983 (doi 10.1002/bip.360221211), with what later releases of their
program settled: energies to 0.001 kcal/mol, the two best bonds of each donor, an alpha helix before a strand, a strand
before the other helices. Arrays have one row per residue of the sequence; an incomplete residue bonds to nothing.
"""

from typing import NamedTuple

import numpy as np

from foldgraft.geometry import close_pairs

COUPLING = 27.9
"""kcal angstrom / mol: 0.42 e * 0.20 e * 332 (rounded as in the program)."""
CUTOFF = -0.5
"""kcal/mol; a hydrogen bond is below it."""
LOWEST = -9.9
"""kcal/mol; the energy of atoms closer than COLLISION, and of no bond less."""
COLLISION = 0.5
"""angstrom"""
REACH = 5.5
"""angstrom from N to O: a straight bond at 5.2 no longer reaches CUTOFF."""

LOOP, STRAND, ALPHA, THREE_TEN, PI = range(5)
LETTERS = np.frombuffer(b"CEHHH", dtype=np.uint8)
HELICES = ((4, ALPHA, (LOOP, STRAND, ALPHA)), (3, THREE_TEN, (LOOP,)), (5, PI, (LOOP, ALPHA)))
"""Residues a turn, the state, and the states that it may replace, in order of precedence."""


def secondary_structure(backbone: np.ndarray, proline: np.ndarray, bonded: np.ndarray) -> str:
    """H (alpha, 3-10 and pi helix), E (strand and bridge) or C (the rest) per residue; - where incomplete.

    Parameters
    ----------
    backbone : float64 array, shape (L, 4, 3), angstrom: N, CA, C and O, NaN where unresolved
    proline : bool array, shape (L,)
    bonded : bool array, shape (L,): there is a peptide bond to the residue before
    """
    complete = ~np.isnan(backbone).any(axis=(1, 2))
    backbone = np.where(complete[:, None, None], backbone, np.nan)
    bonded = bonded & complete
    bonded[1:] &= complete[:-1]
    states = patterns(hydrogen_bonds(backbone, bonded & ~proline), bonded)
    return np.where(complete, LETTERS[states], ord("-")).astype(np.uint8).tobytes().decode("ascii")


def patterns(acceptors: np.ndarray, bonded: np.ndarray) -> np.ndarray:
    """LOOP, STRAND, ALPHA, THREE_TEN or PI of each residue, shape (L,), from bonds as `hydrogen_bonds` gives them."""
    segment = np.cumsum(~bonded)
    states = np.full(len(acceptors), LOOP)
    for ladder in _extended(_ladders(_bridges(acceptors, bonded)), segment):
        states[ladder.low : ladder.high + 1] = STRAND
        states[ladder.partner_low : ladder.partner_high + 1] = STRAND
    _add_helices(states, acceptors, segment)
    return states


def hydrogen_bonds(backbone: np.ndarray, donors: np.ndarray) -> np.ndarray:
    """The residues to whose O the NH of each residue is bonded: the best two, best first.

    Parameters
    ----------
    backbone : float64 array, shape (L, 4, 3), angstrom: N, CA, C and O, NaN where unresolved
    donors : bool array, shape (L,): has an amide hydrogen; False for the first residue

    Returns
    -------
    int array, shape (L, 2): index of the acceptor, -1 where there is none.
    """
    n, c, o = backbone[:, 0], backbone[:, 2], backbone[:, 3]
    hydrogen = n.copy()
    carbonyl = c[:-1] - o[:-1]
    hydrogen[1:] += carbonyl / np.maximum(_norm(carbonyl), 1e-9)[:, None]  # 1 angstrom from N, against the C=O before

    donor, acceptor = close_pairs(n, o, REACH)
    kept = donors[donor] & (acceptor != donor) & (acceptor != donor - 1)
    donor, acceptor = donor[kept], acceptor[kept]
    on, ch = _norm(o[acceptor] - n[donor]), _norm(c[acceptor] - hydrogen[donor])
    oh, cn = _norm(o[acceptor] - hydrogen[donor]), _norm(c[acceptor] - n[donor])
    nearest = np.min([on, ch, oh, cn], axis=0, initial=np.inf)
    on, ch, oh, cn = (np.maximum(distance, COLLISION) for distance in (on, ch, oh, cn))
    energy = np.round(COUPLING * (1 / on + 1 / ch - 1 / oh - 1 / cn), 3)
    energy = np.where(nearest < COLLISION, LOWEST, np.maximum(energy, LOWEST))

    bond = energy < CUTOFF
    donor, acceptor, energy = donor[bond], acceptor[bond], energy[bond]
    order = np.lexsort((acceptor, energy, donor))
    donor, acceptor = donor[order], acceptor[order]
    rank = np.arange(len(donor)) - np.searchsorted(donor, donor)
    best = rank < 2
    acceptors = np.full((len(backbone), 2), -1)
    acceptors[donor[best], rank[best]] = acceptor[best]
    return acceptors


def _norm(vectors: np.ndarray) -> np.ndarray:
    return np.sqrt(np.einsum("ij,ij->i", vectors, vectors))


class Ladder(NamedTuple):
    """Bridges in a row: residues low to high are paired with partner_low to partner_high, and low <= partner_low."""

    low: int
    high: int
    partner_low: int
    partner_high: int
    parallel: bool


def _bridges(acceptors: np.ndarray, bonded: np.ndarray) -> list[tuple[int, int, bool]]:
    """The bridged pairs (i, j, parallel) with i < j, sorted; found from the bonds rather than by trying all pairs."""
    length = len(acceptors)

    def bond(donor: np.ndarray, acceptor: np.ndarray) -> np.ndarray:
        inside = (donor >= 0) & (donor < length) & (acceptor >= 0)
        return inside & (acceptors[np.where(inside, donor, 0)] == acceptor[:, None]).any(axis=-1)

    donor, slot = np.nonzero(acceptors >= 0)
    acceptor = acceptors[donor, slot]
    parallel = bond(acceptor, donor - 2)  # i+1 -> j and j -> i-1
    wide = bond(acceptor + 2, donor - 2)  # i+1 -> j-1 and j+1 -> i-1
    narrow = bond(acceptor, donor)  # i -> j and j -> i
    i = np.concatenate([(donor - 1)[parallel], (donor - 1)[wide], donor[narrow]])
    j = np.concatenate([acceptor[parallel], (acceptor + 1)[wide], acceptor[narrow]])
    kind = np.arange(len(i)) < np.sum(parallel)

    inner = np.zeros(length, dtype=bool)
    inner[1:-1] = bonded[1:-1] & bonded[2:]
    i, j = np.minimum(i, j), np.maximum(i, j)
    valid = (j - i >= 3) & (i >= 0) & (j < length)
    valid[valid] = inner[i[valid]] & inner[j[valid]]
    kinds: dict[tuple[int, int], bool] = {}
    for low, high, is_parallel in zip(i[valid].tolist(), j[valid].tolist(), kind[valid].tolist(), strict=True):
        kinds.setdefault((low, high), is_parallel)  # a pair that is both counts as parallel: those come first
    return sorted((low, high, is_parallel) for (low, high), is_parallel in kinds.items())


def _ladders(bridges: list[tuple[int, int, bool]]) -> list[Ladder]:
    """Bridges that follow each other without a gap, joined."""
    growing: dict[tuple[int, int, bool], Ladder] = {}  # by the bridge that would come next
    for i, j, parallel in bridges:
        ladder = growing.pop((i, j, parallel), None)
        if ladder is None:
            ladder = Ladder(i, i, j, j, parallel)
        elif parallel:
            ladder = ladder._replace(high=i, partner_high=j)
        else:
            ladder = ladder._replace(high=i, partner_low=j)
        growing[i + 1, j + 1 if parallel else j - 1, parallel] = ladder
    return sorted(growing.values())


def _extended(ladders: list[Ladder], segment: np.ndarray) -> list[Ladder]:
    """Ladders joined across a bulge: at most one extra residue on one strand and four on the other."""
    ladders = list(ladders)
    index = 0
    while index < len(ladders):
        other = index + 1
        while other < len(ladders) and ladders[other].low - ladders[index].high < 6:
            joined = _across_bulge(ladders[index], ladders[other], segment)
            if joined:
                ladders[index] = joined
                del ladders[other]
            else:
                other += 1
        index += 1
    return ladders


def _across_bulge(one: Ladder, two: Ladder, segment: np.ndarray) -> Ladder | None:
    step = two.low - one.high
    across = two.partner_low - one.partner_high if one.parallel else one.partner_low - two.partner_high
    if one.parallel != two.parallel or step <= 0 or across < 0 or not (across < 3 or (across < 6 and step < 3)):
        return None
    low, high = min(one.partner_low, two.partner_low), max(one.partner_high, two.partner_high)
    if segment[one.low] != segment[two.high] or segment[low] != segment[high]:
        return None
    return Ladder(one.low, two.high, low, high, one.parallel)


def _add_helices(states: np.ndarray, acceptors: np.ndarray, segment: np.ndarray) -> None:
    """Mark the residues between two turns in a row as a helix, unless any of them may not be replaced."""
    for turn, state, over in HELICES:
        starts = _starts(acceptors, segment, turn)
        free = np.zeros(len(LETTERS), dtype=bool)
        free[list(over)] = True
        free = free[states]
        for offset in range(turn):
            starts &= free[offset : offset + len(starts)]
        for offset in range(turn):
            states[np.flatnonzero(starts) + offset] = state


def _starts(acceptors: np.ndarray, segment: np.ndarray, turn: int) -> np.ndarray:
    """Whether a turn begins at residue i and at the one before it; shape (max(L - turn, 0),)."""
    count = max(len(acceptors) - turn, 0)
    begins = (acceptors[turn:] == np.arange(count)[:, None]).any(axis=-1) & (segment[turn:] == segment[:count])
    begins[1:] &= begins[:-1].copy()
    begins[:1] = False
    return begins

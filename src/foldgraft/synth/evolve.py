"""Sequences sampled on a landscape, all homologs at once, and what insertions, deletions and fragments do to them."""

import numpy as np

from foldgraft.geometry import Array
from foldgraft.residues import AMINO_ACIDS
from foldgraft.synth.potential import BACKGROUND, CONSERVED, CONSERVED_FRACTION, Landscape, property_vectors, table

SWEEPS = 30
PILOTS, CALIBRATIONS = 60, 12  # sequences and rounds by which a family's composition is set
YOUNG = 0.1  # fraction of homologs that left the founder late and are still close to it
FRAGMENTS, DELETIONS, INSERTIONS = 0.06, 0.3, 0.3  # probabilities per homolog


def family(rng: np.random.Generator, land: Landscape, count: int) -> tuple[Array, Array]:
    """`count` homologs and the founder that they descend from.

    The founder is sampled first; some of its sites are then held nearly fixed, as active sites are.

    Returns
    -------
    int array, shape (count, L), indices into `AMINO_ACIDS`; int array, shape (K,), the conserved sites.
    """
    length = len(land.fields)
    fields, pilots = calibrated(rng, land)
    founder = pilots[0]
    conserved = np.sort(rng.permutation(length)[: max(4, round(CONSERVED_FRACTION * length))])
    fields[conserved, founder[conserved]] += CONSERVED
    sweeps = np.where(rng.random(count) < YOUNG, rng.integers(1, 4, count), SWEEPS)
    return gibbs(rng, fields, land.pairs, np.tile(founder, (count, 1)), sweeps, land.strength), conserved


def calibrated(rng: np.random.Generator, land: Landscape) -> tuple[Array, Array]:
    """Fields (L, 20) that keep the family near the composition of proteins, and sequences (PILOTS, L) sampled on them.

    Left alone, the couplings fill a family with residues of extreme properties, and families come to look alike.
    """
    fields = land.fields.copy()
    states = rng.integers(0, 20, (PILOTS, len(fields)))
    wanted = table(BACKGROUND) / table(BACKGROUND).sum()
    for _ in range(CALIBRATIONS):
        states = gibbs(rng, fields, land.pairs, states, np.full(PILOTS, 3), land.strength)
        seen = (np.bincount(states.ravel(), minlength=20) + 1.0) / (states.size + 20.0)
        fields += 0.5 * np.log(wanted / seen)
    return fields, states


def gibbs(
    rng: np.random.Generator, fields: Array, pairs: Array, start: Array, sweeps: Array, strength: float = 1.0
) -> Array:
    """Gibbs sampling of sequences under fields and the contact potential, independently for each row.

    Sites without a contact between them are drawn together, so a sweep takes as many steps as the contact graph has
    colours.

    Parameters
    ----------
    fields : array, shape (L, 20), log-odds
    pairs : int array, shape (M, 2)
    start : int array, shape (N, L)
    sweeps : int array, shape (N,), how many sweeps each row takes
    strength : float, by which the contact potential is multiplied

    Returns
    -------
    int64 array, shape (N, L).
    """
    left, right = (v.astype(np.float32) for v in property_vectors())
    near = neighbour_lists(len(fields), pairs)
    right = right * np.float32(strength)
    width = max(map(len, near))
    padded = np.array([sites + [len(fields)] * (width - len(sites)) for sites in near])
    classes = colours(near)
    order = np.argsort(-sweeps, kind="stable")
    states = start[order].copy()
    vectors = np.zeros((len(states), len(fields) + 1, left.shape[1]), np.float32)  # the last site is nobody
    vectors[:, :-1] = left[states]
    fields = fields.astype(np.float32)
    for sweep in range(int(sweeps.max(initial=0))):
        active = int((sweeps > sweep).sum())
        for sites in classes:
            around = vectors[:active, padded[sites]].sum(2)  # (N, C, 4)
            logits = fields[sites] + around @ right.T  # (N, C, 20)
            odds = np.exp(logits - logits.max(-1, keepdims=True)).cumsum(-1)
            draw = rng.random((active, len(sites), 1), np.float32) * odds[..., -1:]
            new = np.minimum((odds < draw).sum(-1), 19)
            states[:active, sites] = new
            vectors[:active, sites] = left[new]
    result = np.empty_like(states)
    result[order] = states
    return result


def neighbour_lists(length: int, pairs: Array) -> list[list[int]]:
    """The partners of each site, sorted."""
    near: list[list[int]] = [[] for _ in range(length)]
    for i, j in pairs.tolist():
        near[i].append(j)
        near[j].append(i)
    return [sorted(sites) for sites in near]


def colours(near: list[list[int]]) -> list[Array]:
    """Sites in groups without a pair inside a group, greedily, the busiest first."""
    colour = [-1] * len(near)
    for site in sorted(range(len(near)), key=lambda s: (-len(near[s]), s)):
        taken = {colour[other] for other in near[site]}
        colour[site] = next(c for c in range(len(near)) if c not in taken)
    return [np.flatnonzero(np.array(colour) == c) for c in range(max(colour) + 1)]


def letters(states: Array) -> str:
    """A row of states as a one-letter sequence."""
    return "".join(AMINO_ACIDS[s] for s in states)


def worn(rng: np.random.Generator, sequence: str, layout: str) -> str:
    """The sequence with an insertion or deletion in a loop, or cut to a fragment, now and then."""
    loops = np.array([i for i, state in enumerate(layout) if state == "L" and 1 < i < len(layout) - 2])
    parts = list(sequence)
    if rng.random() < DELETIONS:
        site = int(rng.choice(loops))
        for i in range(site, site + int(rng.integers(1, 4))):
            if layout[i : i + 1] == "L":
                parts[i] = ""
    if rng.random() < INSERTIONS:
        parts[int(rng.choice(loops))] += letters(rng.integers(0, 20, int(rng.integers(1, 5))))
    text = "".join(parts)
    if rng.random() < FRAGMENTS:
        size = int(len(text) * rng.uniform(0.5, 0.8))
        first = int(rng.integers(0, len(text) - size + 1))
        text = text[first : first + size]
    return text

"""Folds: helices and beta meanders joined by loops, packed by simulated annealing over the loops' torsions.

The energy sees CA and CB alone: a short repulsion, a well between CB that wants them near, and the radius of gyration
expected of a globular chain of that length.
"""

import re
from dataclasses import dataclass

import numpy as np

from foldgraft.geometry import CONTACT_CUTOFF, Array, distances
from foldgraft.synth.backbone import build, turn

HELIX = (-62.0, -43.0)
STRAND, BEFORE_TURN, AFTER_TURN = (-106.9, 113.4), (-134.9, 116.6), (-91.0, 118.5)
HAIRPIN = ((53.2, 39.8), (88.0, 6.8))
"""Degrees, phi and psi. Strand and turn (type I') were fitted so that strands of even length form an antiparallel sheet
whose hydrogen bonds have DSSP energies below -1.1 kcal/mol and N-O distances of 2.8 to 3.1 angstrom."""

ATTEMPTS = 40  # elements tried before a layout is full
TRIES, DENSE = 4, 1.0  # folds tried for one with that many contacts per residue

BASINS = np.array([(-65, -38, 15, 15), (-115, 130, 30, 25), (-70, 145, 15, 15), (58, 40, 8, 10)], dtype=float)
BASIN_WEIGHTS = np.array([0.35, 0.33, 0.27, 0.05])
"""Allowed regions of the Ramachandran map for loops: centre and half width of phi and psi, degrees."""

TEMPERATURES = (4.0, 0.25)  # first and last; the well between two CB is 2 deep
MOVES = 5000
VARIATION = 250  # moves from a family's fold to that of a relative
DRIFT = 0.9  # angstrom, root mean square over CA-CA distances
STEP = 0.25  # angstrom^2 per entry of the energy tables
BINS = 576  # tables end at 12 angstrom, where all is zero


@dataclass(frozen=True)
class Fold:
    """A fold: its torsions (radians), its layout, and its backbone (L, 5, 3) in angstrom."""

    phi: Array
    psi: Array
    layout: str  # H helix, E strand, T hairpin turn, L loop
    atoms: Array

    @property
    def secondary_structure(self) -> str:
        """H, E and C as built; hydrogen bonds may say otherwise at the ends of elements."""
        return self.layout.replace("T", "C").replace("L", "C")


def compact(rng: np.random.Generator, shortest: int, longest: int) -> Fold:
    """A fold of `shortest` to `longest` residues with `DENSE` contacts per residue, or the densest of `TRIES`."""
    best = (-1.0, None)
    for _ in range(TRIES):
        fold = anneal(rng, sample_layout(rng, shortest, longest))
        density = len(contacts(fold, CONTACT_CUTOFF, 6)) / len(fold.layout)
        best = max(best, (density, fold), key=lambda pair: pair[0])
        if density >= DENSE:
            break
    return best[1]


def contacts(fold: Fold, cutoff: float, separation: int) -> Array:
    """Pairs i < j with CB-CB below the cutoff (angstrom) and at least `separation` apart; shape (M, 2), int64."""
    return np.argwhere(np.triu(distances(fold.atoms[:, 2]) < cutoff, k=separation))


def sample_layout(rng: np.random.Generator, shortest: int, longest: int) -> str:
    """A random succession of helices and meanders with loops between, `shortest` to `longest` residues."""
    target = int(rng.integers(shortest, longest + 1))
    helical = rng.choice([0.2, 0.5, 0.95], p=[0.3, 0.45, 0.25])
    layout = "L" * int(rng.integers(2, 5))
    for _ in range(ATTEMPTS):
        if rng.random() < helical:
            element = "H" * int(rng.integers(9, 18))
        else:
            strand = "E" * int(rng.choice([6, 8], p=[0.75, 0.25]))
            element = "TT".join([strand] * int(rng.choice([2, 3], p=[0.4, 0.6])))
        loop = "L" * int(rng.integers(3, 7))
        if len(layout) + len(element) + len(loop) <= target:
            layout += element + loop
    missing = max(0, shortest - len(layout))
    helix = "H" * (missing - 3)  # the last gap is closed by a helix if one fits, else by the tail
    return layout + (helix + "LLL" if missing >= 10 else "L" * missing)


def start(rng: np.random.Generator, layout: str) -> tuple[Array, Array]:
    """Torsions in radians: ideal in the elements, drawn from the allowed regions in the loops."""
    angles = np.array([STRAND if state == "E" else HELIX for state in layout])
    for i in re.finditer("TT", layout):
        angles[i.start() - 1 : i.end() + 1] = (BEFORE_TURN, *HAIRPIN, AFTER_TURN)
    for i, state in enumerate(layout):
        if state == "L":
            angles[i] = draw_loop(rng)
    return np.radians(angles[:, 0]), np.radians(angles[:, 1])


def draw_loop(rng: np.random.Generator) -> Array:
    """A (phi, psi) in degrees from the allowed regions."""
    centre_phi, centre_psi, wide_phi, wide_psi = BASINS[rng.choice(len(BASINS), p=BASIN_WEIGHTS)]
    return np.array([centre_phi + wide_phi * rng.uniform(-1, 1), centre_psi + wide_psi * rng.uniform(-1, 1)])


def allowed(phi: float, psi: float) -> bool:
    """Whether a loop's torsions (radians) lie in an allowed region."""
    off = np.abs((np.degrees([phi, psi]) - BASINS[:, :2] + 180.0) % 360.0 - 180.0)
    return bool((off <= BASINS[:, 2:]).all(axis=1).any())


def _tables() -> Array:
    """Energies by squared distance, shape (4 * BINS,): CA-CA, CA-CB, CB-CA, CB-CB one after the other."""
    d = np.sqrt((np.arange(BINS) + 0.5) * STEP)
    caca = 12.0 * np.clip(4.6 - d, 0.0, None) + 1.0 * np.clip(5.5 - d, 0.0, None)
    cacb = 12.0 * np.clip(4.4 - d, 0.0, None)
    well = -2.0 / (1.0 + np.exp((d - 7.2) / 0.8))
    cbcb = 12.0 * np.clip(4.2 - d, 0.0, None) + 1.2 * np.clip(5.2 - d, 0.0, None) + well
    return np.concatenate([caca, cacb, cacb, cbcb]).astype(np.float32)


TABLES = _tables()


def across(points: Array, pivot: int) -> float:
    """Energy between the residues up to `pivot` and those from it on, at least three apart in the chain.

    `points` are the CA and CB, shape (L, 2, 3). These are all pairs that a turn at `pivot` can change; the pivot stands
    on both sides since phi moves its CB against what is before and psi moves what follows against its CB.
    """
    one, two = points[: pivot + 1].reshape(-1, 3), points[pivot:].reshape(-1, 3)
    squares = (one * one).sum(1)[:, None] + (two * two).sum(1) - 2.0 * (one @ two.T)
    bins = np.clip(squares * (1.0 / STEP), 0, BINS - 1).astype(np.int32)
    bins[1::2] += 2 * BINS
    bins[:, 1::2] += BINS
    energies = TABLES[bins]
    for back in (0, 1, 2):
        row = 2 * (pivot - back)
        energies[max(row, 0) : max(row + 2, 0), : 6 - 2 * back] = 0.0
    return float(energies.sum())


def compactness(points: Array) -> float:
    """Penalty on a radius of gyration above that of a globular chain, 2.2 N^0.38 (Skolnick et al. 1997)."""
    ca = points[:, 0]
    gyration = np.sqrt(((ca - ca.mean(0)) ** 2).sum(1).mean())
    return 6.0 * max(0.0, gyration - 2.2 * len(ca) ** 0.38) ** 2


def energy_change(before: Array, after: Array, pivot: int) -> float:
    """Energy of `after` less that of `before`, which differ by a turn at residue `pivot`; points as in `across`."""
    change = across(after, pivot) - across(before, pivot)
    return change + compactness(after) - compactness(before)


def anneal(rng: np.random.Generator, layout: str, moves: int = MOVES) -> Fold:
    """Pack the elements by pivoting at loop residues, from hot to cold; the lowest energy seen is kept."""
    phi, psi = start(rng, layout)
    atoms = build(phi, psi)
    pivots = np.array([i for i, state in enumerate(layout) if state == "L" and 0 < i < len(layout) - 1])
    hot, cold = TEMPERATURES
    running, best = 0.0, (0.0, phi.copy(), psi.copy())
    for step in range(moves):
        temperature = hot * (cold / hot) ** (step / moves)
        i = int(rng.choice(pivots))
        if rng.random() < 0.4 * (1.0 - step / moves):
            new_phi, new_psi = np.radians(draw_loop(rng))
        else:
            delta = rng.normal(0.0, 0.03 + 0.15 * (1.0 - step / moves), 2)
            new_phi, new_psi = phi[i] + delta[0], psi[i] + delta[1]
            if not allowed(new_phi, new_psi):
                continue
        moved = turn(atoms, i, new_phi - phi[i], new_psi - psi[i])
        change = energy_change(atoms[:, 1:3], moved[:, 1:3], i)
        if change <= 0 or rng.random() < np.exp(-change / temperature):
            atoms, running = moved, running + change
            phi[i], psi[i] = new_phi, new_psi
            if running < best[0]:
                best = (running, phi.copy(), psi.copy())
    _, phi, psi = best
    return Fold(phi, psi, layout, build(phi, psi))


def vary(rng: np.random.Generator, fold: Fold, moves: int = VARIATION) -> Fold:
    """A relative's backbone: small turns anywhere that keep CA distances within `DRIFT` and make no clash."""
    phi, psi, atoms = fold.phi.copy(), fold.psi.copy(), fold.atoms
    ideal = distances(atoms[:, 1])
    for i in rng.integers(1, len(phi) - 1, moves).tolist():
        wide = 6.0 if fold.layout[i] == "L" else 1.5
        delta = np.radians(rng.normal(0.0, wide, 2))
        if fold.layout[i] == "L" and not allowed(phi[i] + delta[0], psi[i] + delta[1]):
            continue
        moved = turn(atoms, i, *delta)
        drift = np.sqrt(np.mean((distances(moved[:, 1]) - ideal) ** 2))
        if drift < DRIFT and energy_change(atoms[:, 1:3], moved[:, 1:3], i) < 2.0:
            atoms = moved
            phi[i], psi[i] = phi[i] + delta[0], psi[i] + delta[1]
    return Fold(phi, psi, fold.layout, atoms)

"""Where each residue of a pair lies as the other sees it: trRosetta's distance, two torsions and an angle, as classes.

Distance is CB-CB; omega the torsion CA-CB-CB-CA, the same seen from either residue; theta, N-CA-CB-CB, and phi, the
angle CA-CB-CB, are of the residue named first (Yang et al. 2020, doi 10.1073/pnas.1914677117, figure 1). Only pairs
nearer than 20 angstrom have an orientation; the others are class 0, which is a statement and no mask.
"""

import numpy as np

from foldgraft.geometry import dihedral
from foldgraft.records.pairs import triangle
from foldgraft.records.targets import MASKED, Orientations
from foldgraft.residues import ATOM_INDEX
from foldgraft.targets.masks import REASONS, Mask
from foldgraft.targets.pairs import pair_counts, pair_distances, representatives

NEAREST, FARTHEST, STEP = 2.0, 20.0, 0.5
"""angstrom"""
TURN = 15
"""degrees in a class"""
OVERLAP = 1e-9
"""angstrom; two atoms nearer than this are in one place, and give no angle."""


def beta_carbons(coordinates: np.ndarray, sequence: str) -> tuple[np.ndarray, np.ndarray]:
    """The CB of each residue, for glycine a virtual one.

    It is where an ideal residue has its CB: with b = CA - N, c = C - CA and a = b x c,
    CB = CA - 0.58273431 a + 0.56802827 b - 0.54067466 c (as in trRosetta's own preparation of structures; stated by
    Dauparas et al. 2022, doi 10.1126/science.add2187, supplement). Being of the L kind, it does not follow a mirror.

    Parameters
    ----------
    coordinates : float64 array, shape (L, 37, 3), angstrom, NaN where unresolved
    sequence : one letter per residue

    Returns
    -------
    points : float64 array, shape (L, 3); NaN where there is none
    states : array of `Mask`, shape (L,)
    """
    points, states = representatives(coordinates, sequence)
    glycine = np.frombuffer(sequence.encode("ascii"), dtype=np.uint8) == ord("G")
    n, ca, c = (coordinates[glycine, ATOM_INDEX[name]] for name in ("N", "CA", "C"))
    before, after = ca - n, c - ca
    points[glycine] = ca - 0.58273431 * np.cross(before, after) + 0.56802827 * before - 0.54067466 * after
    states[np.isnan(points).any(axis=-1) & glycine] = Mask.UNRESOLVED
    return points, states


def orientations(coordinates: np.ndarray, sequence: str) -> tuple[Orientations, list[list[str | int]]]:
    """The orientation classes of a chain, and its rows of the audit table less the id.

    Angles are computed of the pairs in reach alone, so that a long chain costs little more than its distances.

    Parameters
    ----------
    coordinates : float64 array, shape (L, 37, 3), angstrom, NaN where unresolved
    sequence : one letter per residue
    """
    points, states = beta_carbons(coordinates, sequence)
    distance = pair_distances(points)
    near = np.flatnonzero(distance < FARTHEST)
    i, j = (numbers[near] for numbers in triangle(len(sequence)))
    n, ca = (coordinates[:, ATOM_INDEX[name]] for name in ("N", "CA"))
    without_n = (states == Mask.DEFINED) & np.isnan(n[:, 0])

    omega, theta, phi = (np.zeros((rows, len(distance)), dtype=np.uint8) for rows in (1, 2, 2))
    for values in (omega, theta, phi):
        values[:, np.isnan(distance)] = MASKED
    omega[0, near] = _torsion_classes(dihedral(ca[i], points[i], points[j], ca[j]))
    for row, (first, second) in enumerate(((i, j), (j, i))):
        theta[row, near] = _torsion_classes(dihedral(n[first], ca[first], points[first], points[second]))
        phi[row, near] = _angle_classes(_angle(ca[first], points[first], points[second]))
        theta[row, without_n[triangle(len(sequence))[row]]] = MASKED
    targets = Orientations(distance=distance_classes(distance), omega=omega[0], theta=theta, phi=phi)

    once = pair_counts(states)
    twice = [2 * number for number in once]
    audit = [
        ["pair_distance", *once],
        ["pair_omega", *_undefined(once, targets.omega)],
        ["pair_theta", *_undefined(_without(twice, states, without_n), theta)],
        ["pair_phi", *_undefined(twice, phi)],
    ]
    return targets, audit


def distance_classes(values: np.ndarray) -> np.ndarray:
    """Class of each distance in angstrom; uint8 of the same shape.

    Class 0 is 20 angstrom and more, class k of 1 to 36 is 2 + (k - 1) / 2 and more; class 1 is open below, since two
    atoms nearer than 2 angstrom are anything but far. NaN becomes `MASKED`.
    """
    classes = np.floor((np.clip(values, NEAREST, FARTHEST) - NEAREST) / STEP) + 1
    classes[values >= FARTHEST] = 0
    classes[np.isnan(values)] = MASKED
    return classes.astype(np.uint8)


def _torsion_classes(radians: np.ndarray) -> np.ndarray:
    """Class 1 to 24 of angles in (-pi, pi], the first from -180 degrees on; half a turn either way is class 1."""
    steps = np.floor((np.degrees(radians) + 180) / TURN)
    return _classes(steps % (360 // TURN))


def _angle_classes(radians: np.ndarray) -> np.ndarray:
    """Class 1 to 12 of angles in [0, pi], the last closed."""
    return _classes(np.minimum(np.floor(np.degrees(radians) / TURN), 180 // TURN - 1))


def _classes(steps: np.ndarray) -> np.ndarray:
    return np.where(np.isnan(steps), MASKED, steps + 1).astype(np.uint8)


def _angle(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Angle a-b-c; arrays of shape (P, 3) to (P,), radians; NaN where two of the points are one."""
    to_a, to_c = a - b, c - b
    across = np.linalg.norm(np.cross(to_a, to_c), axis=-1)
    angle = np.arctan2(across, np.einsum("ij,ij->i", to_a, to_c))  # unlike an arccosine, exact near a straight line
    shortest = np.minimum(np.linalg.norm(to_a, axis=-1), np.linalg.norm(to_c, axis=-1))
    return np.where(shortest > OVERLAP, angle, np.nan)


def _without(counts: list[int], states: np.ndarray, without_n: np.ndarray) -> list[int]:
    """The counts of ordered pairs, less those whose first residue has all but its N: they become unresolved."""
    defined, beside = int(np.sum(states == Mask.DEFINED)), int(np.sum(states != Mask.UNRESOLVED))
    fewer = int(without_n.sum())
    return _moved(
        counts,
        {
            "defined": -fewer * (defined - 1),
            "missing_side_chain": -fewer * (beside - defined),
            "unresolved": fewer * (beside - 1),
        },
    )


def _undefined(counts: list[int], classes: np.ndarray) -> list[int]:
    """The counts, with what has all its atoms and yet no angle moved from the defined to the degenerate."""
    more = counts[1 + REASONS.index("defined")] - int(np.sum(classes != MASKED))
    return _moved(counts, {"defined": -more, "degenerate": more})


def _moved(counts: list[int], change: dict[str, int]) -> list[int]:
    return [counts[0], *(count + change.get(reason, 0) for reason, count in zip(REASONS, counts[1:], strict=True))]

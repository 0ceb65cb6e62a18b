"""Geometry of atoms, in float64 and angstrom throughout."""

import numpy as np
from numpy.typing import ArrayLike

Array = np.ndarray

CONTACT_CUTOFF = 8.0
"""angstrom, CB-CB (CA for Gly); CASP's definition (predictioncenter.org, RR format)."""

DISTOGRAM_EDGES = np.linspace(2.3125, 21.6875, 63)
"""angstrom; 64 bins, the first and the last open (Jumper et al. 2021, supplementary section 1.9.8)."""

BLOCK = 64
"""Rows of a distance matrix worked on at a time: few enough to stay in a processor's cache, whatever the length."""

COLLINEAR = 1e-9
"""square angstrom; three points whose cross product is shorter lie on a line."""


def dihedral(a: ArrayLike, b: ArrayLike, c: ArrayLike, d: ArrayLike) -> Array:
    """Signed torsion about the axis b-c, IUPAC convention (clockwise positive seen from b to c).

    Parameters
    ----------
    a, b, c, d : array, shape (..., 3), angstrom

    Returns
    -------
    float64 array, shape (...), radians in (-pi, pi]; NaN where any point is NaN or three are collinear.
    """
    a, b, c, d = (np.asarray(x, dtype=np.float64) for x in (a, b, c, d))
    before, axis, after = b - a, c - b, d - c
    left = _cross(before, axis)
    right = _cross(axis, after)
    x = _dot(left, right)
    y = _dot(before, right) * np.sqrt(_dot(axis, axis))
    defined = (_dot(left, left) > COLLINEAR**2) & (_dot(right, right) > COLLINEAR**2)
    angle = np.arctan2(y, x)
    return np.where(defined, np.where(angle == -np.pi, np.pi, angle), np.nan)


def place_atom(a: ArrayLike, b: ArrayLike, c: ArrayLike, length: float, angle: ArrayLike, torsion: ArrayLike) -> Array:
    """The point d with |d - c| = length, angle b-c-d and torsion a-b-c-d: the natural extension reference frame.

    Parameters
    ----------
    a, b, c : array, shape (..., 3), angstrom
    length : float, angstrom
    angle, torsion : array, shape (...), radians

    Returns
    -------
    float64 array, shape (..., 3). Formula: Parsons et al. 2005, doi 10.1002/jcc.20237.
    """
    a, b, c = (np.asarray(x, dtype=np.float64) for x in (a, b, c))
    angle, torsion = np.asarray(angle, dtype=np.float64), np.asarray(torsion, dtype=np.float64)
    bc = c - b
    bc = bc / np.linalg.norm(bc, axis=-1, keepdims=True)
    normal = np.cross(b - a, bc)
    normal = normal / np.linalg.norm(normal, axis=-1, keepdims=True)
    inward = np.cross(normal, bc)
    along = -np.cos(angle)[..., None] * bc
    across = (np.sin(angle) * np.cos(torsion))[..., None] * inward
    out = (np.sin(angle) * np.sin(torsion))[..., None] * normal
    return c + length * (along + across + out)


def distances(points: ArrayLike, others: ArrayLike | None = None) -> Array:
    """All distances between two sets of points, or within one.

    Differences are taken before squaring, so that two points close to each other far from the origin lose no digits.

    Parameters
    ----------
    points : array, shape (M, 3), angstrom
    others : array, shape (N, 3), angstrom; `points` themselves by default

    Returns
    -------
    float64 array, shape (M, N), angstrom; NaN where either point is NaN.
    """
    points = np.asarray(points, dtype=np.float64)
    others = points if others is None else np.asarray(others, dtype=np.float64)
    result = np.empty((len(points), len(others)))
    for start in range(0, len(points), BLOCK):
        rows = slice(start, start + BLOCK)
        np.sqrt(_squared_distances(points[rows], others), out=result[rows])
    return result


def close_pairs(points: ArrayLike, others: ArrayLike, cutoff: float) -> tuple[Array, Array]:
    """Indices of the pairs (point, other) nearer to each other than `cutoff`, ordered by point, then by other.

    Parameters
    ----------
    points, others : array, shapes (M, 3) and (N, 3), angstrom; a pair with a NaN is not close
    cutoff : float, angstrom

    Returns
    -------
    two integer arrays of one length.
    """
    points, others = (np.asarray(x, dtype=np.float64) for x in (points, others))
    first, second = _candidates(points, others, cutoff)
    steps = points[first] - others[second]
    near = _dot(steps, steps) < cutoff**2
    return first[near], second[near]


def _candidates(points: Array, others: Array, cutoff: float) -> tuple[Array, Array]:
    """Pairs that may be close: |p|^2 - 2 p.o + |o|^2 is one matrix product, with a margin for the digits it loses."""
    squares, other_squares = _dot(points, points), _dot(others, others)
    left = np.column_stack([-2 * points, squares, np.ones(len(points))])  # (M, 5)
    right = np.column_stack([others, np.ones(len(others)), other_squares]).T  # (5, N)
    largest = max(np.fmax.reduce(squares, initial=0), np.fmax.reduce(other_squares, initial=0))
    first, second = [], []
    for start in range(0, len(points), BLOCK):
        near = np.flatnonzero(left[start : start + BLOCK] @ right < cutoff**2 + 1e-12 * largest)
        row, column = np.divmod(near, len(others))
        first.append(row + start)
        second.append(column)
    none = np.empty(0, dtype=np.intp)
    return np.concatenate([none, *first]), np.concatenate([none, *second])


def _squared_distances(points: Array, others: Array) -> Array:
    total = np.zeros((len(points), len(others)))
    for axis in range(3):  # one plane at a time: no (M, N, 3) array
        difference = np.subtract.outer(points[:, axis], others[:, axis])
        difference *= difference
        total += difference
    return total


def _cross(a: Array, b: Array) -> Array:
    """Cross product along the last axis, with less overhead than numpy's for many short arrays."""
    x, y, z = a[..., 0], a[..., 1], a[..., 2]
    u, v, w = b[..., 0], b[..., 1], b[..., 2]
    return np.stack([y * w - z * v, z * u - x * w, x * v - y * u], axis=-1)


def _dot(a: Array, b: Array) -> Array:
    return np.einsum("...i,...i->...", a, b)

"""Geometry against scipy, Biopython and hand-made cases."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import cdist

from foldgraft.geometry import DISTOGRAM_EDGES, close_pairs, dihedral, distances, place_atom

POINT = arrays(np.float64, 3, elements=st.floats(-50, 50))


def test_dihedral_has_the_iupac_sign():
    """Seen from b to c the far bond is clockwise of the near one: positive."""
    b, c = [0, 0, 0], [0, 0, 1]
    near = [1, 0, 0]
    quarter, opposite, same = [0, 1, 1], [-1, 0, 1], [1, 0, 1]
    assert dihedral(near, b, c, quarter) == pytest.approx(np.pi / 2)
    assert dihedral(near, b, c, opposite) == pytest.approx(np.pi)
    assert dihedral(near, b, c, same) == 0
    assert dihedral(near, b, c, [0, -1, 1]) == pytest.approx(-np.pi / 2)


def test_half_a_turn_is_plus_pi_never_minus_pi():
    assert dihedral([1, -0.0, 0], [0, 0, 0], [0, 0, 1], [-1, -0.0, 1]) == np.pi
    assert dihedral([1, 0, 0], [0, 0, 0], [0, 0, 1], [-1, -1e-300, 1]) == np.pi


def test_dihedral_agrees_with_biopython():
    from Bio.PDB.vectors import Vector, calc_dihedral

    points = np.random.default_rng(0).normal(scale=5, size=(200, 4, 3))
    expected = [calc_dihedral(*(Vector(p) for p in four)) for four in points]
    np.testing.assert_allclose(dihedral(*np.moveaxis(points, 1, 0)), expected, atol=1e-9)


def test_dihedral_is_nan_where_it_is_not_defined():
    straight = dihedral([0, 0, 0], [0, 0, 1], [0, 0, 2], [1, 0, 2])
    twice = dihedral([1, 0, 0], [0, 0, 0], [0, 0, 0], [0, 1, 0])
    absent = dihedral([1, 0, np.nan], [0, 0, 0], [0, 0, 1], [0, 1, 0])
    assert np.isnan([straight, twice, absent]).all()


def test_dihedral_broadcasts_and_takes_float32():
    points = np.random.default_rng(1).normal(size=(4, 5, 7, 3)).astype(np.float32)
    angles = dihedral(*points)
    assert angles.shape == (5, 7)
    assert angles.dtype == np.float64


@given(a=POINT, b=POINT, c=POINT, length=st.floats(0.5, 5), angle=st.floats(0.2, 2.9), torsion=st.floats(-3.1, 3.1))
def test_place_atom_gives_back_length_angle_and_torsion(a, b, c, length, angle, torsion):
    assume(np.linalg.norm(np.cross(b - a, c - b)) > 0.1)
    d = place_atom(a, b, c, length, angle, torsion)
    assert np.linalg.norm(d - c) == pytest.approx(length, abs=1e-9)
    cosine = np.dot(b - c, d - c) / np.linalg.norm(b - c) / np.linalg.norm(d - c)
    assert np.arccos(np.clip(cosine, -1, 1)) == pytest.approx(angle, abs=1e-6)
    assert dihedral(a, b, c, d) == pytest.approx(torsion, abs=1e-6)


@pytest.mark.parametrize("length", [0, 1, 63, 64, 65, 300])
def test_distances_agree_with_scipy(length):
    points = np.random.default_rng(length).normal(scale=40, size=(length, 3))
    others = np.random.default_rng(1).normal(scale=40, size=(17, 3))
    np.testing.assert_allclose(distances(points), cdist(points, points), rtol=0, atol=1e-9)
    np.testing.assert_allclose(distances(points, others), cdist(points, others), rtol=0, atol=1e-9)


def test_distances_are_symmetric_and_zero_on_the_diagonal():
    points = np.random.default_rng(2).normal(scale=40, size=(130, 3)) + 9000
    result = distances(points)
    np.testing.assert_array_equal(result, result.T)
    assert (np.diag(result) == 0).all()


def test_near_points_far_from_the_origin_keep_their_distance():
    points = np.array([[1e4, 1e4, 1e4], [1e4 + 2**-20, 1e4, 1e4]])
    assert distances(points)[0, 1] == 2**-20


def test_distances_to_an_unresolved_point_are_nan():
    result = distances([[0, 0, 0], [np.nan, 0, 0], [0, 3, 4]])
    assert result[0, 2] == 5
    assert np.isnan(result[1]).all()
    assert np.isnan(result[:, 1]).all()


@given(
    points=arrays(np.float64, (70, 3), elements=st.floats(-9, 9)),
    shift=st.floats(-1e4, 1e4),
    cutoff=st.floats(0.5, 9),
    absent=st.sets(st.integers(0, 69), max_size=5),
)
def test_close_pairs_are_those_of_the_distance_matrix(points, shift, cutoff, absent):
    points = points + shift
    points[list(absent)] = np.nan
    others = points[:40]
    steps = points[:, None] - others[None]
    expected = np.nonzero((steps**2).sum(axis=-1) < cutoff**2)
    found = close_pairs(points, others, cutoff)
    # sums in another order may differ in the last digit, so pairs at the cutoff itself may fall either way
    different = set(zip(*map(np.ndarray.tolist, found), strict=True)) ^ set(
        zip(*map(np.ndarray.tolist, expected), strict=True)
    )
    assert all(abs(np.linalg.norm(points[i] - others[j]) - cutoff) < 1e-9 for i, j in different)
    assert np.all(np.diff(found[0] * len(others) + found[1]) > 0)


def test_close_pairs_of_nothing():
    first, second = close_pairs(np.empty((0, 3)), np.empty((0, 3)), 5.0)
    assert len(first) == len(second) == 0


def test_distogram_edges_are_exact():
    assert len(DISTOGRAM_EDGES) == 63
    assert [float(edge) for edge in DISTOGRAM_EDGES] == [(37 + 5 * k) / 16 for k in range(63)]

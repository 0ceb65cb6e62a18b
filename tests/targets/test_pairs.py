"""Distances, bins and contacts of pairs, at their edges and against scipy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import pdist

from foldgraft.geometry import DISTOGRAM_EDGES
from foldgraft.records.targets import MASKED
from foldgraft.residues import ATOM_INDEX
from foldgraft.targets.masks import COLUMNS, Mask, count
from foldgraft.targets.pairs import (
    contacts,
    distogram_bins,
    pair_counts,
    pair_distances,
    representatives,
)


@pytest.mark.parametrize("length", [1, 2, 63, 64, 65, 200])
def test_distances_are_those_of_scipy_in_the_packed_order(length):
    points = np.random.default_rng(length).normal(scale=30, size=(length, 3))
    np.testing.assert_allclose(pair_distances(points), pdist(points), rtol=0, atol=1e-9)


def test_an_edge_belongs_to_the_bin_below_it():
    for index, edge in enumerate(DISTOGRAM_EDGES):
        around = np.array([np.nextafter(edge, 0), edge, np.nextafter(edge, np.inf)])
        assert distogram_bins(around).tolist() == [index, index, index + 1]


def test_the_first_and_last_bin_are_open_and_nan_is_masked():
    bins = distogram_bins(np.array([0.0, 2.0, 21.7, 22.5, 1e6, np.inf, np.nan]))
    assert bins.tolist() == [0, 0, 63, 63, 63, 63, MASKED]
    assert bins.dtype == np.uint8


@given(st.lists(st.floats(0, 40), max_size=50))
def test_bins_count_the_smaller_edges(values):
    values = np.array(values)
    expected = (values[:, None] > DISTOGRAM_EDGES).sum(axis=-1)
    np.testing.assert_array_equal(distogram_bins(values), expected)


def test_contacts_are_nearer_than_eight_angstrom():
    assert contacts(np.array([7.999, 8.0, np.nextafter(8.0, 0), np.nan])).tolist() == [True, False, True, False]
    points = np.array([[0.0, 0, 0], [7.999, 0, 0], [0, 8.0, 0]])
    assert contacts(pair_distances(points)).tolist() == [True, False, False]


def test_glycine_is_its_ca_and_a_missing_cb_is_masked_not_invented():
    coordinates = np.full((5, 37, 3), np.nan)
    coordinates[:4, ATOM_INDEX["CA"]] = [[0, 0, 0], [1, 0, 0], [2, 0, 0], [3, 0, 0]]
    coordinates[[0, 1, 4], ATOM_INDEX["CB"]] = [[0, 1, 0], [1, 1, 0], [4, 1, 0]]
    points, states = representatives(coordinates, "GAGAA")
    defined, missing, unresolved = Mask.DEFINED, Mask.MISSING_SIDE_CHAIN, Mask.UNRESOLVED
    assert states.tolist() == [defined, defined, defined, missing, unresolved]
    np.testing.assert_array_equal(points[:3], [[0, 0, 0], [1, 1, 0], [2, 0, 0]])
    assert np.isnan(points[3:]).all()


@given(st.lists(st.sampled_from([Mask.DEFINED, Mask.MISSING_SIDE_CHAIN, Mask.UNRESOLVED]), min_size=1, max_size=20))
def test_pair_counts_agree_with_counting_pair_by_pair(states):
    states = np.array(states)
    i, j = np.triu_indices(len(states), k=1)
    worse = np.where(
        (states[i] == Mask.UNRESOLVED) | (states[j] == Mask.UNRESOLVED),
        Mask.UNRESOLVED,
        np.maximum(states[i], states[j]),
    )
    assert pair_counts(states) == count(worse)
    assert len(pair_counts(states)) == len(COLUMNS) - 2

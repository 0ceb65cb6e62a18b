"""Weighted sums and means against plain loops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foldgraft.metrics import sums


@given(st.integers(1, 30), st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_rows_added_up_by_group_and_weighted_by_group_are_rows_weighted_alike(n, groups, seed):
    rng = np.random.default_rng(seed)
    rows, group = rng.normal(size=(n, 3)), rng.integers(0, groups, n)
    weights = rng.integers(0, 4, size=(2, groups)).astype(float)
    together = sums.total(sums.by_group(rows, group, groups), weights)
    assert together == pytest.approx(sums.total(rows, weights[:, group]))


def test_means_leave_out_what_is_not_known():
    values = np.array([[1.0, np.nan], [0.0, np.nan], [0.5, 0.2]])
    weights = np.array([[1, 1, 1], [2, 0, 0]], dtype=float)
    found = sums.means(sums.total(sums.mean_rows(values), weights))
    assert found[0].tolist() == pytest.approx([0.5, 0.2])
    assert found[1, 0] == 1.0
    assert np.isnan(found[1, 1])
    assert sums.means(sums.total(sums.mean_rows(values)))[0].tolist() == pytest.approx([0.5, 0.2])

"""Packed pairs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from foldgraft.records.pairs import pack, triangle, unpack


@given(st.integers(0, 30).flatmap(lambda n: arrays(np.float64, (n, n), elements=st.floats(-9, 9))))
def test_unpack_gives_back_what_pack_packed(matrix):
    symmetric = matrix + matrix.T
    length = len(matrix)
    packed = pack(symmetric)
    assert packed.shape == (length * (length - 1) // 2,)
    again = unpack(packed, length, diagonal=7)
    expected = symmetric.copy()
    np.fill_diagonal(expected, 7)
    np.testing.assert_array_equal(again, expected)


@pytest.mark.parametrize("length", [1, 2, 3, 17])
def test_the_order_is_that_of_numpys_triangle(length):
    matrix = np.arange(length * length).reshape(length, length)
    i, j = triangle(length)
    np.testing.assert_array_equal(pack(matrix), matrix[i, j])
    np.testing.assert_array_equal((i, j), np.triu_indices(length, k=1))


def test_leading_axes_are_kept():
    stack = np.random.default_rng(0).normal(size=(2, 3, 5, 5))
    packed = pack(stack)
    assert packed.shape == (2, 3, 10)
    np.testing.assert_array_equal(packed[1, 2], pack(stack[1, 2]))


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.float32])
def test_the_type_is_kept(dtype):
    packed = np.ones(6, dtype=dtype)
    assert unpack(packed, 4).dtype == dtype
    assert pack(unpack(packed, 4)).dtype == dtype

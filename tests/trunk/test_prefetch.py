"""Batches prefetched in a thread: the same, in order, with their errors, and none left running."""

import threading
from itertools import count

import numpy as np
import pytest

from foldgraft.trunk.pretraining.batches import Batch
from foldgraft.trunk.pretraining.prefetch import prefetch, tensors


def test_items_come_in_order_and_end():
    assert list(prefetch(iter(range(50)), 3)) == list(range(50))


def test_no_more_is_made_than_asked_for():
    made = []
    items = prefetch((made.append(number) or number for number in count()), 2)
    assert [next(items) for _ in range(5)] == [0, 1, 2, 3, 4]
    items.close()
    assert len(made) <= 5 + 2 + 1
    assert not any("make" in thread.name for thread in threading.enumerate())


def test_an_error_reaches_the_reader():
    def broken():
        yield 1
        raise ValueError("row 7")

    items = prefetch(broken())
    assert next(items) == 1
    with pytest.raises(ValueError, match="row 7"):
        next(items)


def test_tensors_are_the_arrays():
    batch = Batch(np.array([[0, 5, 2]], np.uint8), np.array([1]), np.array([5]), 3)
    assert [tensor.tolist() for tensor in tensors(batch, pinned=False)] == [[[0, 5, 2]], [1], [5]]

"""Work in threads."""

import threading

import pytest

from foldgraft.fetch.parallel import in_parallel


@pytest.mark.parametrize("threads", [1, 3, 50])
def test_results_come_in_the_order_of_the_items(threads):
    assert list(in_parallel(lambda item: item * 2, range(20), threads)) == list(range(0, 40, 2))
    assert list(in_parallel(str, [], threads)) == []


def test_items_are_worked_on_at_the_same_time_but_no_more_than_the_threads():
    together, running, most = threading.Barrier(3, timeout=10), [], []

    def work(item):
        running.append(item)
        most.append(len(running))
        if item < 3:
            together.wait()
        running.remove(item)

    list(in_parallel(work, range(12), 3))
    assert max(most) == 3


def test_the_first_error_ends_it_and_later_items_are_left():
    seen = []

    def work(item):
        seen.append(item)
        if item == 2:
            raise KeyError("two")
        return item

    with pytest.raises(KeyError, match="two"):
        list(in_parallel(work, range(1000), 1))
    assert seen == [0, 1, 2]

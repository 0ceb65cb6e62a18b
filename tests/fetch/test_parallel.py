"""Work in threads."""

import threading

import pytest

from foldgraft.fetch import parallel
from foldgraft.fetch.parallel import in_parallel


def never():
    raise AssertionError("told to stop without an error")


@pytest.mark.parametrize("threads", [1, 3, 50])
def test_results_come_in_the_order_of_the_items(threads):
    assert list(in_parallel(lambda item: item * 2, range(20), threads, never)) == list(range(0, 40, 2))
    assert list(in_parallel(str, [], threads, never)) == []


def test_items_are_worked_on_at_the_same_time_but_no_more_than_the_threads():
    together, running, most = threading.Barrier(3, timeout=10), [], []

    def work(item):
        running.append(item)
        most.append(len(running))
        if item < 3:
            together.wait()
        running.remove(item)

    list(in_parallel(work, range(12), 3, never))
    assert max(most) == 3


def test_the_first_error_ends_it_and_later_items_are_left():
    seen = []

    def work(item):
        seen.append(item)
        if item == 2:
            raise KeyError("two")
        return item

    with pytest.raises(KeyError, match="two"):
        list(in_parallel(work, range(1000), 1, lambda: seen.append("stop")))
    assert seen == [0, 1, 2, "stop"]


def test_at_an_error_the_others_are_told_to_stop_and_given_time_to_clear_up(monkeypatch):
    monkeypatch.setattr(parallel, "GRACE", 30.0)
    at_work, stopped, cleared = threading.Event(), threading.Event(), []

    def work(item):
        if item == 0:
            at_work.wait(10)
            raise KeyError("one")
        at_work.set()
        if stopped.wait(10):
            cleared.append(item)

    with pytest.raises(KeyError, match="one"):
        list(in_parallel(work, range(2), 2, stopped.set))
    assert cleared == [1]

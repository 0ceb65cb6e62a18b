"""Work in threads that do not keep an interrupted program from ending."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")
GRACE = 1.0  # seconds that threads have to clear up after an error or an interrupt


def in_parallel(work: Callable[[T], R], items: Sequence[T], threads: int, stop: Callable[[], None]) -> Iterator[R]:
    """Yield `work(item)` in the order of the items; the first error ends it, and `stop` asks what is under way to end.

    Unlike those of a ThreadPoolExecutor, the threads are daemons: one that waits for a silent server does not delay the
    end of the program.
    """
    futures: list[Future[R]] = [Future() for _ in items]
    waiting = deque(zip(items, futures, strict=True))

    def serve() -> None:
        while True:
            try:
                item, future = waiting.popleft()
            except IndexError:
                return
            try:
                future.set_result(work(item))
            except BaseException as error:
                waiting.clear()  # all that wait come after this item, and nobody will ask for them
                future.set_exception(error)

    workers = [threading.Thread(target=serve, daemon=True) for _ in range(min(threads, len(items)))]
    for worker in workers:
        worker.start()
    try:
        for future in futures:
            yield future.result()
    except BaseException:
        waiting.clear()
        stop()
        raise
    finally:
        until = time.monotonic() + GRACE
        for worker in workers:
            worker.join(max(until - time.monotonic(), 0))

"""Batches prefetched: made ahead in a thread, where a GPU would wait for them."""

import queue
import threading
from collections.abc import Iterator
from typing import Any, TypeVar

import torch
from torch import Tensor

from foldgraft.trunk.pretraining.batches import Batch

PREFETCHED = 4
"""Batches that wait ready."""

T = TypeVar("T")


def prefetch(items: Iterator[T], depth: int = PREFETCHED) -> Iterator[T]:
    """The same items, made in a thread, up to `depth` before they are asked for; its errors are raised here."""
    ready: queue.Queue[tuple[str, Any]] = queue.Queue(depth)
    ended = threading.Event()

    def put(kind: str, value: Any = None) -> None:
        while not ended.is_set():
            try:
                ready.put((kind, value), timeout=0.1)
                return
            except queue.Full:
                continue

    def make() -> None:
        try:
            for item in items:
                put("item", item)
                if ended.is_set():
                    return
            put("end")
        except BaseException as error:  # it belongs to whoever reads
            put("error", error)

    thread = threading.Thread(target=make, daemon=True)
    thread.start()
    try:
        while True:
            kind, value = ready.get()
            if kind == "error":
                raise value
            if kind == "end":
                return
            yield value
    finally:
        ended.set()
        thread.join()


def tensors(batch: Batch, pinned: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Inputs (B, T), positions (S,) and targets (S,); in pinned memory they can be copied while the GPU computes."""
    pageable = (torch.from_numpy(array) for array in (batch.inputs, batch.positions, batch.targets))
    inputs, positions, targets = (tensor.pin_memory() if pinned else tensor for tensor in pageable)
    return inputs, positions, targets

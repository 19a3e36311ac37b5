"""A trained network on many meshes at once: one mesh for each core, each on one thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeVar

import torch

from gaugenet.data.meshes._prepare import in_parallel

Item = TypeVar("Item")
Result = TypeVar("Result")


def on_each(
    function: Callable[[Item], Result], items: Sequence[Item], *, n_jobs: int, device: torch.device
) -> Iterator[Result]:
    """Yield the results of a function, in order, computed for several items at once where the CPU does the work.

    A mesh is a small problem: its layers keep several cores less busy than several meshes do. So every item has one
    thread of PyTorch. With `n_jobs` 1, a single item or a GPU, the items come one after the other on all threads.

    Args:
        function: e.g. a network with its preparation. It must be safe to call from several threads.
        items: its arguments.
        n_jobs: number of items at once; -1 uses all threads that PyTorch may use.
        device: where the function computes.
    """
    threads = torch.get_num_threads()
    workers = min(threads if n_jobs < 0 else n_jobs, len(items))
    if workers <= 1 or device.type != "cpu":
        yield from map(function, items)
        return
    torch.set_num_threads(1)  # for the threads that are started now
    try:
        yield from in_parallel([partial(function, item) for item in items], workers)
    finally:
        torch.set_num_threads(threads)


__all__ = ["on_each"]

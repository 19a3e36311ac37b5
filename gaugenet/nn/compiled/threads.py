"""Compiled loops on threads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache


def in_parallel(work: Callable[[int, int, int], None], begin: int, end: int, workers: int) -> None:
    """Split `begin ... end` over threads; numba releases the GIL. Numba's `prange` is not safe to fork or to nest."""
    if workers == 1:
        work(begin, end, 0)
        return
    bounds = [begin + (end - begin) * k // workers for k in range(workers + 1)]
    list(_pool(workers).map(work, bounds[:-1], bounds[1:], range(workers)))


@lru_cache(maxsize=8)
def _pool(workers: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(workers, thread_name_prefix="gaugenet")

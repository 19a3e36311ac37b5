"""One process at a time compiles loops, so that processes do not spoil each other's files in numba's cache."""

from __future__ import annotations

import logging
from pathlib import Path
from threading import Lock
from typing import Any

import numba
from filelock import FileLock, Timeout
from numba.core import event

logger = logging.getLogger(__name__)

_PATIENCE = 600.0  # seconds; the longest compilation takes a tenth of it


class CompileLock(event.Listener):
    """Hold a lock file next to numba's cache for as long as numba compiles, looks up or stores a loop.

    Numba numbers the compiled variants of a loop by its index file. Two processes that store variants at the same time
    give both the same number: the index then names the code of one variant as that of another, and later processes
    silently compute wrong values. With the lock, the second process also finds what the first one compiled.

    Where the file cannot be locked, nothing is locked.

    Args:
        path: the lock file; its folder is created.
    """

    def __init__(self, path: Path) -> None:
        self._lock = FileLock(path, timeout=_PATIENCE, thread_local=False)
        self._mutex = Lock()
        self._inside = 0  # calls of numba's own lock, of all threads of this process, that have not ended

    def on_start(self, event: Any) -> None:
        with self._mutex:
            self._inside += 1
            if self._inside == 1:
                self._acquire()

    def on_end(self, event: Any) -> None:
        with self._mutex:
            self._inside -= 1
            if self._inside == 0:
                self._lock.release()

    def _acquire(self) -> None:
        try:
            Path(self._lock.lock_file).parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
        except (OSError, NotImplementedError, Timeout) as error:
            logger.debug("compiling without a lock: %s", error)


def lock_compilation() -> None:
    """Let this process wait while another one compiles, from now on."""
    try:
        cache = numba.njit(cache=True)(_anything).stats.cache_path
    except RuntimeError as error:  # no folder can be written
        logger.debug("compiling without a lock: %s", error)
        return
    if cache is not None:
        event.register("numba:compiler_lock", CompileLock(Path(cache) / "compiling.lock"))  # type: ignore[no-untyped-call]


def _anything() -> None:
    """A function whose compiled code would lie in the cache."""

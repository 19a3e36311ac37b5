"""Work on untrusted files in child processes with limits: the failure of one child does not stop the others."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

_START = "fork" if "fork" in multiprocessing.get_all_start_methods() and os.name == "posix" else "spawn"
_REPLACED_AFTER = 1000
"""Items after which a child is replaced, so that memory that a library leaks does not add up."""


@dataclass(frozen=True)
class Limits:
    """Limits for one item.

    Attributes:
        seconds: time on the clock.
        memory: bytes beyond what the process has at its start; not limited on systems without `setrlimit`.
    """

    seconds: float = 60.0
    memory: float = 4 * 2.0**30

    def __post_init__(self) -> None:
        for name, value in (("time", self.seconds), ("memory", self.memory)):
            if not 0 < value < float("inf"):
                raise ValueError(f"Expected a positive limit of {name}, got {value}.")


@dataclass(frozen=True)
class Failure:
    """Why an item has no result.

    Attributes:
        outcome: `timeout`, `out of memory`, or `crashed`.
        reason: a text.
    """

    outcome: str
    reason: str


def isolated(
    work: Callable[[Any], Any], items: Sequence[Any], *, processes: int, limits: Limits
) -> Iterator[tuple[int, Any]]:
    """Yield the index and the result of `work(item)`, or a `Failure`, for each item as soon as it is finished.

    Every item is processed in a child process. A child that exceeds a limit or crashes is replaced, and only its
    current item is lost.

    Args:
        work: a function at the top level of a module; its results can be pickled.
        items: items that can be pickled.
        processes: number of parallel children.
        limits: of each item.
    """
    waiting = list(range(len(items)))[::-1]
    children = [_Child(work, limits) for _ in range(min(processes, len(items)))]
    try:
        for child in children:
            child.take(waiting, items)
        while busy := [child for child in children if child.item is not None]:
            for child in _first_of(busy):
                index = child.item
                yield index, child.result()
                child.take(waiting, items)
    finally:
        for child in children:
            child.stop()


@dataclass
class _Child:
    """A process that handles one item after the other.

    Attributes:
        item: index of the current item, `None` if there is none.
    """

    work: Callable[[Any], Any]
    limits: Limits
    item: Any = None
    _deadline: float = 0.0
    _count: int = 0
    _process: Any = None
    pipe: Any = None

    def take(self, waiting: list[int], items: Sequence[Any]) -> None:
        self.item = waiting.pop() if waiting else None
        if self.item is None:
            return
        if self._process is None or self._count >= _REPLACED_AFTER:
            self._start()
        self._count += 1
        self._deadline = time.monotonic() + self.limits.seconds
        self.pipe.send(items[self.item])

    @property
    def left(self) -> float:
        """Return the seconds until the deadline."""
        return self._deadline - time.monotonic()

    def result(self) -> Any:
        """Return the result, or a `Failure` after which the process has ended."""
        with suppress(EOFError, ConnectionError):
            if self.pipe.poll():
                return self.pipe.recv()
        late = self._process.is_alive() and self.left <= 0
        code = self.stop()
        if late:
            return Failure("timeout", f"not done after {self.limits.seconds:g} s")
        if code == -signal.SIGKILL:
            return Failure("out of memory", "the system ended the process")
        return Failure("crashed", f"the process ended with status {code}")

    def _start(self) -> None:
        self.stop()
        context: Any = multiprocessing.get_context(_START)
        self.pipe, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(self.work, other, self.pipe, self.limits), daemon=True)
        self._process.start()
        other.close()
        self._count = 0

    def stop(self) -> int | None:
        """End the process, and return its exit status before that."""
        if self._process is None:
            return None
        self._process.join(0.2 if self.left > 0 and self.item is not None else 0)  # it may be about to end by itself
        code: int | None = self._process.exitcode
        self._process.kill()
        self._process.join()
        self._process.close()
        self._process = None
        self.pipe.close()
        return code


def _first_of(busy: Sequence[_Child]) -> list[_Child]:
    """Return the children that have a result, have ended, or exceed the time limit."""
    ready = wait([child.pipe for child in busy], timeout=max(0.0, min(child.left for child in busy)))
    return [child for child in busy if child.pipe in ready or child.left <= 0]


def _serve(work: Callable[[Any], Any], pipe: Connection, parents: Connection, limits: Limits) -> None:
    """Answer items until the parent closes the pipe."""
    parents.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its children
    _limit_memory(limits.memory)
    while True:
        try:
            item = pipe.recv()
        except (EOFError, ConnectionError):
            return
        try:
            answer = work(item)
        except MemoryError:
            answer = Failure("out of memory", f"it needs more than {limits.memory / 2**30:.3g} GiB")
        pipe.send(answer)


def _limit_memory(allowed: float) -> None:
    try:
        import resource
    except ImportError:
        return
    with suppress(OSError, ValueError, IndexError):
        held = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        wanted = int(held + allowed)
        resource.setrlimit(resource.RLIMIT_AS, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))

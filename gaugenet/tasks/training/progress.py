"""Progress on the terminal, with the time left; a few plain lines if there is no terminal."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

logger = logging.getLogger(__name__)

LINES = 20
_SECONDS = 5.0
"""Where the output is not a terminal: the largest number of lines of a task, and the seconds between two lines."""


class Bar(Protocol):
    """A progress bar, as `progress` yields it."""

    def advance(self, steps: int = 1, note: str | None = None) -> None:
        """Advance by `steps`, and show `note` next to the bar."""


@contextmanager
def progress(total: int, description: str, *, done: int = 0) -> Iterator[Bar]:
    """Yield a progress bar of `total` steps on stderr if that is a terminal; otherwise log at most `LINES` lines.

    Args:
        total: number of steps.
        description: text in front of the bar.
        done: steps done before, for example by a training that is resumed.
    """
    if sys.stderr.isatty():
        with _RichBar(total, description, done) as bar:
            yield bar
    else:
        yield _LogBar(total, description, done)


class _RichBar:
    def __init__(self, total: int, description: str, done: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TaskProgressColumn(),
            TimeRemainingColumn(elapsed_when_finished=True),
            TextColumn("{task.fields[note]}"),
        )
        self._progress = Progress(
            *columns, console=Console(stderr=True), refresh_per_second=4, speed_estimate_period=120
        )
        self._task = self._progress.add_task(description, total=total, completed=done, note="")

    def __enter__(self) -> _RichBar:
        self._progress.start()
        return self

    def __exit__(self, *exception: Any) -> None:
        self._progress.stop()

    def advance(self, steps: int = 1, note: str | None = None) -> None:
        if note is not None:
            self._progress.update(self._task, note=note)
        self._progress.update(self._task, advance=steps)


class _LogBar:
    def __init__(self, total: int, description: str, done: int) -> None:
        self.total, self.description, self.first, self.done = total, description, done, done
        self.step = max(1, -(-total // LINES))
        self.note = ""
        self.start = self.last = time.monotonic()

    def advance(self, steps: int = 1, note: str | None = None) -> None:
        before = self.done
        self.done += steps
        self.note = self.note if note is None else note
        now = time.monotonic()
        due = self.done // self.step > before // self.step and now - self.last > _SECONDS
        if due or self.done >= self.total:
            self.last, spent = now, now - self.start
            left = spent * (self.total - self.done) / max(1, self.done - self.first)
            clock = f"{_clock(spent)} spent, {_clock(left)} left"
            logger.info("%s %d/%d  %s  %s", self.description, self.done, self.total, clock, self.note)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"

"""SIGTERM and SIGHUP end a command as Ctrl-C does: at once, with one message, and without half-written files."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

from gaugenet.files import remove_temporaries

SECONDS = 1.2
"""An orderly end may take this long. After that the process ends without it."""
_NAMES = ("SIGTERM", "SIGHUP")


class Stopped(KeyboardInterrupt):
    """A signal that asks the process to end."""


class StopSignals:
    """The signals that arrived while `stop_signals` was active.

    Attributes:
        received: number of the signal; `None` if there was none.
    """

    def __init__(self) -> None:
        self.received: int | None = None

    @property
    def status(self) -> int | None:
        """The exit status that shells give for the signal."""
        return None if self.received is None else 128 + self.received

    def handle(self, number: int, frame: Any) -> None:
        """Raise `Stopped` in the main thread."""
        self.received = number
        raise Stopped(f"stopped by {signal.Signals(number).name}.")

    def watch(self, pipe: int, handled: frozenset[int]) -> None:
        """End the process some time after a signal, in case the main thread is in compiled code and does not react."""
        while byte := os.read(pipe, 1):
            if byte[0] in handled:
                time.sleep(SECONDS)
                _end(128 + byte[0])
        os.close(pipe)


@contextmanager
def stop_signals() -> Iterator[StopSignals]:
    """Turn SIGTERM and SIGHUP into `Stopped`, and end the process if that does not end it soon.

    After a signal the process ends here, since the libraries need seconds for a cleanup that has no effect.

    Signals that are ignored (`nohup`) or have a handler stay as they are. Outside of the main thread nothing
    is changed.
    """
    signals = StopSignals()
    numbers = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
    if threading.current_thread() is not threading.main_thread():
        yield signals
        return
    own = [number for number in numbers if signal.getsignal(number) is signal.SIG_DFL]
    read, write = os.pipe()
    os.set_blocking(write, False)
    before = signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    threading.Thread(target=signals.watch, args=(read, frozenset(own)), daemon=True).start()
    for number in own:
        signal.signal(number, signals.handle)
    try:
        yield signals
    finally:
        for number in own:
            signal.signal(number, signal.SIG_DFL)
        signal.set_wakeup_fd(before)
        if signals.status is not None:
            _end(signals.status)
        os.close(write)


def _end(status: int) -> NoReturn:
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    remove_temporaries()
    os._exit(status)


def _leave() -> None:
    """Restore the default handling of signals in a forked child."""
    for name in _NAMES:
        number = getattr(signal, name)
        if isinstance(getattr(signal.getsignal(number), "__self__", None), StopSignals):
            signal.signal(number, signal.SIG_DFL)
            signal.set_wakeup_fd(-1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave)

"""Loops compiled by numba. Numba is imported when a loop is first called, so importing a module stays fast."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from threading import RLock
from typing import Any, TypeVar, cast

Function = TypeVar("Function", bound=Callable[..., Any])

logger = logging.getLogger(__name__)

_WAITING: list[_Loop] = []
_LOCK = RLock()


def njit(*, borrowed: bool = False, **options: Any) -> Callable[[Function], Function]:
    """Return a typed and deferred `numba.njit`: numba gets the function when a loop is called for the first time.

    Loops are never called from C, so numba need not compile a C entry point.

    Args:
        borrowed: the function allocates nothing and returns no array. Then numba need not count references to the
            arrays that it is given. The counts are atomic operations, which in functions that take many arrays and
            are called for every vertex took half of the time.
        **options: options of `numba.njit`.
    """
    options = {"no_cfunc_wrapper": True, **options, **({"_nrt": False} if borrowed else {})}

    def decorate(function: Function) -> Function:
        loop = _Loop(function, options)
        _WAITING.append(loop)
        return cast("Function", loop)

    return decorate


class _Loop:
    """A placeholder for a function that numba compiles at the first call.

    Attributes:
        compiled: the compiled function; `None` until then.
    """

    def __init__(self, function: Callable[..., Any], options: dict[str, Any]) -> None:
        functools.update_wrapper(self, function)
        self.function, self.options = function, options
        self.compiled: Callable[..., Any] | None = None

    def __call__(self, *args: Any) -> Any:
        if self.compiled is None:
            _hand_over()
        return self.compiled(*args)


def _hand_over() -> None:
    """Hand all waiting loops to numba, and replace them by the compiled functions in all modules with loops.

    Numba looks up the functions that a loop calls among the globals of the loop's module, and accepts only its own
    functions there. Called modules are changed before their callers, and each in one step. So no thread finds a
    compiled loop that calls a loop that is not compiled.
    """
    import numba

    with _LOCK:
        _prepare_numba()
        loops = _WAITING.copy()
        made = {id(loop): numba.njit(**_known(loop.options))(loop.function) for loop in loops}
        for namespace in {id(space): space for space in (loop.function.__globals__ for loop in loops)}.values():
            found = {name: value for name, value in namespace.items() if isinstance(value, _Loop)}
            namespace.update({name: made.get(id(loop), loop.compiled) for name, loop in found.items()})
        for loop in loops:
            loop.compiled = made[id(loop)]
            _WAITING.remove(loop)


def _known(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options without the private one, if this version of numba does not have it: it only saves time."""
    from numba.core.options import DefaultOptions

    return options if hasattr(DefaultOptions, "_nrt") else {k: v for k, v in options.items() if k != "_nrt"}


@functools.lru_cache(maxsize=1)
def _prepare_numba() -> None:
    """Let one process at a time compile, and log when numba first compiles a loop that is not in its cache."""
    from numba.core import event

    from gaugenet._compile_lock import lock_compilation

    lock_compilation()

    class Announcement(event.Listener):
        def on_start(self, event: Any) -> None:
            _say_once("compiling loops for this machine, once after an installation: some 20 seconds")

        def on_end(self, event: Any) -> None: ...

    event.register("numba:compile", Announcement())  # type: ignore[no-untyped-call]


@functools.lru_cache(maxsize=1)
def _say_once(text: str) -> None:
    logger.info(text)


__all__ = ["njit"]

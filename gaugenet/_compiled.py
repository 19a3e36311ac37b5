"""Loops compiled by numba, which is imported when the first of them is called: importing a module costs nothing."""

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


def njit(**options: Any) -> Callable[[Function], Function]:
    """`numba.njit` with types, and late: the function is handed to numba when a loop is called for the first time.

    Nothing calls loops from C, so numba need not compile a second entry for that.

    Args:
        **options: those of `numba.njit`.
    """
    options = {"no_cfunc_wrapper": True, **options}

    def decorate(function: Function) -> Function:
        loop = _Loop(function, options)
        _WAITING.append(loop)
        return cast("Function", loop)

    return decorate


class _Loop:
    """A function that numba will compile, until it is called.

    Attributes:
        compiled: what numba made of it; none until then.
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
    """Hand all waiting loops to numba, and put what it makes in their place, in all modules with loops.

    Numba looks up what a loop calls by name among the globals of the loop's module, and there knows its own functions
    only. Modules of what is called come before modules that call it, and each is changed in one step, so that no
    thread finds a compiled loop that calls one that is not.
    """
    import numba

    with _LOCK:
        _announce_compilation()
        loops = _WAITING.copy()
        made = {id(loop): numba.njit(**loop.options)(loop.function) for loop in loops}
        for namespace in {id(space): space for space in (loop.function.__globals__ for loop in loops)}.values():
            found = {name: value for name, value in namespace.items() if isinstance(value, _Loop)}
            namespace.update({name: made.get(id(loop), loop.compiled) for name, loop in found.items()})
        for loop in loops:
            loop.compiled = made[id(loop)]
            _WAITING.remove(loop)


@functools.lru_cache(maxsize=1)
def _announce_compilation() -> None:
    """Say so when numba first compiles a loop, instead of finding it in its cache."""
    from numba.core import event

    class Announcement(event.Listener):
        def on_start(self, event: Any) -> None:
            _say_once("compiling loops for this machine, once after an installation: some 20 seconds")

        def on_end(self, event: Any) -> None: ...

    event.register("numba:compile", Announcement())  # type: ignore[no-untyped-call]


@functools.lru_cache(maxsize=1)
def _say_once(text: str) -> None:
    logger.info(text)


__all__ = ["njit"]

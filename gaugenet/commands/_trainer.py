"""The options of Lightning's trainer with plain types: option files cannot name classes, so they import no code."""

from __future__ import annotations

import inspect
from functools import lru_cache
from inspect import Parameter
from typing import Any

_PLAIN: dict[str, Any] = {
    "accelerator": str,
    "strategy": str,
    "profiler": str | None,
    "plugins": str | None,  # there are none by name: Lightning refuses any
    "logger": str | bool | None,
    "max_time": str | dict[str, int] | None,
}
"""Types of the arguments that Lightning would also take as an object, and a parser as `class_path`."""


@lru_cache(maxsize=1)
def plain_trainer() -> type:
    """Return a class with the trainer's docstring, arguments and defaults, where no argument takes an object."""
    from lightning.pytorch import Trainer

    own = inspect.signature(Trainer.__init__)
    arguments = [p.replace(annotation=_PLAIN.get(p.name, p.annotation)) for p in list(own.parameters.values())[1:]]

    def init(self: Any, **values: Any) -> None: ...

    init.__name__ = init.__qualname__ = "__init__"
    init.__signature__ = own.replace(  # type: ignore[attr-defined]
        parameters=[Parameter("self", Parameter.POSITIONAL_ONLY), *arguments]
    )
    return type("Trainer", (), {"__init__": init, "__doc__": Trainer.__doc__, "__module__": "gaugenet"})

"""Classes of the user, by `module:Class`: imported only because the user named them."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from gaugenet.tasks.training.options import TaskError


def import_classes(names: Sequence[str], base: type) -> dict[str, type]:
    """Import classes by name, from the current folder or Python's module path.

    Importing runs the code of a module, so the names must come from the user, never from a data file.

    Args:
        names: each as `module:Class` or `package.module:Class`.
        base: the class that each must derive from.

    Raises:
        TaskError: If there is no such module or class, its module fails, or it derives from another class.
    """
    with _current_folder():
        return {name: _imported(name, base) for name in names}


def _imported(name: str, base: type) -> type:
    module, _, cls = name.partition(":")
    if not module or not cls:
        raise TaskError(f"Expected a class as module:Class, got {name!r}.")
    try:
        found = getattr(importlib.import_module(module), cls, None)
    except ImportError as error:
        raise TaskError(
            f"Could not import {module!r} for {name}: {error}. Start where {module} can be found."
        ) from error
    except Exception as error:  # whatever the user's module does
        raise TaskError(f"The module {module!r} of {name} fails: {type(error).__name__}: {error}") from error
    if not (isinstance(found, type) and issubclass(found, base)):
        what = "does not exist" if found is None else f"is not a subclass of {base.__name__}"
        raise TaskError(f"{name} {what}: expected a class that derives from gaugenet.data.{base.__name__}.")
    return found


@contextmanager
def _current_folder() -> Iterator[None]:
    """Search the current folder for modules, as `python -m` does, but last."""
    here = os.getcwd()
    sys.path.append(here)
    try:
        yield
    finally:
        sys.path.remove(here)

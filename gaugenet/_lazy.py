"""Facades of packages: exported names that are imported when they are first asked for, and former names.

A package lists its exports as imports for type checkers, which do not run::

    if TYPE_CHECKING:
        from gaugenet.geometry.mesh.mesh import TriangleMesh
    else:
        __getattr__, __dir__ = lazy_exports(__name__)

    __all__ = ["TriangleMesh"]

So the imports are the one table of names for checkers, editors and the running program.
"""

from __future__ import annotations

import ast
import sys
import warnings
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from gaugenet._deprecation import RENAMED


def lazy_exports(package: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return `__getattr__` and `__dir__` of a package whose exports stand under `if TYPE_CHECKING:`.

    Exports that are imported in the ordinary way, or defined, are left as they are. Former names (see
    `gaugenet._deprecation.RENAMED`) are found with a `DeprecationWarning`.

    Args:
        package: full name of the package, `__name__` in its `__init__.py`.

    Raises:
        AttributeError: If a name is neither exported nor a former name (raised by `__getattr__`).
    """
    namespace = vars(sys.modules[package])
    home = dict(_checker_imports(Path(namespace["__file__"]).read_text(encoding="utf-8")))
    renamed = RENAMED.get(package, {})

    def find(name: str) -> Any:
        if name in home:
            module = home[name]
            own = module == package  # a subpackage
            namespace[name] = import_module(f"{module}.{name}") if own else getattr(import_module(module), name)
            return namespace[name]
        if name in renamed:
            _warn_of_former_name(package, name, renamed[name])
            return getattr(sys.modules[package], renamed[name])
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    def names() -> list[str]:
        return sorted({*namespace, *namespace.get("__all__", ())})

    return find, names


def _checker_imports(source: str) -> Iterator[tuple[str, str]]:
    """Return pairs (name, module) of `from module import name` under `if TYPE_CHECKING:` at the top level of a file."""
    for block in ast.parse(source).body:
        if isinstance(block, ast.If) and isinstance(block.test, ast.Name) and block.test.id == "TYPE_CHECKING":
            for line in block.body:
                if isinstance(line, ast.ImportFrom) and line.module:
                    yield from ((alias.name, line.module) for alias in line.names)


def _warn_of_former_name(package: str, old: str, new: str) -> None:
    warnings.warn(
        f"`{package}.{old}` is now called `{new}`: the old name goes with the next version.",
        DeprecationWarning,
        stacklevel=3,
    )


__all__ = ["lazy_exports"]

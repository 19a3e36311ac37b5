"""Signatures read from source files, so that help and the check of names do not import torch or Lightning."""

from __future__ import annotations

import ast
import collections.abc
import importlib.util
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from inspect import Parameter, Signature
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Argument:
    """An argument of a class; `annotation` is `Any` if only an import can tell its type."""

    name: str
    annotation: Any
    default: Any


def declared(source: str) -> type:
    """Return a class with the arguments, defaults and docstring of `package.module:Class`, which is not imported.

    Works for dataclasses (of this library or not) and for classes with an `__init__` whose defaults are literals.

    Raises:
        ValueError: If there is no such class, or a default is not a literal.
    """
    module, _, name = source.partition(":")
    tree = _tree(module)
    node = _find(tree, name, source)
    arguments = list(_arguments(module, node))

    def init(self: Any, **values: Any) -> None: ...

    init.__name__ = init.__qualname__ = "__init__"
    init.__signature__ = Signature(  # type: ignore[attr-defined]
        [
            Parameter("self", Parameter.POSITIONAL_ONLY),
            *(Parameter(a.name, Parameter.KEYWORD_ONLY, default=a.default, annotation=a.annotation) for a in arguments),
        ]
    )
    return _named(module, node, {"__init__": init})


def _named(module: str, node: ast.ClassDef, members: dict[str, Any]) -> type:
    """Return a class with the name and docstring of a class in the source, and with such copies of its bases.

    It is not in a package, because jsonargparse would look for a shorter path to it and import modules on the way.
    """
    there = [_definition(module, base.id) for base in node.bases if isinstance(base, ast.Name)]
    bases = [_named(found[0], found[1], {}) for found in there if found and isinstance(found[1], ast.ClassDef)]
    doc = {"__doc__": ast.get_docstring(node), "__module__": "gaugenet"}
    return type(node.name, tuple(bases), members | doc)


def argument_names(source: str) -> list[str]:
    """Return the names of the arguments of `package.module:Class`, which is not imported."""
    module, _, name = source.partition(":")
    return [a.name for a in _arguments(module, _find(_tree(module), name, source))]


def _arguments(module: str, node: ast.ClassDef) -> Iterator[Argument]:
    init = next((f for f in node.body if isinstance(f, ast.FunctionDef) and f.name == "__init__"), None)
    for found in _of_dataclass(module, node) if init is None else _of_function(module, init):
        yield Argument(found.name, _evaluated(found.module, found.annotation), _literal(found.module, found.default))


@dataclass(frozen=True)
class _Written:
    """An argument as the source of a module declares it."""

    module: str
    name: str
    annotation: ast.expr | None
    default: ast.expr | None


def _of_dataclass(module: str, node: ast.ClassDef) -> Iterator[_Written]:
    found: dict[str, _Written] = {}
    for base in node.bases:
        there = _definition(module, base.id) if isinstance(base, ast.Name) else None
        if there is not None and isinstance(there[1], ast.ClassDef):
            found |= {entry.name: entry for entry in _of_dataclass(there[0], there[1])}
    for statement in node.body:
        if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
            continue
        if "ClassVar" not in ast.unparse(statement.annotation):
            name = statement.target.id
            found[name] = _Written(module, name, statement.annotation, statement.value)
    yield from found.values()


def _of_function(module: str, init: ast.FunctionDef) -> Iterator[_Written]:
    positional = init.args.args[1:]
    missing = [None] * (len(positional) - len(init.args.defaults))
    for argument, default in zip(
        [*positional, *init.args.kwonlyargs], [*missing, *init.args.defaults, *init.args.kw_defaults], strict=True
    ):
        yield _Written(module, argument.arg, argument.annotation, default)


def _literal(module: str, node: ast.expr | None) -> Any:
    if node is None:
        return Parameter.empty
    there = _definition(module, node.id) if isinstance(node, ast.Name) else None
    if there is not None and isinstance(there[1], ast.Assign):
        return _literal(there[0], there[1].value)
    try:
        return ast.literal_eval(node)
    except ValueError:
        raise ValueError(f"Expected a literal as default in {module}, got {ast.unparse(node)}.") from None


def _evaluated(module: str, annotation: ast.expr | None) -> Any:
    """Return the type of an annotation; names that only an import can resolve count as `Any`."""
    if annotation is None:
        return Any
    try:
        return eval(compile(ast.Expression(annotation), module, "eval"), {}, _Names(module))
    except TypeError:
        return Any


class _Names(dict[str, Any]):
    """Names in annotations: those of `typing` and the builtins, and aliases that a module defines or imports."""

    def __init__(self, module: str) -> None:
        super().__init__()
        self.module = module

    def __missing__(self, name: str) -> Any:
        if name in ("str", "int", "float", "bool", "list", "tuple", "dict"):
            raise KeyError(name)  # a builtin
        if name == "Path":
            return Path
        if hasattr(typing, name):
            return getattr(typing, name)
        if hasattr(collections.abc, name):
            return getattr(collections.abc, name)
        there = _definition(self.module, name)
        if there is not None and isinstance(there[1], ast.Assign):
            return _evaluated(there[0], there[1].value)
        return Any


def _definition(module: str, name: str) -> tuple[str, ast.AST] | None:
    """Find the definition of a name in a module, or in the module that it is imported from.

    Returns:
        The module and the statement; `None` if there is none.
    """
    for node in _tree(module).body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            return module, node
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in node.targets):
            return module, node
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == module.split(".")[0]:
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return _definition(node.module, alias.name)
    return None


def _find(tree: ast.Module, name: str, source: str) -> ast.ClassDef:
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            return node
    raise ValueError(f"There is no class {source}.")


@lru_cache(maxsize=32)
def _tree(module: str) -> ast.Module:
    top, *parts = module.split(".")
    spec = importlib.util.find_spec(top)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"No module named {top!r}", name=top)
    path = Path(next(iter(spec.submodule_search_locations))).joinpath(*parts)
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(file.read_text(encoding="utf-8"))

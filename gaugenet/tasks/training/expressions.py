"""Features and augmentations written as constructor calls, e.g. `TangentGradient(of=HeatKernelSignature())`.

The text is what `repr` gives, so a run's description can say in words what its inputs were and be read back. Only the
named classes of `gaugenet.data` and literal arguments are understood; nothing is evaluated.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gaugenet._deprecation import current_name
from gaugenet.tasks.training.options import TaskError


def build(text: str, allowed: Mapping[str, Callable[..., Any]]) -> Any:
    """The object that a constructor call describes; a bare name is a call without arguments.

    Args:
        text: the call.
        allowed: the classes that may be called, nested calls included.

    Raises:
        TaskError: not a call, a class that is not allowed, an argument that is no literal or that the class refuses.
    """
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        raise TaskError(
            f"Could not read {text!r} as a constructor call such as {_example(allowed)}: {error.msg}."
        ) from error
    return _build(tree, text, allowed)


def build_all(texts: Sequence[str] | str, allowed: Mapping[str, Callable[..., Any]]) -> list[Any]:
    """Several objects, from a list of texts or from one text with commas between the calls."""
    if isinstance(texts, str):
        texts = _split(texts, allowed)
    return [build(text, allowed) for text in texts]


def _split(text: str, allowed: Mapping[str, Callable[..., Any]]) -> list[str]:
    if not text.strip():
        return []
    try:
        tree = ast.parse(f"[{text}]", mode="eval").body
    except SyntaxError as error:
        raise TaskError(
            f"Could not read {text!r} as constructor calls such as {_example(allowed)}: {error.msg}."
        ) from error
    return [ast.unparse(node) for node in tree.elts]  # type: ignore[attr-defined]


def _build(node: ast.expr, text: str, allowed: Mapping[str, Callable[..., Any]]) -> Any:
    if isinstance(node, ast.Name) and current_name("gaugenet.data", node.id) in allowed:
        return _call(allowed[current_name("gaugenet.data", node.id)], [], {}, text)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        name = current_name("gaugenet.data", node.func.id)  # run files keep the names that they were written with
        if name not in allowed:
            raise TaskError(f"Unknown {name!r} in {text!r}: choose from {', '.join(sorted(allowed))}.")
        positional = [_build(a, text, allowed) for a in node.args]
        named = {k.arg: _build(k.value, text, allowed) for k in node.keywords if k.arg}
        return _call(allowed[name], positional, named, text)
    if isinstance(node, ast.Name):
        raise TaskError(f"Unknown {node.id!r} in {text!r}: choose from {', '.join(sorted(allowed))}.")
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError) as error:
        raise TaskError(f"Expected plain values as arguments in {text!r}, got {ast.unparse(node)!r}.") from error


def _call(cls: Callable[..., Any], positional: list[Any], named: dict[str, Any], text: str) -> Any:
    try:
        return cls(*positional, **named)
    except (TypeError, ValueError) as error:
        raise TaskError(f"Could not make {text!r}: {error}") from error


def _example(allowed: Mapping[str, Callable[..., Any]]) -> str:
    return f"{sorted(allowed)[0]}()" if allowed else "Name()"

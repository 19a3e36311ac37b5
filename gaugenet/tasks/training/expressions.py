"""Features and augmentations written as constructor calls, e.g. `TangentGradient(of=HeatKernelSignature())`.

The text is what `repr` gives, so a run's description can say in words what its inputs were and be read back. Only the
named classes of `gaugenet.data`, given classes of the user, and literal arguments are understood; nothing is evaluated.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gaugenet._deprecation import current_name
from gaugenet.tasks.training.options import TaskError

_QUOTED = re.compile(r"""("[^"]*"|'[^']*')""")
_OWN = re.compile(r"\b[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")
_STAND_IN = "_own_class_{}"


def build(text: str, allowed: Mapping[str, Callable[..., Any]]) -> Any:
    """Return the object that a constructor call describes; a bare name is a call without arguments.

    Args:
        text: the call.
        allowed: the classes that may be called, also in nested calls; classes of the user under `module:Class`.

    Raises:
        TaskError: If it is not a call, the class is not allowed, or an argument is not a literal or is refused.
    """
    found = build_all([text], allowed)
    return found[0]


def build_all(texts: Sequence[str] | str, allowed: Mapping[str, Callable[..., Any]]) -> list[Any]:
    """Build several objects, from a list of texts or from one text with commas between the calls."""
    if isinstance(texts, str):
        return _Calls(texts, allowed).built() if texts.strip() else []
    built = [_Calls(text, allowed).built() for text in texts]
    for text, objects in zip(texts, built):
        if len(objects) != 1:
            raise TaskError(f"Expected one constructor call such as {_example(allowed)}, got {text!r}.")
    return [objects[0] for objects in built]


def own_classes(text: str) -> list[str]:
    """Return the `module:Class` that a text names, each once, in order."""
    parts = _QUOTED.split(text)[::2]
    return list(dict.fromkeys(name for part in parts for name in _OWN.findall(part)))


class _Calls:
    """Constructor calls with commas between them."""

    def __init__(self, text: str, allowed: Mapping[str, Callable[..., Any]]) -> None:
        self.text, self.allowed = text, allowed
        self.own = {_STAND_IN.format(k): name for k, name in enumerate(own_classes(text))}

    def built(self) -> list[Any]:
        stand_in = {name: identifier for identifier, name in self.own.items()}
        parts = _QUOTED.split(self.text)
        parts[::2] = [_OWN.sub(lambda match: stand_in[match[0]], part) for part in parts[::2]]
        try:
            tree = ast.parse(f"[{''.join(parts).strip()}]", mode="eval").body
        except SyntaxError as error:
            raise TaskError(
                f"Could not read {self.text!r} as constructor calls such as {_example(self.allowed)}: {error.msg}."
            ) from error
        return [self._object(node) for node in tree.elts]  # type: ignore[attr-defined]

    def _object(self, node: ast.expr) -> Any:
        """Return what a call makes; values, as in `1`, are arguments only."""
        found = self._built(node)
        if isinstance(node, ast.Name | ast.Call):
            return found
        raise TaskError(f"Expected constructor calls such as {_example(self.allowed)}, got {found!r}.")

    def _built(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Name):
            return self._called(node.id, [], {})
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            positional = [self._built(a) for a in node.args]
            named = {k.arg: self._built(k.value) for k in node.keywords if k.arg}
            return self._called(node.func.id, positional, named)
        called = node.func if isinstance(node, ast.Call) else node
        if isinstance(called, ast.Attribute) and _DOTTED.fullmatch(dotted := ast.unparse(called)):
            module, _, name = dotted.rpartition(".")
            raise TaskError(
                f"Unknown {dotted} in {self.text!r}: choose from {', '.join(sorted(self.allowed))}. Where classes of "
                f"your own are allowed, they are written with a colon, {module}:{name}()."
            )
        try:
            return ast.literal_eval(node)
        except (ValueError, TypeError) as error:
            raise TaskError(
                f"Expected plain values as arguments in {self.text!r}, got {ast.unparse(node)!r}."
            ) from error

    def _called(self, identifier: str, positional: list[Any], named: dict[str, Any]) -> Any:
        name = self.own.get(identifier) or current_name("gaugenet.data", identifier)  # runs keep former names
        if name not in self.allowed and identifier in self.own:
            raise TaskError(
                f"{name} is a feature class of your own, and code is never taken from a run or its options: name it "
                f"again with --feature {name}."
            )
        if name not in self.allowed:
            raise TaskError(f"Unknown {name!r} in {self.text!r}: choose from {', '.join(sorted(self.allowed))}.")
        try:
            return self.allowed[name](*positional, **named)
        except (TypeError, ValueError) as error:
            raise TaskError(f"Could not make {self.text!r}: {error}") from error


def _example(allowed: Mapping[str, Callable[..., Any]]) -> str:
    return f"{sorted(allowed)[0]}()" if allowed else "Name()"

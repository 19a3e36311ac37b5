"""Kernel families by their text, which command lines, configurations and checkpoints store."""

from __future__ import annotations

import ast
import inspect
from typing import Any

from gaugenet.kernels.family import KernelFamily
from gaugenet.kernels.radial import RadialBasis


def kernel_from_text(text: str) -> KernelFamily:
    """Return the family that a text such as `Differential(max_order=2)` describes: the inverse of `repr`.

    Names are looked up in `gaugenet.kernels`; arguments are numbers, texts, lists, radial functions and families. A sum
    of families is written with `+`, as in Python.

    Raises:
        ValueError: If the text is not a call of a kernel family, or its arguments are invalid. The message lists the
            families, or the arguments of the family.

    Example:
        >>> from gaugenet.kernels import kernel_from_text
        >>> kernel_from_text("Harmonic(rings=2) + Differential(max_order=1)").families[0]
        Harmonic(rings=2, max_frequency=None)
    """
    try:
        found = _value(ast.parse(text.strip(), mode="eval").body)
    except SyntaxError as wrong:
        raise _unknown(text, wrong.msg) from wrong
    except TypeError as wrong:
        raise _unknown(text, str(wrong)) from wrong
    if not isinstance(found, KernelFamily):
        raise _unknown(text, "it is not a kernel family")
    return found


def as_kernel(kernel: KernelFamily | str | None) -> KernelFamily | None:
    """Return a kernel family that is given as an object or as its text."""
    return kernel_from_text(kernel) if isinstance(kernel, str) else kernel


def _value(node: ast.expr) -> Any:
    if isinstance(node, ast.Call):
        return _called(_class(node.func), node)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _value(node.left) + _value(node.right)
    if isinstance(node, ast.List | ast.Tuple):
        values = [_value(e) for e in node.elts]
        return values if isinstance(node, ast.List) else tuple(values)
    try:
        return ast.literal_eval(node)
    except ValueError as wrong:
        raise TypeError(f"{ast.unparse(node)} is not a number, a text or a list") from wrong


def _called(found: Any, node: ast.Call) -> Any:
    """Return an object of a class.

    Raises:
        TypeError: If the class does not have these arguments.
    """
    arguments = [_value(a) for a in node.args]
    options = {str(k.arg): _value(k.value) for k in node.keywords}
    signature = inspect.signature(found)
    try:
        signature.bind(*arguments, **options)
    except TypeError as wrong:
        raise TypeError(f"{wrong}: {found.__name__} takes {', '.join(signature.parameters)}") from None
    return found(*arguments, **options)


def _class(node: ast.expr) -> Any:
    from gaugenet import kernels

    name = node.id if isinstance(node, ast.Name) else ast.unparse(node)
    found = getattr(kernels, name, None) if name in kernels.__all__ else None
    if not (isinstance(found, type) and issubclass(found, KernelFamily | RadialBasis)):
        raise ValueError(f"Unknown kernel family {name!r}: expected one of {', '.join(_families())}.")
    return found


def _families() -> list[str]:
    from gaugenet import kernels

    found = {name: getattr(kernels, name) for name in kernels.__all__}
    return [
        n for n, c in found.items() if isinstance(c, type) and issubclass(c, KernelFamily) and c is not KernelFamily
    ]


def _unknown(text: str, why: str) -> ValueError:
    return ValueError(
        f"Expected a kernel family such as 'Differential(max_order=2)', got {text!r}: {why}. The families are "
        f"{', '.join(_families())}."
    )


__all__ = ["as_kernel", "kernel_from_text"]

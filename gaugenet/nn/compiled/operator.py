"""Custom operators of PyTorch that do not import its compiler when they are first called.

`torch.library.custom_op` imports it, which takes more than a second, to hide the function from the compiler. While the
compiler is not imported, this is not necessary.
"""

from __future__ import annotations

import inspect
import sys
import typing
from collections.abc import Callable
from typing import Any, TypeVar, cast, get_args, get_origin

import torch

Function = TypeVar("Function", bound=Callable[..., Any])


def operator(name: str, device: str = "default") -> Callable[[Callable[..., Any]], Any]:
    """Define the operator `gaugenet::name` by a function that changes none of its arguments, and return the operator.

    Its derivative is registered under the same name with `torch.library.register_autograd`.

    Args:
        name: name of the operator.
        device: type of the devices that the function is for; all of them by default.
    """

    def define(function: Callable[..., Any]) -> Any:
        hidden: list[Callable[..., Any]] = []

        def kernel(*arguments: Any) -> Any:
            if not hidden and "torch._dynamo" in sys.modules:
                hidden.append(torch.compiler.disable(function))
            return (hidden[0] if hidden else function)(*arguments)

        full_name = f"gaugenet::{name}"
        torch.library.define(full_name, _schema(function))
        torch.library.impl(full_name, device, kernel)
        return getattr(torch.ops.gaugenet, name).default

    return define


def _schema(function: Callable[..., Any]) -> str:
    """Return the schema of an operator. Torch 2.6 infers it from `List[int]` but not from `list[int]`."""

    def known(annotation: Any) -> Any:
        return typing.List[get_args(annotation)] if get_origin(annotation) is list else annotation  # noqa: UP006

    def like(*arguments: Any) -> Any:
        return function(*arguments)

    signature = inspect.signature(function, eval_str=True)
    parameters = [one.replace(annotation=known(one.annotation)) for one in signature.parameters.values()]
    like.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return torch.library.infer_schema(like, mutates_args=())


def fake(name: str) -> Callable[[Function], Function]:
    """Register a function that gives compilers the shape of the result of `gaugenet::name`, as empty tensors."""

    def register(function: Function) -> Function:
        return cast("Function", torch.library.register_fake(f"gaugenet::{name}", function))

    return register


def flops(name: str) -> Callable[[Function], Function]:
    """Register a function that gives `torch.utils.flop_counter` the operations of `gaugenet::name`.

    It gets the arguments of the operator, with the shapes of tensors in their place, and `out_shape`.
    """

    def register(function: Function) -> Function:
        from torch.utils.flop_counter import register_flop_formula

        packet = getattr(torch.ops.gaugenet, name)
        return cast("Function", register_flop_formula(packet)(function))

    return register


__all__ = ["fake", "flops", "operator"]

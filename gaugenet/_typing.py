"""Types for results of numpy and torch that are `Any` to type checkers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from numpy import ndarray
from torch import Tensor

Function = TypeVar("Function", bound=Callable[..., Any])


def typed_array(value: Any) -> ndarray:
    """Return `value`, an array: arithmetic on arrays whose dtype is not declared has the type `Any`."""
    array: ndarray = value
    return array


def typed_tensor(value: Any) -> Tensor:
    """Return `value`, a tensor: calls of modules and of `torch.linalg` have the type `Any`."""
    tensor: Tensor = value
    return tensor


def apply_function(function: type[torch.autograd.Function], *arguments: Any) -> Any:
    """Call `function.apply(*arguments)`, which torch leaves untyped."""
    return function.apply(*arguments)


def constant_result(function: Function) -> Function:
    """Decorate with `torch.compiler.assume_constant_result`, typed: compilers call the function once, while tracing.

    The mark is set by hand, because torch's function imports its compiler first, which takes a second.
    """
    vars(function)["_dynamo_marked_constant"] = True
    return function

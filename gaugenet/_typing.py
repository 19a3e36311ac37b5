"""Types that libraries leave out: of results of numpy and torch that are `Any` to checkers, of numba's decorator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

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


def njit(**options: Any) -> Callable[[Function], Function]:
    """`numba.njit`, which has no types: the compiled function has the signature of the function that is written."""
    import numba

    return cast("Callable[[Function], Function]", numba.njit(**options))


def apply_function(function: type[torch.autograd.Function], *arguments: Any) -> Any:
    """`function.apply(*arguments)`, which torch leaves untyped."""
    return function.apply(*arguments)


def constant_result(function: Function) -> Function:
    """`torch.compiler.assume_constant_result`, which has no types: compilers call the function once, while tracing."""
    return cast(Function, torch.compiler.assume_constant_result(function))

"""Arithmetic of tensors with numbers that does not slow down derivatives in forward mode."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

_aten = torch.ops.aten
_BY_NUMBER: dict[Any, Callable[[Tensor, float], Tensor]] = {
    Tensor.add: _aten.add.Scalar,
    Tensor.sub: _aten.sub.Scalar,
    Tensor.mul: _aten.mul.Scalar,
    Tensor.div: _aten.div.Scalar,
    Tensor.__rsub__: _aten.rsub.Scalar,
    Tensor.__rdiv__: lambda x, number: _aten.mul.Scalar(x.reciprocal(), number),
}


class Numbers(TorchFunctionMode):
    """Compute `x + 1`, `2 * x`, `1 / x` and the like by the operators for numbers.

    The operators of Python take a number for a tensor without derivative, which is slow in forward mode: see
    `gaugenet.geometry.manifolds.geodesics.scaled`. The values are the same.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        by_number = len(args) == 2 and not kwargs and func in _BY_NUMBER and type(args[1]) in (int, float)
        if by_number and args[0].is_floating_point():
            return _BY_NUMBER[func](*args)
        return func(*args, **(kwargs or {}))


def batched(f: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """Return the function of one point for all rows of a tensor."""
    rows = torch.func.vmap(f)

    def call(x: Tensor) -> Tensor:
        with Numbers():
            return rows(x)

    return call

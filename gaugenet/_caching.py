"""cached: a cache of tensors that is safe to fill at any time."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import wraps
from typing import TypeVar

import torch
from torch import Tensor

from gaugenet._transforms import outside_transforms

Function = TypeVar("Function", bound=Callable[..., Tensor])


def cached(function: Function) -> Function:
    """Compute the tensor of each set of (hashable, positional) arguments once.

    Unlike `functools.lru_cache` it keeps no tensor that stands for one while code is traced, exported or compiled, and
    what it makes in inference mode serves training. The tensors are shared: never to be written to.
    """
    found: dict[tuple[Hashable, ...], Tensor] = {}

    @wraps(function)
    def wrapper(*arguments: Hashable) -> Tensor:
        if arguments in found:
            return found[arguments]
        with outside_transforms():
            value = function(*arguments)
        if type(value) is Tensor and not torch.compiler.is_compiling():
            found[arguments] = value
        return value

    return wrapper  # type: ignore[return-value]


__all__ = ["cached"]

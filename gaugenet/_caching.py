"""Caches: tensors of a function, values that an object holds by key, and values computed from tensors.

In addition the library uses `functools.cached_property` for values of an object, and `functools.lru_cache` for
functions of hashable values that return no tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import wraps
from typing import Any, Generic, TypeVar, cast

import torch
from torch import Tensor

from gaugenet._transforms import is_wrapped, outside_transforms, version_of

Function = TypeVar("Function", bound=Callable[..., Tensor | tuple[Tensor, ...]])
Value = TypeVar("Value")

_MISSING: Any = object()


def cached(function: Function) -> Function:
    """Compute the tensor, or the tuple of tensors, of each set of (hashable, positional) arguments once.

    Unlike `functools.lru_cache`, it does not keep placeholder tensors while code is traced, exported or compiled, and
    tensors made in inference mode can be used in training. The tensors are shared: never write to them.
    """
    found: dict[tuple[Hashable, ...], Tensor | tuple[Tensor, ...]] = {}

    @wraps(function)
    def wrapper(*arguments: Hashable) -> Tensor | tuple[Tensor, ...]:
        if arguments in found:
            return found[arguments]
        with outside_transforms():
            value = function(*arguments)
        parts = value if isinstance(value, tuple) else (value,)
        if all(type(part) is Tensor for part in parts) and not torch.compiler.is_dynamo_compiling():
            found[arguments] = value
        return value

    return wrapper  # type: ignore[return-value]


class BoundedCache(Generic[Value]):
    """A cache of values by key, each made once, with an upper limit of entries or bytes.

    Args:
        max_entries: number of values to hold; unbounded by default.
        max_bytes: bytes to hold, by the attribute `nbytes` of the values; unbounded by default.
        replace: when full, drop the least recently used value. Otherwise add no further values, which is better
            where all keys are used in turn, again and again.
    """

    def __init__(self, *, max_entries: int | None = None, max_bytes: float | None = None, replace: bool = True) -> None:
        self.max_entries, self.max_bytes, self.replace = max_entries, max_bytes, replace
        self._values: dict[Hashable, Value] = {}
        self._nbytes = 0

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """Return the value of a key; call `make()` if it is not cached."""
        value: Value = self._values.pop(key, _MISSING)
        if value is not _MISSING:
            self._values[key] = value  # the last one is the most recent one
            return value
        value = make()
        size = self._size(value)
        while self.replace and self._values and not self._has_room(size):
            self._nbytes -= self._size(self._values.pop(next(iter(self._values))))
        if self._has_room(size):
            self._values[key] = value
            self._nbytes += size
        return value

    def _size(self, value: Any) -> int:
        return 0 if self.max_bytes is None else int(value.nbytes)

    def _has_room(self, size: int) -> bool:
        few = self.max_entries is None or len(self._values) < self.max_entries
        return few and (self.max_bytes is None or self._nbytes + size <= self.max_bytes)


class TensorCache:
    """Values computed from tensors, by key; computed again when a tensor is another object, or was written to.

    Values of tensors with gradients are not cached, because their autograd graph serves one backward pass only. Neither
    are those of tensors under a functional transform of PyTorch.
    """

    def __init__(self) -> None:
        self._entries: dict[Hashable, tuple[list[Tensor], list[int], Any]] = {}

    def get(self, key: Hashable, sources: list[Tensor], make: Callable[[], Value]) -> Value:
        """Return the value of a key; call `make()` unless it is cached and `sources` are the same and unmodified."""
        if any(is_wrapped(t) or (torch.is_grad_enabled() and t.requires_grad) for t in sources):
            return make()
        entry = self._entries.get(key)
        if entry is not None:
            held, versions, found = entry
            same = len(held) == len(sources) and all(a is b for a, b in zip(held, sources, strict=True))
            if same and versions == [version_of(t) for t in sources]:
                return cast("Value", found)
        with outside_transforms():  # the result of an evaluation must be usable in a later training step
            value = make()
        self._entries[key] = (list(sources), [version_of(t) for t in sources], value)
        return value

    def values(self) -> dict[Hashable, Any]:
        """Return all values by key, also outdated ones."""
        return {key: value for key, (_, _, value) in self._entries.items()}


__all__ = ["BoundedCache", "TensorCache", "cached"]

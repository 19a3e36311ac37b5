"""The precision that sums are taken in: at least float32."""

from __future__ import annotations

from itertools import chain

import torch
from torch import Tensor, nn


def widest(v: Tensor) -> torch.dtype:
    """Return the precision that sums of `v` are taken in."""
    return torch.float32 if v.dtype in (torch.bfloat16, torch.float16) else v.dtype


def widened(x: Tensor) -> Tensor:
    """Return `x` in at least float32."""
    return x.to(widest(x))


def check_features(layer: nn.Module, x: Tensor) -> None:
    """Refuse features that a layer is not made for: of another type than its `in_type`, or of another precision.

    Raises:
        ValueError: As the field type's `check` and `check_dtype`. A layer without weights takes any floating-point
            features; one with fixed tables those of the precision of its tables.
    """
    layer.in_type.check(x)  # type: ignore[operator, union-attr]
    if torch.compiler.is_compiling():
        return
    numbers = (t for t in chain(layer.parameters(), layer.buffers()) if t.is_floating_point())
    check_dtype(x, next(numbers, None))


def check_dtype(x: Tensor, weight: Tensor | None) -> None:
    """Refuse features that do not fit the precision of a layer; the precisions of autocast do.

    Raises:
        ValueError: If only one of them has double precision, or the features are not floating-point numbers.
    """
    if not (x.is_floating_point() or x.is_complex()):
        wanted = f"{torch.get_default_dtype()}" if weight is None else f"{weight.dtype} like the weights"
        raise ValueError(f"Expected `x` of dtype {wanted}, got {x.dtype}: convert it before.")
    if weight is None:
        return
    double = x.dtype in (torch.float64, torch.complex128)
    if double != (weight.dtype == torch.float64):
        real, high = (torch.float64, torch.complex64) if double else (torch.float32, torch.complex128)
        fitting = high if x.is_complex() else weight.dtype
        real = real if x.is_complex() else x.dtype
        raise ValueError(
            f"Expected `x` of dtype {fitting} like the weights, got {x.dtype}: pass "
            f"`x.to({fitting})`, or convert the network with `.to({real})`."
        )


__all__ = ["check_dtype", "check_features", "widened", "widest"]

"""The precision of sums, at least float32, and checks of the precision of features."""

from __future__ import annotations

from itertools import chain

import torch
from torch import Tensor, nn


def widest(v: Tensor) -> torch.dtype:
    """Return the precision for sums of `v`."""
    return torch.float32 if v.dtype in (torch.bfloat16, torch.float16) else v.dtype


def widened(x: Tensor) -> Tensor:
    """Return `x` in at least float32."""
    return x.to(widest(x))


def check_features(layer: nn.Module, x: Tensor) -> None:
    """Raise `ValueError` unless `x` has the layer's `in_type` and precision.

    A layer without weights accepts features of any floating-point type, a layer with fixed tables features of the
    precision of its tables. See the field type's `check` and `check_dtype`.
    """
    layer.in_type.check(x)  # type: ignore[operator, union-attr]
    if torch.compiler.is_compiling():
        return
    numbers = (t for t in chain(layer.parameters(), layer.buffers()) if t.is_floating_point())
    check_dtype(x, next(numbers, None))


def check_dtype(x: Tensor, weight: Tensor | None) -> None:
    """Check that features fit the precision of a layer; the precisions of autocast do.

    Raises:
        ValueError: If either the features or the weights have double precision but not both, or the features are not
            floating-point numbers.
    """
    if not (x.is_floating_point() or x.is_complex()):
        wanted = f"{torch.get_default_dtype()}" if weight is None else f"{weight.dtype} like the weights"
        raise ValueError(f"Expected `x` of dtype {wanted}, got {x.dtype}: convert it first.")
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

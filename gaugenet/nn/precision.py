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
            floating-point numbers, or complex although the layer has (real) weights.
    """
    if not (x.is_floating_point() or x.is_complex()):
        wanted = f"{torch.get_default_dtype()}" if weight is None else f"{weight.dtype} like the weights"
        raise ValueError(f"Expected `x` of dtype {wanted}, got {x.dtype}: convert it first.")
    if weight is None:
        return
    if x.is_complex():
        raise ValueError(f"Expected real features, got {x.dtype}: pass real and imaginary parts as separate fields.")
    if (x.dtype == torch.float64) != (weight.dtype == torch.float64):
        raise ValueError(
            f"Expected `x` of dtype {weight.dtype} like the weights, got {x.dtype}: pass "
            f"`x.to({weight.dtype})`, or convert the network with `.to({x.dtype})`."
        )


__all__ = ["check_dtype", "check_features", "widened", "widest"]

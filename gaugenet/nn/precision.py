"""The precision that sums are taken in: at least float32."""

from __future__ import annotations

import torch
from torch import Tensor


def widest(v: Tensor) -> torch.dtype:
    """Return the precision that sums of `v` are taken in."""
    return torch.float32 if v.dtype in (torch.bfloat16, torch.float16) else v.dtype


def widened(x: Tensor) -> Tensor:
    """Return `x` in at least float32."""
    return x.to(widest(x))


def check_dtype(x: Tensor, weight: Tensor) -> None:
    """Refuse features that do not fit the precision of a layer; the precisions of autocast do.

    Raises:
        ValueError: If one of them is float64 and the other is not, or the features are not floating-point numbers.
    """
    if x.is_floating_point() and (x.dtype == torch.float64) != (weight.dtype == torch.float64):
        raise ValueError(
            f"Expected `x` of dtype {weight.dtype} like the weights, got {x.dtype}: pass `x.to({weight.dtype})`, or "
            f"convert the network with `.to({x.dtype})`."
        )
    if not (x.is_floating_point() or x.is_complex()):
        raise ValueError(f"Expected `x` of dtype {weight.dtype} like the weights, got {x.dtype}: convert it before.")


__all__ = ["check_dtype", "widened", "widest"]

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


__all__ = ["widened", "widest"]

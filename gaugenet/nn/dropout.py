"""FieldDropout: whole fields are dropped, so that no direction is preferred."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gaugenet.groups import FieldType


class FieldDropout(nn.Module):
    """In training, each field is zeroed at each point with probability `p`, all its components together, and the rest
    scaled by 1 / (1 - p).

    Equivariance: exact for a given mask, which does not depend on the gauge.

    Shapes:
        x: `(N, field_type.size)` or `(B, field_type.size, *spatial)` -> the same.
    """

    def __init__(self, field_type: FieldType, p: float = 0.1) -> None:
        super().__init__()
        if not 0 <= p < 1:
            raise ValueError(f"Expected a dropout probability 0 <= p < 1, got {p}.")
        self.in_type = self.out_type = field_type
        self.p = p

    def forward(self, x: Float[Tensor, "points size *spatial"]) -> Float[Tensor, "points size *spatial"]:
        self.in_type.check(x)
        if not self.training or self.p == 0:
            return x
        parts = []
        for b in self.in_type.blocks:
            shape = (x.shape[0], 1, b.multiplicity, *x.shape[2:])
            keep = torch.rand(shape, device=x.device, dtype=x.dtype) >= self.p
            parts.append((b.split(x) * keep / (1 - self.p)).flatten(1, 2))
        return torch.cat(parts, 1) if parts else x

    def extra_repr(self) -> str:
        return f"{self.in_type}, p={self.p}"

"""InvariantReadout: numbers that no gauge transformation changes."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gaugenet.groups import FieldType
from gaugenet.nn.nonlinearity import safe_norm


class InvariantReadout(nn.Module):
    """Scalars as they are, the maximum over components of permuted fields, the norm of all others.

    Shapes:
        x: `(N, in_type.size)` or `(B, in_type.size, *spatial)` -> the same with `in_type.num_fields` channels.

    Equivariance: invariant, exactly; 3e-7 relative in float32.
    """

    def __init__(self, in_type: FieldType) -> None:
        super().__init__()
        self.in_type = in_type
        self.out_type = FieldType(in_type.group, [("trivial", in_type.num_fields)])

    def forward(self, x: Float[Tensor, "points size *spatial"]) -> Float[Tensor, "points fields *spatial"]:
        self.in_type.check(x)
        parts = []
        for b in self.in_type.blocks:
            v = b.split(x)
            parts.append(v.amax(1) if b.representation.permutation else safe_norm(v))
        return torch.cat(parts, 1) if parts else x

    def extra_repr(self) -> str:
        return f"{self.in_type} -> {self.in_type.num_fields} invariants"

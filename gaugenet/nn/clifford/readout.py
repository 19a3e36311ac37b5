"""MultivectorReadout: invariants of multivector fields of either sign."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet.groups import FieldType
from gaugenet.nn.clifford.squares import MultivectorModule, signed_length
from gaugenet.nn.precision import check_features


class MultivectorReadout(MultivectorModule):
    """Invariants of multivectors: scalars unchanged, and the `signed_length` of every other field.

    The signed length is about sqrt |<x, x>|, with the sign of <x, x>.

    Shapes:
        x: `(N, in_type.size)` or `(B, in_type.size, *spatial)` -> the same with `in_type.num_fields` channels.

    Equivariance: invariant, exactly; 1e-6 relative in float32 under rotations, more under boosts.

    Args:
        in_type: a type of multivectors.

    Raises:
        ValueError: If a block is not an exterior power.

    Example:
        >>> import torch
        >>> from gaugenet.groups import SO3, multivector
        >>> from gaugenet.nn import MultivectorReadout
        >>> fields = multivector(SO3(), multiplicity=2)
        >>> MultivectorReadout(fields)(torch.rand(10, fields.size)).shape
        torch.Size([10, 8])
    """

    def __init__(self, in_type: FieldType) -> None:
        super().__init__(in_type)
        self.out_type = FieldType(in_type.group, [("trivial", in_type.num_fields)])

    def forward(self, x: Float[Tensor, "points size *spatial"]) -> Float[Tensor, "points fields *spatial"]:
        check_features(self, x)
        parts = [
            x[:, b.slice] if k == 0 else signed_length(square)
            for k, b, square in zip(self.grades, self.in_type.blocks, self.squares(x), strict=True)
        ]
        return torch.cat(parts, 1) if parts else x

    def extra_repr(self) -> str:
        return f"{self.in_type} -> {self.in_type.num_fields} invariants"


__all__ = ["MultivectorReadout"]

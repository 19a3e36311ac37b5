"""MultivectorNorm: the layer norm of multivector fields under metrics of any signature."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gaugenet.groups import FieldType
from gaugenet.nn.clifford.squares import MultivectorModule
from gaugenet.nn.precision import check_features
from gaugenet.nn.tables import along_channels

_EPS = 1e-6


class MultivectorNorm(MultivectorModule):
    r"""Layer norm by grade: x_k -> gain x_k / sqrt(1 - s + s m_k), m_k the mean of |<x, x>| / C(n, k) over the fields.

    The absolute value is sqrt(q^2 + eps^2). Negative squares count like positive ones, no square is clipped, and the
    layer is differentiable everywhere. One s in (0, 1) is learned for each grade k. Light-like fields, whose squares
    are zero, are enlarged by at most 1 / sqrt(1 - s). No norm of an indefinite metric bounds the components.

    Shapes:
        x: `(N, field_type.size)` or `(B, field_type.size, *spatial)` -> the same. Points are normalized independently.

    Equivariance: exact; 3e-7 relative in float32 under rotations, more under boosts, which enlarge rounding.

    Args:
        field_type: a type of multivectors.

    Raises:
        ValueError: If a block is not an exterior power.

    Example:
        >>> import torch
        >>> from gaugenet.groups import SO3, multivector
        >>> from gaugenet.nn import MultivectorNorm
        >>> fields = multivector(SO3(), multiplicity=2)
        >>> MultivectorNorm(fields)(torch.rand(10, fields.size)).shape
        torch.Size([10, 16])
    """

    def __init__(
        self,
        field_type: FieldType,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(field_type)
        self.out_type = field_type
        self.gain = nn.Parameter(torch.empty(field_type.num_fields, device=device, dtype=dtype))
        self.share = nn.Parameter(torch.empty(len(field_type.blocks), device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the gains to 1 and s to sigmoid(3): unit squares stay the same, the largest factor is 4.6."""
        nn.init.ones_(self.gain)
        nn.init.constant_(self.share, 3.0)

    def forward(self, x: Float[Tensor, "points size *spatial"]) -> Float[Tensor, "points size *spatial"]:
        check_features(self, x)
        parts, start = [x[:, :0]], 0
        for i, (b, square) in enumerate(zip(self.in_type.blocks, self.squares(x), strict=True)):
            gain = along_channels(self.gain[start : start + b.multiplicity].to(x.dtype), x)
            start += b.multiplicity
            size = (square.square() + _EPS**2).sqrt().mean(1, keepdim=True) / b.representation.dim
            share = torch.sigmoid(self.share[i]).to(x.dtype)
            factor = gain * (1 - share + share * size).rsqrt()
            parts.append((b.split(x) * factor.unsqueeze(1)).flatten(1, 2))
        return torch.cat(parts, 1)

    def extra_repr(self) -> str:
        return str(self.in_type)


__all__ = ["MultivectorNorm"]

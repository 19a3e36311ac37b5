"""InvariantGate: multivector fields scaled by a function of their own squares."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gaugenet.groups import FieldType
from gaugenet.nn.clifford.squares import MultivectorModule, signed_length
from gaugenet.nn.nonlinearity import activation_function
from gaugenet.nn.precision import check_features
from gaugenet.nn.tables import along_channels


class InvariantGate(MultivectorModule):
    r"""Gates from the fields' own squares: v -> sigmoid(a q(<v, v>) + b) v for grades above 0, s -> act(s) for scalars.

    q is `signed_length`. It accepts squares of either sign, so time-like and space-like fields can get different
    gates, and it is differentiable at light-like fields. `GatedNonlinearity`, with gates from additional channels,
    also works for these fields.

    Shapes:
        x: `(N, field_type.size)` or `(B, field_type.size, *spatial)` -> the same.

    Equivariance: exact; 3e-7 relative in float32 under rotations, more under boosts, which enlarge rounding.

    Args:
        field_type: a type of multivectors.
        activation: function of the scalars: `gelu`, `relu`, `silu`, `elu` or `tanh`.

    Raises:
        ValueError: If a block is not an exterior power, or `activation` is unknown.

    Example:
        >>> import torch
        >>> from gaugenet.groups import SO3, multivector
        >>> from gaugenet.nn import InvariantGate
        >>> fields = multivector(SO3(), multiplicity=2)
        >>> InvariantGate(fields)(torch.rand(10, fields.size)).shape
        torch.Size([10, 16])
    """

    def __init__(
        self,
        field_type: FieldType,
        *,
        activation: str = "gelu",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(field_type)
        self.out_type = field_type
        self.activation = activation
        self._function = activation_function(activation)
        gated = sum(b.multiplicity for k, b in zip(self.grades, field_type.blocks, strict=True) if k)
        self.scale = nn.Parameter(torch.empty(gated, device=device, dtype=dtype))
        self.shift = nn.Parameter(torch.empty(gated, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set gates that open as the square grows and are half open for light-like fields."""
        nn.init.ones_(self.scale)
        nn.init.zeros_(self.shift)

    def forward(self, x: Float[Tensor, "points size *spatial"]) -> Float[Tensor, "points size *spatial"]:
        check_features(self, x)
        parts, start = [x[:, :0]], 0
        for k, b, square in zip(self.grades, self.in_type.blocks, self.squares(x), strict=True):
            if k == 0:
                parts.append(self._function(x[:, b.slice]))
                continue
            own = slice(start, start + b.multiplicity)
            start += b.multiplicity
            scale, shift = (along_channels(p[own].to(x.dtype), x) for p in (self.scale, self.shift))
            gate = torch.sigmoid(scale * signed_length(square) + shift)
            parts.append((b.split(x) * gate.unsqueeze(1)).flatten(1, 2))
        return torch.cat(parts, 1)

    def extra_repr(self) -> str:
        return f"{self.in_type}, activation={self.activation}"


__all__ = ["InvariantGate"]

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
    r"""v -> sigmoid(a q(<v, v>) + b) v for every field of grade 1 and higher; scalars s -> act(s).

    q is `signed_length`: squares of either sign pass, time-like and space-like fields may get different gates, and
    light-like ones have a derivative. `GatedNonlinearity`, with gates from additional channels, serves these fields,
    too.

    Shapes:
        x: `(N, field_type.size)` or `(B, field_type.size, *spatial)` -> the same.

    Equivariance: exact; 3e-7 relative in float32 under rotations, more under boosts, which enlarge rounding.

    Args:
        field_type: a type of multivectors.
        activation: of scalars: `gelu`, `relu`, `silu`, `elu` or `tanh`.

    Raises:
        ValueError: If a block is not an exterior power, or `activation` is not known.
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
        """Gates that open with the square, half open for light-like fields."""
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

"""FieldHead: the last layers of a network whose outputs are fields."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gaugenet._typing import typed_tensor
from gaugenet.groups import FieldType
from gaugenet.nn import EquivariantLinear, InvariantReadout


class FieldHead(nn.Module):
    r"""Combine the fields of a point with coefficients that depend on its invariants: :math:`A (g(x) \odot x, h(x))`.

    A dense layer maps the invariants of `x` to `h`, and `h` gives a factor for every field of `x`. An equivariant
    linear map computes the outputs from the weighted fields and, if they are scalars, from `h`.

    Shapes:
        x: `(N, in_type.size)` -> `(N, out_type.size)`.

    Equivariance: exact; 3e-7 relative in float32.

    Args:
        in_type: the fields of the last hidden layer.
        out_type: the outputs.
        hidden: width of the dense layer; by default twice the number of invariants.
        dropout: probability of dropping a hidden invariant.

    Raises:
        ValueError: If there is no equivariant linear map to one of the outputs.
    """

    def __init__(
        self, in_type: FieldType, out_type: FieldType, *, hidden: int | None = None, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.in_type, self.out_type = in_type, out_type
        self.read = InvariantReadout(in_type)
        invariants = self.read.out_type.size
        width = 2 * invariants if hidden is None else hidden
        self.dense = nn.Sequential(nn.Linear(invariants, width), nn.GELU(), nn.Dropout(dropout))
        self.factors = nn.Linear(width, in_type.num_fields)
        self.combined = in_type + FieldType(in_type.group, [("trivial", width)])
        self.last = EquivariantLinear(self.combined, out_type)
        for block in out_type.blocks:
            single = FieldType(in_type.group, [(block.representation, 1)])
            if not EquivariantLinear(self.combined, single, bias=False).weight.numel():
                raise ValueError(
                    f"Expected a hidden field that can be mapped to the outputs of order {block.representation.name}, "
                    f"got {in_type}: add this order to the orders of the network."
                )

    def forward(self, x: Float[Tensor, "points in"]) -> Float[Tensor, "points out"]:
        hidden = self.dense(self.read(x))
        factors = self.factors(hidden)
        parts, start = [], 0
        for block in self.in_type.blocks:
            factor = factors[:, start : start + block.multiplicity]
            parts.append((block.split(x) * (1 + factor)[:, None]).flatten(1))
            start += block.multiplicity
        return typed_tensor(self.last(torch.cat([*parts, hidden], 1)))

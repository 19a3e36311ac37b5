"""GaugeTransformer: layers of gauge-equivariant attention on any graph."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from gaugenet._typing import typed_tensor
from gaugenet._validation import positive
from gaugenet.geometry.domain import Domain
from gaugenet.groups import FieldType
from gaugenet.nn import AttentionBlock, EquivariantLinear, FieldLayerNorm


class GaugeTransformer(nn.Module):
    """A transformer on graphs: embedding, `depth` attention blocks, normalization, a linear map to the output.

    Attention runs over the neighbourhoods of points, see `AttentionBlock` (:cite:`basu2022equivariant`).

    Shapes:
        x: `(N, in_type.size)`, domain: a `GaugeGraph` or any `Domain` that gives one -> `(N, out_type.size)`.

    Equivariance: exact with `nonlinearity="gated"`; 1e-6 relative in float32.

    Args:
        in_type, out_type: field types of one compact group.
        hidden: type of the hidden features.
        depth: number of blocks.
        heads: number of attention heads in each block.
        nonlinearity: see `AttentionBlock`.
        dropout: probability of dropping a field.

    Raises:
        ValueError: If the types belong to different groups, or a number is not positive.

    Example:
        >>> import torch
        >>> from gaugenet.geometry import Icosphere
        >>> from gaugenet.groups import SO2, FieldType
        >>> from gaugenet.models import GaugeTransformer
        >>> scalars, hidden = FieldType(SO2(), "3x0"), FieldType(SO2(), "8x0 + 4x1")
        >>> network = GaugeTransformer(scalars, scalars, hidden=hidden, depth=1, heads=2)
        >>> network(torch.rand(42, 3), Icosphere(1).gauge_graph(SO2())).shape
        torch.Size([42, 3])
    """

    def __init__(
        self,
        in_type: FieldType,
        out_type: FieldType,
        *,
        hidden: FieldType,
        depth: int = 4,
        heads: int = 4,
        nonlinearity: str = "gated",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.in_type, self.out_type = in_type, out_type
        self.embed = EquivariantLinear(in_type, hidden)
        options = {"heads": heads, "nonlinearity": nonlinearity, "dropout": dropout}
        self.blocks = nn.ModuleList(AttentionBlock(hidden, **options) for _ in range(positive("depth", depth)))  # type: ignore[arg-type]
        self.norm = FieldLayerNorm(hidden)
        self.read = EquivariantLinear(hidden, out_type)

    def forward(self, x: Float[Tensor, "points in"], domain: Domain) -> Float[Tensor, "points out"]:
        x = self.embed(x)
        for block in self.blocks:
            x = block(x, domain)
        return typed_tensor(self.read(self.norm(x)))


__all__ = ["GaugeTransformer"]

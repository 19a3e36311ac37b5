"""AttentionBlock: attention, then an equivariant perceptron at each point."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from gaugenet._typing import typed_tensor
from gaugenet.geometry.domain import Domain
from gaugenet.groups import FieldType
from gaugenet.nn.activations import make_nonlinearity
from gaugenet.nn.attention import GaugeAttention
from gaugenet.nn.dropout import FieldDropout
from gaugenet.nn.linear import EquivariantLinear
from gaugenet.nn.normalization import FieldLayerNorm


class AttentionBlock(nn.Module):
    """One layer of a transformer: y = x + GaugeAttention(norm(x)), then y + Linear(act(Linear(norm(y)))).

    It has the structure of :cite:`vaswani2017attention`, with normalization first and all maps equivariant.

    Shapes:
        x: `(N, field_type.size)`, domain: a `GaugeGraph` -> the same.

    Equivariance: exact with `nonlinearity="gated"`; 4e-7 relative in float32.

    Args:
        field_type: type of the features.
        heads: number of attention heads.
        expansion: width of the perceptron relative to the features.
        nonlinearity: `gated`, `norm`, `fourier`, `pointwise` or `tensor_product`.
        samples: number of samples of the Fourier nonlinearity, see `FourierNonlinearity`.
        dropout: probability of dropping a field.
        max_frequency: angular band limit of the values' kernels, see `GaugeAttention`.

    Example:
        >>> import torch
        >>> from gaugenet.geometry import Icosphere
        >>> from gaugenet.groups import SO2, FieldType
        >>> from gaugenet.nn import AttentionBlock
        >>> features = FieldType(SO2(), "8x0 + 4x1")
        >>> block = AttentionBlock(features, heads=2)
        >>> block(torch.rand(42, features.size), Icosphere(1).gauge_graph(SO2())).shape
        torch.Size([42, 16])
    """

    def __init__(
        self,
        field_type: FieldType,
        *,
        heads: int = 4,
        expansion: int = 2,
        nonlinearity: str = "gated",
        samples: int | None = None,
        dropout: float = 0.0,
        max_frequency: int | None = None,
    ) -> None:
        super().__init__()
        self.in_type = self.out_type = field_type
        hidden = field_type * expansion
        options = {"samples": samples} if nonlinearity == "fourier" else {}
        self.act = make_nonlinearity(nonlinearity, hidden, **options)
        self.before = FieldLayerNorm(field_type)
        self.attention = GaugeAttention(field_type, field_type, heads=heads, max_frequency=max_frequency)
        self.norm = FieldLayerNorm(field_type)
        self.expand = EquivariantLinear(field_type, self.act.in_type)
        self.drop = FieldDropout(hidden, dropout)
        self.contract = EquivariantLinear(hidden, field_type)

    def forward(self, x: Float[Tensor, "vertices size"], domain: Domain) -> Float[Tensor, "vertices size"]:
        x = x + self.attention(self.before(x), domain)
        return typed_tensor(self.contract(self.drop(self.act(self.expand(self.norm(x)))), onto=x))


__all__ = ["AttentionBlock"]

"""ResidualBlock: the building block of the networks."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from gaugenet._typing import typed_tensor
from gaugenet.geometry.domain import Domain
from gaugenet.groups import FieldType
from gaugenet.kernels import Harmonic, KernelFamily
from gaugenet.kernels.named import as_kernel
from gaugenet.nn.activations import make_nonlinearity
from gaugenet.nn.conv import GaugeConv
from gaugenet.nn.dropout import FieldDropout
from gaugenet.nn.linear import EquivariantLinear
from gaugenet.nn.normalization import FieldLayerNorm


class ResidualBlock(nn.Module):
    """A convolution, then an equivariant perceptron at each point: x + Linear(act(Linear(norm(GaugeConv(x))))).

    Residual connections are due to :cite:`he2016deep`.

    Shapes:
        x: `(N, field_type.size)`, domain: a `GaugeGraph` -> the same.

    Equivariance: exact with `nonlinearity="gated"`, 2e-7 relative in float32; approximate with `fourier`, see
    `FourierNonlinearity`.

    Args:
        field_type: type of the features.
        rings: radial functions of the convolution.
        kernel: family of its kernels, or its name, instead of `rings` and `max_frequency`.
        expansion: width of the perceptron relative to the features.
        nonlinearity: `gated`, `norm`, `fourier`, `pointwise` or `tensor_product`.
        samples: number of samples of the Fourier nonlinearity, see `FourierNonlinearity`.
        dropout: probability of dropping a field.
        max_frequency: angular band limit of the convolution for finite groups, see `HarmonicSpace`.

    Example:
        >>> import torch
        >>> from gaugenet.geometry import Icosphere
        >>> from gaugenet.groups import SO2, FieldType
        >>> from gaugenet.nn import ResidualBlock
        >>> features = FieldType(SO2(), "8x0 + 4x1")
        >>> block = ResidualBlock(features)
        >>> block(torch.rand(42, features.size), Icosphere(1).gauge_graph(SO2())).shape
        torch.Size([42, 16])
    """

    def __init__(
        self,
        field_type: FieldType,
        *,
        rings: int = 2,
        expansion: int = 2,
        nonlinearity: str = "gated",
        samples: int | None = None,
        dropout: float = 0.0,
        max_frequency: int | None = None,
        kernel: KernelFamily | str | None = None,
    ) -> None:
        super().__init__()
        self.in_type = self.out_type = field_type
        hidden = field_type * expansion
        options = {"samples": samples} if nonlinearity == "fourier" else {}
        self.act = make_nonlinearity(nonlinearity, hidden, **options)
        family = Harmonic(rings, max_frequency) if kernel is None else as_kernel(kernel)
        self.conv = GaugeConv(field_type, field_type, kernel=family)
        self.norm = FieldLayerNorm(field_type)
        self.expand = EquivariantLinear(field_type, self.act.in_type)
        self.drop = FieldDropout(hidden, dropout)
        self.contract = EquivariantLinear(hidden, field_type)

    def forward(self, x: Float[Tensor, "vertices size"], domain: Domain) -> Float[Tensor, "vertices size"]:
        y = self.norm(self.conv(x, domain))
        return typed_tensor(self.contract(self.drop(self.act(self.expand(y))), onto=x))

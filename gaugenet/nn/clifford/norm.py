"""MultivectorNorm: a norm of multivector fields under metrics of any signature, over the fields or over the points."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gaugenet._typing import typed_tensor
from gaugenet.geometry.domain import Domain
from gaugenet.groups import FieldType
from gaugenet.nn.clifford.squares import MultivectorModule
from gaugenet.nn.precision import check_features
from gaugenet.nn.samples import Samples, need_samples
from gaugenet.nn.tables import along_channels

_EPS = 1e-6
Over = Literal["fields", "points"]


class MultivectorNorm(MultivectorModule):
    r"""Norm by grade: x_k -> gain x_k / sqrt(1 - s + s m_k), with m_k a mean of |<x, x>| / C(n, k).

    The mean is taken at each point over the `fields` of grade k, as in a layer norm, or for each field over the
    `points` of its sample (an image, a graph), as in an instance norm :cite:`ulyanov2016instance`. Over the points, a
    field stays stronger at one point than at another; a norm over the fields removes this.

    The absolute value is sqrt(q^2 + eps^2). Negative squares count like positive ones, no square is clipped, and the
    layer is differentiable everywhere. One s in (0, 1) is learned for each grade k. Light-like fields, whose squares
    are zero, are enlarged by at most 1 / sqrt(1 - s). No norm of an indefinite metric bounds the components.

    Shapes:
        x: `(N, field_type.size)` or `(B, field_type.size, *spatial)` -> the same.
        domain: needed over the `points` of graphs, whose means are weighted by area; on grids not needed.

    Equivariance: exact; 3e-7 relative in float32 under rotations, more under boosts, which enlarge rounding.

    Args:
        field_type: a type of multivectors.
        over: `fields` or `points`.

    Raises:
        ValueError: If a block is not an exterior power, or `over` is unknown; in `forward`, if the graph is missing.

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
        over: str = "fields",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(field_type)
        if over not in get_args(Over):
            raise ValueError(f"Expected `over` to be one of {', '.join(get_args(Over))}, got {over!r}.")
        self.out_type, self.over = field_type, over
        self.gain = nn.Parameter(torch.empty(field_type.num_fields, device=device, dtype=dtype))
        self.share = nn.Parameter(torch.empty(len(field_type.blocks), device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the gains to 1 and s to sigmoid(3): unit squares stay the same, the largest factor is 4.6."""
        nn.init.ones_(self.gain)
        nn.init.constant_(self.share, 3.0)

    def forward(
        self, x: Float[Tensor, "points size *spatial"], domain: Domain | None = None
    ) -> Float[Tensor, "points size *spatial"]:
        check_features(self, x)
        samples = need_samples(x, domain) if self.over == "points" else None
        factors, start = [], 0
        for i, (b, square) in enumerate(zip(self.in_type.blocks, self.squares(x), strict=True)):
            gain = along_channels(self.gain[start : start + b.multiplicity].to(x.dtype), x)
            start += b.multiplicity
            size = _mean((square.square() + _EPS**2).sqrt(), samples).to(x.dtype) / b.representation.dim
            share = torch.sigmoid(self.share[i]).to(x.dtype)
            factor = gain * (1 - share + share * size).rsqrt()
            factors.append(factor.repeat(1, b.representation.dim, *[1] * (x.dim() - 2)))  # for each blade
        return x * torch.cat(factors, 1) if factors else x

    def extra_repr(self) -> str:
        return f"{self.in_type}, over={self.over}"


def _mean(size: Float[Tensor, "points fields *spatial"], samples: Samples | None) -> Tensor:
    """Return the mean over the fields, or over the points of each sample; it broadcasts over `size`."""
    if samples is None:
        return size.mean(1, keepdim=True)
    if size.dim() == 2:
        return samples.spread(samples.means(size))
    return typed_tensor(samples.means(size.flatten(2)).unflatten(2, (1,) * (size.dim() - 2)))


__all__ = ["MultivectorNorm"]

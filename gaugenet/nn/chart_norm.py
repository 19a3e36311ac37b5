"""ChartBatchNorm: batch normalization in the chart layout of an icosphere."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet._typing import typed_tensor
from gaugenet.geometry.domain import Domain
from gaugenet.groups import FieldType
from gaugenet.nn.compiled.channel_statistics import channel_affine, channel_moments
from gaugenet.nn.normalization import FieldBatchNorm
from gaugenet.nn.precision import check_features


class ChartBatchNorm(FieldBatchNorm):
    r"""`FieldBatchNorm` of permuted fields in the chart layout, in two passes over memory.

    Statistics are taken over all vertices, each counted once, and over the group. All cells have the same area in the
    hexagonal structure. Cells of the layout that do not belong to a vertex are left out.

    Shapes:
        x: `(B, field_type.size, 5n + 1, 2n)`, see `Icosphere` -> the same.

    Equivariance: exact, in training and in eval.

    Args:
        field_type: regular, quotient and trivial fields.

    Raises:
        ValueError: If there are other fields: use `FieldBatchNorm` with the icosphere as domain.

    Example:
        >>> import torch
        >>> from gaugenet.geometry import Icosphere
        >>> from gaugenet.groups import Cyclic, FieldType
        >>> from gaugenet.nn import ChartBatchNorm
        >>> sphere = Icosphere(2)
        >>> norm = ChartBatchNorm(FieldType(Cyclic(6), "2xregular"))
        >>> norm(torch.rand(3, 12, *sphere.chart_shape)).shape
        torch.Size([3, 12, 21, 8])
    """

    def __init__(self, field_type: FieldType, **options: Any) -> None:
        super().__init__(field_type, **options)
        for part in self._parts():
            if not part.is_permuted:
                raise ValueError(
                    f"Expected regular, quotient or trivial fields, got {part.block.representation!r}: use "
                    "`FieldBatchNorm` with the icosphere as its domain."
                )

    def forward(self, x: Float[Tensor, "batch size rows columns"], domain: Domain | None = None) -> Tensor:
        if not self.training:
            return super().forward(x)
        check_features(self, x)
        unused = x.shape[3] - 2
        mean, variance = channel_moments(x, unused)
        scale, shift = self._affine_of(mean, variance, x.shape[0] * (x.shape[2] * x.shape[3] - unused))
        return typed_tensor(channel_affine(x, scale.to(mean.dtype), shift.to(mean.dtype)))

    def _affine_of(self, mean: Tensor, variance: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """Return scale and shift of each channel from its statistics; update the running statistics."""
        scales, shifts = [], []
        for part in self._parts():
            rows = (part.block.representation.dim, -1)
            means = mean[part.block.slice].view(rows)
            centre = means.mean(0)
            spread = (variance[part.block.slice].view(rows) + (means - centre).square()).mean(0)
            total = count * rows[0]
            self._update(self.running_mean[part.invariants], centre, mean.new_ones(()))
            self._update(self.running_var[part.fields], spread * (total / max(total - 1, 1)), mean.new_ones(()))
            scale = self.weight[part.fields] * torch.rsqrt(spread + self.eps)
            scales.append(scale.repeat(rows[0]))
            shifts.append((self.bias[part.invariants] - centre * scale).repeat(rows[0]))
        return torch.cat(scales), torch.cat(shifts)

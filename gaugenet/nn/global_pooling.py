"""GlobalPool: one vector of scalars for each sample."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from gaugenet.geometry.domain import Domain
from gaugenet.groups import FieldType
from gaugenet.nn.precision import check_features
from gaugenet.nn.samples import need_samples


class GlobalPool(nn.Module):
    """The area-weighted mean of scalars over each graph of a batch or each image.

    Other fields have no mean, because frames at different points are unrelated.

    Shapes:
        x: `(N, size)`, domain: a `GaugeGraph` -> `(graphs, size)`; or
        x: `(B, size, *spatial)`, domain: a grid, or none -> `(B, size)`.

    Raises:
        ValueError: If the field type is not invariant (put an `InvariantReadout` before it); in `forward`, if the
            graph is missing.

    Example:
        >>> import torch
        >>> from gaugenet.groups import SO2, FieldType
        >>> from gaugenet.nn import GlobalPool
        >>> GlobalPool(FieldType(SO2(), "8x0"))(torch.rand(2, 8, 5, 5)).shape
        torch.Size([2, 8])
    """

    def __init__(self, field_type: FieldType) -> None:
        super().__init__()
        if not field_type.is_invariant:
            raise ValueError(f"Expected scalars, got {field_type}: put an `InvariantReadout` before global pooling.")
        self.in_type = self.out_type = field_type

    def forward(
        self, x: Float[Tensor, "points size *spatial"], domain: Domain | None = None
    ) -> Float[Tensor, "samples size"]:
        check_features(self, x)
        flat = x.flatten(2) if x.dim() > 2 else x
        return need_samples(x, domain).means(flat).to(x.dtype).flatten(1)

    def extra_repr(self) -> str:
        return str(self.in_type)

"""GlobalPool: one vector of scalars for each sample."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from gaugenet.geometry.domain import Domain
from gaugenet.groups import FieldType
from gaugenet.nn.precision import check_features
from gaugenet.nn.samples import need_samples


class GlobalPool(nn.Module):
    """Area-weighted mean of scalars over each graph of a batch or each image (frames at two points do not compare).

    Shapes:
        x: `(N, size)`, domain: a `GaugeGraph` -> `(graphs, size)`; or
        x: `(B, size, *spatial)`, domain: a grid, or none -> `(B, size)`.

    Raises:
        ValueError: a field type that is not invariant (put an `InvariantReadout` before), a graph's features without
            the graph.
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

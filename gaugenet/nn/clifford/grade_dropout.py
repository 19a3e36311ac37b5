"""GradeDropout: all fields of a grade are dropped together."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gaugenet.geometry.domain import Domain
from gaugenet.groups import FieldType
from gaugenet.groups.clifford.fields import grades_of
from gaugenet.nn.precision import check_features
from gaugenet.nn.samples import need_samples


class GradeDropout(nn.Module):
    """Dropout of whole grades: with probability `p` all fields of a grade are zeroed, the others scaled by 1 / (1 - p).

    In evaluation mode nothing is dropped. `FieldDropout` drops the grades of each multivector independently.

    Shapes:
        x: `(N, field_type.size)` or `(B, field_type.size, *spatial)` -> the same; domain: needed on graphs if `whole`.

    Equivariance: exact for a given mask, which does not depend on the gauge.

    Args:
        field_type: a type of multivectors.
        p: probability of dropping a grade.
        whole: drop a grade everywhere in a sample (a graph, an image) instead of at each point or pixel independently.

    Raises:
        ValueError: If `p` is not a probability below 1, a block is not an exterior power, or the graph is missing.

    Example:
        >>> import torch
        >>> from gaugenet.groups import SO3, multivector
        >>> from gaugenet.nn import GradeDropout
        >>> fields = multivector(SO3(), multiplicity=2)
        >>> dropped = GradeDropout(fields, p=0.5)(torch.ones(10, fields.size))
        >>> set(dropped.flatten().tolist()) <= {0.0, 2.0}
        True
    """

    def __init__(self, field_type: FieldType, p: float = 0.1, *, whole: bool = False) -> None:
        super().__init__()
        if not 0 <= p < 1:
            raise ValueError(f"Expected a dropout probability 0 <= p < 1, got {p}.")
        grades_of(field_type)
        self.in_type = self.out_type = field_type
        self.p, self.whole = p, whole

    def forward(
        self, x: Float[Tensor, "points size *spatial"], domain: Domain | None = None
    ) -> Float[Tensor, "points size *spatial"]:
        check_features(self, x)
        if not self.training or self.p == 0:
            return x
        flat = x.flatten(2) if x.dim() > 2 else x
        factor = self._mask(flat, domain) / (1 - self.p)
        parts = [flat[:, b.slice] * factor[:, i : i + 1] for i, b in enumerate(self.in_type.blocks)]
        return torch.cat([flat[:, :0], *parts], 1).view(x.shape)

    def _mask(self, flat: Tensor, domain: Domain | None) -> Float[Tensor, "points grades *pixels"]:
        samples = need_samples(flat, domain) if self.whole else None
        points = flat.shape[0] if samples is None else samples.count
        pixels = flat.shape[2:] if samples is None else [1] * (flat.dim() - 2)
        shape = (points, len(self.in_type.blocks), *pixels)
        mask = torch.rand(shape, device=flat.device, dtype=torch.float32).ge_(self.p).to(flat.dtype)
        return mask if samples is None else samples.spread(mask)

    def extra_repr(self) -> str:
        return f"{self.in_type}, p={self.p}" + (", whole=True" if self.whole else "")


__all__ = ["GradeDropout"]

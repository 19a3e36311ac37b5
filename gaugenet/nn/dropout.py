"""FieldDropout: all components of a field are dropped together, so that no direction is preferred."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gaugenet._typing import apply_function, typed_tensor
from gaugenet.geometry.domain import Domain
from gaugenet.groups import FieldType
from gaugenet.nn.compiled.eager import array, field_table, has_loops, needs_plain, over_rows
from gaugenet.nn.precision import check_features
from gaugenet.nn.samples import Samples, need_samples


class FieldDropout(nn.Module):
    """Dropout of whole fields: with probability `p` all components of a field are zeroed, others scaled by 1 / (1 - p).

    In evaluation mode nothing is dropped. For scalars this is :cite:`srivastava2014dropout`.

    Shapes:
        x: `(N, field_type.size)` or `(B, field_type.size, *spatial)` -> the same; domain: needed on graphs if `whole`.

    Equivariance: exact for a given mask, which does not depend on the gauge.

    Args:
        field_type: type of the features.
        p: probability of dropping a field.
        whole: drop a field everywhere in a sample (a graph, an image) instead of independently at each point (pixel).

    Raises:
        ValueError: If `p` is not a probability below 1; in `forward`, if `whole` and the graph is missing.

    Example:
        >>> import torch
        >>> from gaugenet.groups import SO2, FieldType
        >>> from gaugenet.nn import FieldDropout
        >>> dropped = FieldDropout(FieldType(SO2(), "5x1"), p=0.5)(torch.ones(10, 10))
        >>> bool((dropped[:, :5] == dropped[:, 5:]).all())  # both components of a vector
        True
    """

    def __init__(self, field_type: FieldType, p: float = 0.1, *, whole: bool = False) -> None:
        super().__init__()
        if not 0 <= p < 1:
            raise ValueError(f"Expected a dropout probability 0 <= p < 1, got {p}.")
        self.in_type = self.out_type = field_type
        self.p, self.whole = p, whole

    def forward(
        self, x: Float[Tensor, "points size *spatial"], domain: Domain | None = None
    ) -> Float[Tensor, "points size *spatial"]:
        check_features(self, x)
        if not self.training or self.p == 0:
            return x
        flat = x.flatten(2) if x.dim() > 2 else x
        factor = self._factor(flat, need_samples(x, domain) if self.whole else None) / (1 - self.p)
        if x.dim() == 2 and has_loops(x, factor):
            return typed_tensor(apply_function(_Scaled, self, x, factor))
        return self._scaled(flat, factor).view(x.shape)

    def _scaled(self, x: Tensor, factor: Tensor) -> Tensor:
        parts, start = [x[:, :0]], 0
        for b in self.in_type.blocks:
            parts.append((b.split(x) * factor[:, start : start + b.multiplicity].unsqueeze(1)).flatten(1, 2))
            start += b.multiplicity
        return torch.cat(parts, 1)

    def _factor(self, flat: Tensor, samples: Samples | None) -> Float[Tensor, "points fields *pixels"]:
        """Return the scale of each field: 0 for dropped fields."""
        points = flat.shape[0] if samples is None else samples.count
        pixels = flat.shape[2:] if samples is None else [1] * (flat.dim() - 2)
        shape = (points, self.in_type.num_fields, *pixels)
        mask = torch.rand(shape, device=flat.device, dtype=torch.float32).ge_(self.p).to(flat.dtype)
        return mask if samples is None else samples.spread(mask)

    def to_torch(self, x: Tensor) -> nn.Module:
        """Return the identity: nothing is dropped in evaluation mode."""
        return nn.Identity()

    def extra_repr(self) -> str:
        return f"{self.in_type}, p={self.p}" + (", whole=True" if self.whole else "")


class _Scaled(torch.autograd.Function):
    """`FieldDropout._scaled` for points."""

    @staticmethod
    def forward(ctx: Any, layer: FieldDropout, x: Tensor, factor: Tensor) -> Tensor:
        ctx.layer = layer
        ctx.save_for_backward(factor)
        return _by_field(layer, x, factor)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        (factor,) = ctx.saved_tensors
        if needs_plain(grad):
            return None, grad * ctx.layer._scaled(factor.new_ones(grad.shape), factor), None
        return None, _by_field(ctx.layer, grad, factor), None


def _by_field(layer: FieldDropout, x: Tensor, factor: Tensor) -> Tensor:
    from gaugenet.nn.compiled.loops import scale_fields

    out = torch.empty_like(x, memory_format=torch.contiguous_format)
    over_rows(scale_fields, [array(x), array(factor), field_table(layer.in_type.blocks)], [array(out)], len(x))
    return out

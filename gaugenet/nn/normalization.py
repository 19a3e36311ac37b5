"""Normalizations that neither depend on the gauge nor mix the samples of a batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gaugenet.groups import Block, FieldType
from gaugenet.nn.engines import Domain, membership
from gaugenet.nn.pooling import graph_means
from gaugenet.nn.tables import along_channels


class _FieldNorm(nn.Module):
    """Learned scale of every field and shift of every scalar, after a normalization."""

    def __init__(
        self,
        field_type: FieldType,
        *,
        eps: float,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.in_type = self.out_type = field_type
        self.eps = eps
        scalars = sum(b.multiplicity for b in field_type.blocks if b.representation.is_trivial)
        self.weight = nn.Parameter(torch.ones(field_type.num_fields, device=device, dtype=dtype))
        self.bias = nn.Parameter(torch.zeros(scalars, device=device, dtype=dtype))

    def reset_parameters(self) -> None:
        nn.init.ones_(self.weight)
        nn.init.zeros_(self.bias)

    def _rescaled(self, normalize: Callable[[Block, Tensor], Tensor], x: Tensor) -> Tensor:
        parts, field, scalar = [], 0, 0
        for b in self.in_type.blocks:
            weight = along_channels(self.weight[field : field + b.multiplicity], x)
            field += b.multiplicity
            y = normalize(b, b.split(x)) * weight
            if b.representation.is_trivial:
                y = y + along_channels(self.bias[scalar : scalar + b.multiplicity], x)
                scalar += b.multiplicity
            parts.append(y.flatten(1, 2))
        return torch.cat(parts, 1) if parts else x

    def extra_repr(self) -> str:
        return f"{self.in_type}, eps={self.eps}"


class FieldLayerNorm(_FieldNorm):
    r"""At every point: scalars to mean 0 and variance 1 over the channels, each other block to unit mean square.

    A single scalar would be centred to zero: have at least two.

    Shapes:
        x: `(..., field_type.size)` -> the same.

    Equivariance: exact; 3e-7 relative in float32. Points, hence samples, never meet.

    Args:
        field_type: fields with orthogonal representations.
        eps: added to the variance; fields much smaller than its root stay small.
    """

    def __init__(self, field_type: FieldType, *, eps: float = 1e-4, **factory: Any) -> None:
        super().__init__(field_type, eps=eps, **factory)

    def forward(self, x: Float[Tensor, "points size *spatial"]) -> Float[Tensor, "points size *spatial"]:
        self.in_type.check(x)
        return self._rescaled(self._normalize, x)

    def _normalize(self, block: Block, v: Tensor) -> Tensor:
        if block.representation.is_trivial:
            v = v - v.mean(2, keepdim=True)
        return v * torch.rsqrt(v.square().mean((1, 2), keepdim=True) + self.eps)


class FieldInstanceNorm(_FieldNorm):
    r"""Over each graph of a batch: every field to unit area-weighted mean square, scalars centred first.

    Shapes:
        x: `(N, field_type.size)`, domain: a `GaugeGraph` with `mass` (and `batch`) -> the same.

    Equivariance: exact; 3e-7 relative in float32. Statistics are taken per graph, weighted by `mass`, so they do not
    depend on the triangulation.
    """

    def __init__(self, field_type: FieldType, *, eps: float = 1e-4, **factory: Any) -> None:
        super().__init__(field_type, eps=eps, **factory)

    def forward(self, x: Float[Tensor, "vertices size"], domain: Domain) -> Float[Tensor, "vertices size"]:
        self.in_type.check(x)
        batch, _ = membership(domain)

        def mean(v: Tensor) -> Tensor:
            return graph_means(v, domain).to(v.dtype)[batch]

        def normalize(block: Block, v: Tensor) -> Tensor:
            if block.representation.is_trivial:
                v = v - mean(v)
            return v * torch.rsqrt(mean(v.square().mean(1, keepdim=True)) + self.eps)

        return self._rescaled(normalize, x)

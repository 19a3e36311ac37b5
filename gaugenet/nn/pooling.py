"""Pooling and unpooling along the levels of a hierarchy, with transport between frames."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gaugenet.geometry.gauge_graph import GaugeGraph
from gaugenet.geometry.icosphere.icosphere import Icosphere
from gaugenet.groups import FieldType
from gaugenet.nn.engines import Domain, _chart_transfer, derived
from gaugenet.nn.engines.graph import EdgeFactors, widened
from gaugenet.nn.engines.transfer import carry, transfer_factors


class _Transfer(nn.Module):
    """out(p) = sum over edges q -> p of w_e rho(transporter_e) x(q), from one level to the next."""

    direction: str

    def __init__(self, field_type: FieldType) -> None:
        super().__init__()
        self.in_type = self.out_type = field_type
        self._key = f"{self.direction} {field_type.group} {field_type}"

    def _carry(self, x: Tensor, domain: Domain, level: int, *, down: bool) -> Tensor:
        self.in_type.check(x)
        if not 0 < level < domain.num_levels:
            raise ValueError(f"Expected a graph with more than {level} levels, got {domain.num_levels}.")
        fine, coarse = domain.level_size(level - 1), domain.level_size(level)
        sizes = (fine, coarse) if down else (coarse, fine)
        if x.shape[0] != sizes[0]:
            raise ValueError(f"Expected `x` with one row per point of its level ({sizes[0]}), got {x.shape[0]}.")
        with torch.autocast(x.device.type, enabled=False):
            wide = widened(x)
            return carry(self.in_type, wide, self._factors(domain, level, sizes[1], wide.dtype)).to(x.dtype)

    def _factors(self, domain: Domain, level: int, num_targets: int, dtype: torch.dtype) -> EdgeFactors:
        def edges(graph: GaugeGraph) -> dict[str, Tensor]:
            return graph.pool(level) if self.direction == "pool" else graph.unpool(level)

        def build(graph: GaugeGraph) -> EdgeFactors:
            return transfer_factors(self.in_type, edges(graph), num_targets, dtype)

        key = f"{self._key} {level} {dtype}"
        return derived(domain, key, build, sources=lambda graph: list(edges(graph).values()))

    def extra_repr(self) -> str:
        return str(self.in_type)


class Pool(_Transfer):
    """Area-weighted mean of the transported features around each point of the next coarser level.

    Shapes:
        x: features on level `level - 1` -> features on `level` of the graph; on an `Icosphere`, features of that
        icosphere -> of `icosphere.coarser()`, in the same layout.

    Equivariance: exact; 3e-7 relative in float32.

    Raises:
        ValueError: features of another size or level.
    """

    direction = "pool"

    def forward(self, x: Float[Tensor, "fine size"], domain: Any, *, level: int = 1) -> Float[Tensor, "coarse size"]:
        """`domain` is the whole hierarchy."""
        if isinstance(domain, Icosphere):
            self.in_type.check(x)
            return _chart_transfer.pool(x, self.in_type, domain.coarser(level - 1))
        return self._carry(x, domain, level, down=True)


class Unpool(_Transfer):
    """Interpolation of the transported features of the coarser points around each point of the next finer level.

    Shapes:
        x: features on level `level` -> features on `level - 1` of the graph; on an `Icosphere`, features of
        `icosphere.coarser()` -> of that icosphere, in the same layout.

    Equivariance: exact; 3e-7 relative in float32.

    Raises:
        ValueError: features of another size or level.
    """

    direction = "unpool"

    def forward(self, x: Float[Tensor, "coarse size"], domain: Any, *, level: int = 1) -> Float[Tensor, "fine size"]:
        """`domain` is the whole hierarchy."""
        if isinstance(domain, Icosphere):
            self.in_type.check(x)
            return _chart_transfer.unpool(x, self.in_type, domain.coarser(level - 1))
        return self._carry(x, domain, level, down=False)

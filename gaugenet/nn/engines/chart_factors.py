"""The factorized form on icospheres, for scalars: neighbours need no transport, and are added before they are mixed.

A kernel on the charts is one window of an ordinary convolution, with corrections at the sides. Kernels from scalars
have few functions (one for each ring if they map to scalars: they are isotropic), so it takes less time to aggregate on
the gauge graph and to mix, and there is nothing to correct. The choice is made as in `grid_factors`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet._transforms import outside_transforms
from gaugenet.geometry.icosphere.icosphere import HexagonalStencil, Icosphere, VertexProjection, icosphere
from gaugenet.nn.engines.graph import edge_factors
from gaugenet.nn.engines.grid_factors import aggregated, can_aggregate, mixing_of, saves_time
from gaugenet.nn.engines.protocol import Convolution

if TYPE_CHECKING:
    from gaugenet.geometry.gauge_graph import GaugeGraph


def pays(layer: Convolution, x: Tensor, domain: Icosphere) -> bool:
    """Return whether `convolve_vertices` can be used and takes less time than the convolution of the charts."""
    if domain.stride > 1 or not layer.in_type.is_invariant or not can_aggregate(layer, x):
        return False
    points = domain.num_vertices * (1 if x.dim() == 2 else len(x))
    return saves_time(layer, HexagonalStencil(domain.neighborhood), points)


def convolve_vertices(
    layer: Convolution, x: Float[Tensor, "batch vertices in"], domain: Icosphere
) -> Float[Tensor, "batch vertices out"]:
    """Return the layer on features in vertex order."""
    graph = _graph(domain.level, domain.projection, domain.neighborhood, x.dtype)
    factors, mixing = edge_factors(layer.kernels, graph, x.dtype), mixing_of(layer)
    return torch.stack([aggregated(layer, mixing, image, image, factors) for image in x])


@lru_cache(maxsize=4)
def _graph(level: int, projection: VertexProjection, neighborhood: int, dtype: torch.dtype) -> GaugeGraph:
    with outside_transforms():
        return icosphere(level, projection, neighborhood).gauge_graph(dtype=dtype)

"""The graph on which operators of a domain are computed, and the layouts of features."""

from __future__ import annotations

from functools import lru_cache
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from gaugenet._caching import TensorCache
from gaugenet._typing import typed_tensor
from gaugenet.geometry.domain import Domain
from gaugenet.geometry.gauge_graph import GaugeGraph
from gaugenet.geometry.grids.grid import Grid
from gaugenet.geometry.icosphere.icosphere import Icosphere
from gaugenet.geometry.mesh.mesh import TriangleMesh
from gaugenet.geometry.point_cloud import PointCloud
from gaugenet.geometry.sphere.domain import SphereDomain
from gaugenet.groups import SO2, Trivial
from gaugenet.kernels._symbols import indices_up_to

Space = Domain | TriangleMesh | PointCloud
"""What operators are computed on."""
_NEIGHBORS = 20
"""Number of neighbours on surfaces: twice the number of coefficients of a polynomial of degree 3."""
_GRAPHS: WeakKeyDictionary[TriangleMesh | PointCloud, TensorCache] = WeakKeyDictionary()
"""The graph of each mesh and cloud."""


def operator_graph(domain: Space) -> GaugeGraph:
    """Return the graph on which operators of a domain are computed, the same object until points of a cloud move.

    Vector fields of a domain are in the frames of this graph. Neighbourhoods have two to three times the number of
    points that polynomials of degree 3 need: 8 on lines, 20 on surfaces, 60 in space.

    - A `GaugeGraph` is its own graph.
    - An `Icosphere` has the logarithmic maps and transporters of the sphere, in the frames `icosphere.frame`. The flat
      hexagonal connection of its charts does not have covariant derivatives.
    - A grid of the sphere (`LatLonSphere`, `HEALPix`, ...) has the points within a radius, in frames that point east
      and north.
    - A `TriangleMesh` has `mesh.gauge_graph(SO2(), mean_neighbors=20)`, in float64.
    - A `PointCloud` has the nearest points, in the axes of space.
    - A `Grid` has `grid.gauge_graph()`, but operators use finite differences on it.

    Raises:
        ValueError: If `domain` is not one of these or another `Domain`.

    Example:
        >>> from gaugenet.geometry import Icosphere
        >>> from gaugenet.operators import operator_graph
        >>> sphere = Icosphere(2)
        >>> bool((operator_graph(sphere).frame == sphere.frame).all())
        True
    """
    if isinstance(domain, GaugeGraph):
        return domain
    if isinstance(domain, Icosphere):
        return _of_icosphere(domain.level, domain.projection)
    if isinstance(domain, SphereDomain):
        return domain.gauge_graph(mean_neighbors=_NEIGHBORS)
    if isinstance(domain, TriangleMesh | PointCloud):
        return _kept(domain)
    graph = domain.gauge_graph() if isinstance(domain, Domain) else None
    if isinstance(graph, GaugeGraph):
        return graph
    raise ValueError(
        "Expected a domain, e.g. a GaugeGraph, a Grid, an Icosphere, a TriangleMesh or a PointCloud, got "
        f"{type(domain).__name__}."
    )


def _kept(domain: TriangleMesh | PointCloud) -> GaugeGraph:
    """Return the graph of a mesh or a cloud, made again after points of a cloud have moved."""
    cache = _GRAPHS.setdefault(domain, TensorCache())
    if isinstance(domain, TriangleMesh):
        return cache.get("graph", [], lambda: _of_mesh(domain))
    return cache.get("graph", [domain.pos], lambda: _of_points(domain))


@lru_cache(maxsize=8)
def _of_icosphere(level: int, projection: str) -> GaugeGraph:
    sphere = Icosphere(level, projection=projection)  # type: ignore[arg-type]
    neighbors = min(_NEIGHBORS, sphere.num_vertices / 3)  # level 0 and 1 have 12 and 42 vertices
    return sphere.gauge_graph(SO2(), connection="levi_civita", mean_neighbors=neighbors)


def _of_mesh(mesh: TriangleMesh) -> GaugeGraph:
    return mesh.gauge_graph(SO2(), mean_neighbors=_NEIGHBORS, dtype=torch.float64)


def _of_points(cloud: PointCloud) -> GaugeGraph:
    neighbors = max(2, cloud.d) * len(indices_up_to(cloud.d, 3))  # random points in space need more than twice
    return cloud.gauge_graph(Trivial(cloud.d), neighbors=min(neighbors, len(cloud) - 1), dtype=torch.float64)


def check_numbers(f: Tensor) -> None:
    """Raise `ValueError` unless `f` has floating-point numbers: weights of derivatives are not integers."""
    if not (isinstance(f, Tensor) and (f.is_floating_point() or f.is_complex())):
        got = f.dtype if isinstance(f, Tensor) else type(f).__name__
        raise ValueError(f"Expected `f` as a tensor of floating-point numbers, got {got}: pass e.g. `f.float()`.")


# --- layouts ----------------------------------------------------------------------------------------------------------


def as_rows(f: Tensor, domain: Space, components: int) -> Tensor:
    """Return features of any layout of a domain as `(N, components C)`; the samples of a batch become channels."""
    if not isinstance(domain, Icosphere) or f.dim() == 2:
        return f
    x = domain.from_charts(f) if f.dim() == 4 else f
    if x.dim() != 3 or x.shape[2] != domain.num_vertices or x.shape[1] % components:
        raise ValueError(
            f"Expected `f` of shape ({domain.num_vertices}, {components} C), (B, {components} C, "
            f"{domain.num_vertices}) or (B, {components} C, {domain.chart_shape[0]}, {domain.chart_shape[1]}) for "
            f"{domain}, got {tuple(f.shape)}."
        )
    channels = x.shape[1] // components
    return typed_tensor(x.unflatten(1, (components, channels)).permute(3, 1, 0, 2).flatten(1))


def as_given(rows: Tensor, f: Tensor, domain: Space, inputs: int, components: int) -> Tensor:
    """Return features of the shape `(N, components B C)` in the layout of `f`, which has `inputs` components."""
    if not isinstance(domain, Icosphere) or f.dim() == 2:
        return rows
    x = rows.unflatten(1, (components, f.shape[0], f.shape[1] // inputs)).permute(2, 1, 3, 0).flatten(1, 2)
    return domain.to_charts(x) if f.dim() == 4 else x


def dimension(domain: Space) -> int:
    """Return the dimension of a domain's tangent spaces."""
    return domain.d if isinstance(domain, Grid) else int(operator_graph(domain).log_map.shape[1])


__all__ = ["Space", "as_given", "as_rows", "check_numbers", "dimension", "operator_graph"]

"""SphereDomain: points of the unit sphere with cells and frames that point east and north."""

from __future__ import annotations

import math
from abc import abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from gaugenet._caching import BoundedCache
from gaugenet._typing import typed_tensor
from gaugenet._validation import positive, positive_number
from gaugenet.geometry.domain import Domain, single_sample
from gaugenet.geometry.icosphere._graph import check_rotations
from gaugenet.geometry.sphere.coordinates import east_north, sphere_points
from gaugenet.groups.families.so2 import SO2
from gaugenet.groups.group import StructureGroup

if TYPE_CHECKING:
    from gaugenet.geometry.gauge_graph import GaugeGraph
    from gaugenet.geometry.sphere.cells import Cells


_FEWEST = 12
"""Least number of points of a coarser grid."""


class SphereDomain(Domain):
    """The base class of grids of the unit sphere: `HEALPix`, `ReducedGaussian`, `LatLonSphere` and `SpherePoints`.

    Features are `(N, C)`, one row per point. The frame of every point is east and north, at a pole along the meridian
    of the point's longitude. Logarithmic maps and transport are along great circles, so poles and corners of a grid
    are not special for layers. `conv(x, sphere)` computes on `gauge_graph()`; on a device use
    `gauge_graph().to(device)`.

    A new grid is a subclass with `lat_lon` and `cells`, and with `coarser` if its own coarser grids are better than a
    subset of the points.

    Example:
        >>> import torch
        >>> from gaugenet.geometry import LatLonSphere
        >>> from gaugenet.groups import SO2, FieldType
        >>> from gaugenet.nn import GaugeConv
        >>> sphere = LatLonSphere.regular(9, 16)
        >>> wind = sphere.from_lonlat(torch.rand(9, 16), torch.rand(9, 16))
        >>> conv = GaugeConv(FieldType(SO2(), "1x1"), FieldType(SO2(), "4x0"))
        >>> conv(wind, sphere).shape  # 7 rows of 16 points and the poles
        torch.Size([114, 4])
    """

    @property
    @abstractmethod
    def lat_lon(self) -> tuple[Float[ndarray, "points"], Float[ndarray, "points"]]:
        """Latitudes and longitudes of the points in degrees."""

    @property
    @abstractmethod
    def cells(self) -> Cells:
        """The cells of the points, a partition of the sphere."""

    # --- points -----------------------------------------------------------------------------------------------------

    @cached_property
    def lat(self) -> Float[Tensor, "points"]:
        """Latitudes in degrees, float64."""
        return torch.from_numpy(np.ascontiguousarray(self.lat_lon[0]))

    @cached_property
    def lon(self) -> Float[Tensor, "points"]:
        """Longitudes in degrees, float64; arbitrary at a pole, where it determines the frame."""
        return torch.from_numpy(np.ascontiguousarray(self.lat_lon[1]))

    @cached_property
    def pos(self) -> Float[Tensor, "points 3"]:
        """Unit vectors, float64."""
        return torch.from_numpy(sphere_points(*self.lat_lon))

    @cached_property
    def frame(self) -> Float[Tensor, "points 3 2"]:
        """East and north as columns, float64."""
        return torch.from_numpy(east_north(*self.lat_lon))

    @cached_property
    def area(self) -> Float[Tensor, "points"]:
        """Areas of the cells on the unit sphere, the weights of integrals, float64."""
        return torch.from_numpy(self.cells.area)

    @property
    def spacing(self) -> float:
        """Side of a square with the mean area of a cell, in radians."""
        return math.sqrt(float(self.area.mean()))

    # --- the contract of a domain -----------------------------------------------------------------------------------

    @property
    def num_nodes(self) -> int:
        return len(self.lat_lon[0])

    @property
    def structures(self) -> frozenset[str]:
        """SO(2): transport on the sphere rotates frames by any angle."""
        return frozenset(["SO(2)"])

    def areas(self, x: Tensor) -> Float[Tensor, "points"]:
        """Return `area` in the precision and on the device of `x`."""
        return self.area.to(x)

    def membership(self) -> tuple[Int[Tensor, "points"], int]:
        """Return the membership of the points: one sphere is one sample."""
        return single_sample(self.num_nodes)

    def gauge_graph(
        self,
        group: StructureGroup | None = None,
        *,
        radius: float | None = None,
        mean_neighbors: float | None = None,
        neighbors: int | None = None,
        levels: int = 1,
        dtype: torch.dtype = torch.float64,
    ) -> GaugeGraph:
        """Return the neighbourhoods of all points, the same object for the same arguments.

        With `levels`, the graph also holds coarser grids, see `coarser`, for `Pool`, `Unpool` and networks with levels
        such as `MeshUNet`.

        Args:
            group: structure group of the features, SO(2) by default, or O(2).
            radius: radius of the neighbourhoods in radians. Default: twice `spacing`, about twelve neighbours.
            mean_neighbors: instead of `radius`, the mean number of neighbours, which determines the radius.
            neighbors: instead of `radius`, the number of nearest points, plus points at the distance of the last one.
                The graph's radius is the longest edge. Use it for grids whose spacing varies a lot.
            levels: number of levels, including this grid. A given radius grows with the spacing of the grids.
            dtype: precision of all floating-point tensors; everything is computed in float64.

        Raises:
            ValueError: If more than one of the three is given, the group does not contain the transporters, the radius
                is not below pi, a point has no neighbour, or there are not enough coarser grids.
        """
        if (radius, mean_neighbors, neighbors).count(None) < 2:
            raise ValueError("Expected at most one of `radius` (radians), `mean_neighbors` and `neighbors`.")
        group = SO2() if group is None else group
        check_rotations(group)
        if mean_neighbors is not None:
            radius = self.spacing * math.sqrt(positive_number("mean_neighbors", mean_neighbors) / math.pi)
        if neighbors is None and radius is None:
            radius = 2 * self.spacing
        if neighbors is not None:
            neighbors = positive("neighbors", neighbors, at_most=self.num_nodes - 1)
        positive("levels", levels)
        key = (radius, neighbors, levels, dtype)
        return self._graphs.get(key, lambda: self._built(radius, neighbors, levels, dtype))

    @property
    def coarser(self) -> tuple[SphereDomain, Int[ndarray, "points"] | None]:
        """The next coarser grid, with about a quarter of the points, and the parent of each point if cells are nested.

        By default the coarser grid is a subset of the points, chosen by farthest-point sampling, with Voronoi cells.
        """
        return self._coarser

    @cached_property
    def _coarser(self) -> tuple[SphereDomain, Int[ndarray, "points"] | None]:
        from gaugenet.geometry.sphere.levels import farthest_points
        from gaugenet.geometry.sphere.points import SpherePoints

        count = self.num_nodes // 4
        if count < _FEWEST:
            raise ValueError(f"Expected at least {4 * _FEWEST} points for a coarser grid, got {self.num_nodes}.")
        points = self.pos.numpy()
        return SpherePoints(points[farthest_points(points, count)]), None

    def _built(self, radius: float | None, neighbors: int | None, levels: int, dtype: torch.dtype) -> GaugeGraph:
        from gaugenet.geometry.sphere.graph import sphere_graph
        from gaugenet.geometry.sphere.levels import with_levels

        grids: list[SphereDomain] = [self]
        children: list[Int[ndarray, "points"] | None] = []
        for _ in range(levels - 1):
            try:
                grid, parent = grids[-1].coarser
            except ValueError as error:
                raise ValueError(
                    f"Expected `levels` of at most {len(grids)}: {grids[-1]} is the last. {error}"
                ) from error
            grids.append(grid)
            children.append(parent)
        graphs = []
        for level, grid in enumerate(grids):
            wide = None if radius is None else radius * grid.spacing / self.spacing
            try:
                if neighbors is not None and 2 * neighbors > grid.num_nodes and level:
                    raise ValueError(f"{neighbors} `neighbors` are more than half of its points.")
                found = sphere_graph(grid.pos, grid.frame, grid.area, radius=wide, neighbors=neighbors, dtype=dtype)
            except ValueError as error:
                if level == 0:
                    raise
                raise ValueError(f"On level {level}, {grid}: {error} Use fewer `levels` or a smaller one.") from error
            graphs.append(found)
        return with_levels(grids, graphs, children) if children else graphs[0]

    @cached_property
    def _graphs(self) -> BoundedCache[GaugeGraph]:
        return BoundedCache(max_entries=4)

    # --- fields -----------------------------------------------------------------------------------------------------

    def from_lonlat(
        self, u: Float[Tensor, "*fields points"], v: Float[Tensor, "*fields points"]
    ) -> Float[Tensor, "points channels"]:
        """Return winds as features, of the field type `1x1` for `(N,)` and `Kx1` for K winds `(K, N)`.

        Args:
            u: eastward components.
            v: northward components.

        Raises:
            ValueError: If the shapes differ, or do not end with the number of points.
        """
        if u.shape != v.shape or u.dim() not in (1, 2) or u.shape[-1] != self.num_nodes:
            raise ValueError(
                f"Expected `u` and `v` of the same shape ({self.num_nodes},) or (K, {self.num_nodes}), got "
                f"{tuple(u.shape)} and {tuple(v.shape)}."
            )
        return torch.cat([w.reshape(-1, self.num_nodes) for w in (u, v)]).T.contiguous()

    def to_lonlat(
        self, x: Float[Tensor, "points channels"]
    ) -> tuple[Float[Tensor, "fields points"], Float[Tensor, "fields points"]]:
        """Return eastward and northward components `(K, N)` of features of the type `Kx1`.

        Raises:
            ValueError: If `x` does not have one row per point and an even number of channels.
        """
        if x.dim() != 2 or x.shape[0] != self.num_nodes or x.shape[1] % 2:
            raise ValueError(f"Expected `x` of shape ({self.num_nodes}, 2 K), got {tuple(x.shape)}.")
        u, v = x.T.chunk(2)
        return u, v

    def to_space(self, x: Float[Tensor, "points channels"]) -> Float[Tensor, "points fields 3"]:
        """Return features of the type `Kx1` as tangent vectors in space."""
        return typed_tensor(torch.einsum("ndi,nik->nkd", self.frame.to(x), x.unflatten(1, (2, -1))))

    def from_space(self, vectors: Float[Tensor, "points fields 3"]) -> Float[Tensor, "points channels"]:
        """Return the tangent part of vectors in space as features of the type `Kx1`."""
        return torch.einsum("ndi,nkd->nik", self.frame.to(vectors), vectors).flatten(1)

    def integral(self, x: Float[Tensor, "points *channels"]) -> Float[Tensor, "*channels"]:
        """Return the integral of scalar fields over the sphere."""
        return typed_tensor(torch.tensordot(self.area.to(x), x, 1))


__all__ = ["SphereDomain"]

"""NeighborhoodOptions: all options that say how a gauge graph is computed from a mesh."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypedDict

import numpy as np
from numpy import ndarray
from torch import Tensor

from gaugenet._validation import positive_number

if TYPE_CHECKING:
    from gaugenet.geometry.mesh.mesh import TriangleMesh

Neighborhood = Literal["geodesic", "one_ring"]
LengthUnit = Literal["metric", "local"]
FrameChoice = str | ndarray | Tensor
"""A name accepted by `frame_field`, or `(V, 3, 2)` frames."""

MEAN_NEIGHBORS = 16.0
"""Mean number of neighbours of a point of a hierarchy, if the options give no size."""


_SIZES = ("radius", "relative_radius", "mean_neighbors")
_LEAST_CROWD, _CROWD = 256, 8


@dataclass(frozen=True)
class NeighborhoodOptions:
    """Which points of a mesh are neighbours, the units of their distances, and the frames; on one or several levels.

    Attributes:
        neighborhood: `"geodesic"` for all vertices within a geodesic radius, or `"one_ring"` for the neighbours along
            edges. Coarser levels are always geodesic.
        radius: geodesic radius of the finest level, in the units of the mesh.
        relative_radius: instead of `radius`: the geodesic radius over the square root of the area of the surface.
        mean_neighbors: instead of both: the mean number of points in a disc of the radius, at every level.
        density: with a radius: the mean number of points in a disc of that radius for which the network was set up.
            Then the area of the surface determines the coarser levels, not the number of vertices: the first coarser
            level has `density / ratio` points in such a disc. `None`: the number of points of the finest level counts.
        max_neighbors: keep only this many nearest neighbours of each point. `None` is 8 times the mean number, at
            least 256: it only bounds the cost on very uneven tessellations. A number above the number of vertices keeps
            all. Where the vertices are denser than `density`, the number is larger by the same factor.
        lengths: log maps and radius in the units of the mesh (`"metric"`), or at every point relative to the mean
            distance of its neighbours (`"local"`).
        frames: `"first_edge"`, `"random"`, `"principal"` or an array `(V, 3, 2)`, see `frame_field`.
        seed: seed of random frames.
        levels: number of levels, including the finest.
        ratio: factor by which the number of points falls from level to level.

    Raises:
        ValueError: If an option is unknown or not positive, if more than one size is given, or if a density is given
            without a radius.

    Example:
        >>> from gaugenet.geometry import NeighborhoodOptions
        >>> NeighborhoodOptions(relative_radius=0.05, levels=3).frames
        'first_edge'
    """

    neighborhood: Neighborhood = "geodesic"
    radius: float | None = None
    relative_radius: float | None = None
    mean_neighbors: float | None = None
    density: float | None = None
    max_neighbors: int | None = None
    lengths: LengthUnit = "metric"
    frames: FrameChoice = "first_edge"
    seed: int | None = None
    levels: int = 1
    ratio: float = 4.0

    def __post_init__(self) -> None:
        if self.levels < 1 or self.ratio <= 1:
            raise ValueError(
                f"Expected `levels` of at least 1 and `ratio` above 1, got {self.levels} and {self.ratio}."
            )
        if self.neighborhood not in ("geodesic", "one_ring"):
            raise ValueError(f"Expected `neighborhood` 'geodesic' or 'one_ring', got {self.neighborhood!r}.")
        if self.lengths not in ("metric", "local"):
            raise ValueError(f"Expected `lengths` 'metric' or 'local', got {self.lengths!r}.")
        for name in (*_SIZES, "density", "max_neighbors"):
            if (value := getattr(self, name)) is not None:
                positive_number(name, value)
        if len(self._sizes) > 1:
            raise ValueError(self._expected_one_size())
        if self.density is not None and (self.mean_neighbors is not None or not self._sizes):
            raise ValueError("Expected `radius` or `relative_radius` with `density`: it counts the points within it.")

    def sized(self) -> NeighborhoodOptions:
        """Return these options, with `MEAN_NEIGHBORS` neighbours if they give no size."""
        return self if self._sizes else replace(self, mean_neighbors=MEAN_NEIGHBORS)

    @property
    def _sizes(self) -> list[str]:
        """Return the names of the size options that are given."""
        return [name for name in _SIZES if getattr(self, name) is not None]

    def radius_on(self, mesh: TriangleMesh) -> float:
        """Return the radius of the finest level on a mesh, in its units.

        Raises:
            ValueError: If no size is given.
        """
        if self.mean_neighbors is not None:
            return float(np.sqrt(self.mean_neighbors * mesh.area / (np.pi * _points_with_area(mesh))))
        if self.relative_radius is not None:
            return float(self.relative_radius * np.sqrt(mesh.area))
        if self.radius is not None:
            return float(self.radius)
        raise ValueError(self._expected_one_size())

    def mean_neighbors_on(self, mesh: TriangleMesh) -> float:
        """Return how many vertices the disc of the radius holds on average."""
        if self.mean_neighbors is not None:
            return self.mean_neighbors
        return float(np.pi * self.radius_on(mesh) ** 2 * _points_with_area(mesh) / mesh.area) if mesh.area else 0.0

    def points_on(self, mesh: TriangleMesh) -> float:
        """Return how many points the finest level should have. Each coarser level has fewer by the factor `ratio`.

        With `density` the area determines the number. Otherwise it is the number of vertices.
        """
        if self.density is None:
            return mesh.num_vertices
        radius = self.radius_on(mesh)
        return self.density * mesh.area / (np.pi * radius**2) if radius else 0.0

    def max_neighbors_on(self, mesh: TriangleMesh) -> int:
        """Return how many neighbours a point of the finest level keeps at most."""
        if self.max_neighbors is None:
            return crowd_of(self.mean_neighbors_on(mesh))
        denser = self.mean_neighbors_on(mesh) / self.density if self.density is not None else 1.0
        return int(np.ceil(self.max_neighbors * max(denser, 1.0)))

    def coarse_on(self, mesh: TriangleMesh, level: int, count: int) -> LevelSizes:
        """Return the sizes of a coarser level.

        Args:
            mesh: the surface.
            level: 1 for the first level coarser than the finest.
            count: number of points with area on the level; without `density` they share the area.
        """
        mean = self.mean_neighbors_on(mesh) if self.density is None else self.density
        points = count if self.density is None else self.points_on(mesh) / self.ratio**level
        cell = mesh.area / points if points else 0.0
        crowd = crowd_of(mean)
        return LevelSizes(float(np.sqrt(mean * cell / np.pi)), cell, self.max_neighbors or crowd, crowd)

    def _expected_one_size(self) -> str:
        return (
            "Expected exactly one of `radius` (a length in the units of the mesh), `relative_radius` (over the square "
            "root of the area) and `mean_neighbors`, got "
            f"radius={self.radius}, relative_radius={self.relative_radius} and mean_neighbors={self.mean_neighbors}."
        )


@dataclass(frozen=True)
class LevelSizes:
    """The sizes of a coarser level.

    Attributes:
        radius: geodesic radius of its neighbourhoods.
        cell: area of a point.
        max_neighbors: largest number of neighbours that a point keeps.
        crowd: number of points that a search may find.
    """

    radius: float
    cell: float
    max_neighbors: int
    crowd: int


def crowd_of(mean: float) -> int:
    """Return the largest number of points that a radius may hold: 8 times the mean, at least 256."""
    return max(_LEAST_CROWD, int(np.ceil(_CROWD * mean)))


class NeighborhoodKeywords(TypedDict, total=False):
    """The fields of `NeighborhoodOptions` as the keyword arguments of a function."""

    neighborhood: Neighborhood
    radius: float | None
    relative_radius: float | None
    mean_neighbors: float | None
    density: float | None
    max_neighbors: int | None
    lengths: LengthUnit
    frames: FrameChoice
    seed: int | None
    levels: int
    ratio: float


def _points_with_area(mesh: TriangleMesh) -> int:
    return max(int(np.count_nonzero(mesh.vertex_areas > 0)), 1)

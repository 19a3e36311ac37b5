"""NeighborhoodOptions: the one set of options that says how a mesh becomes a gauge graph."""

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
"""A name that `frame_field` knows, or `(V, 3, 2)` frames."""

MEAN_NEIGHBORS = 16.0
"""Neighbours of a point of a hierarchy, on average, where the options name no size."""


_LEAST_CROWD, _CROWD = 256, 8


@dataclass(frozen=True)
class NeighborhoodOptions:
    """Which points of a mesh are neighbours, how their distances count, and in which frames; on one or several levels.

    Attributes:
        neighborhood: `"geodesic"` for all vertices within a geodesic radius, or `"one_ring"` for the neighbours along
            edges. Coarser levels are always geodesic.
        radius: geodesic radius of the finest level, in the units of the mesh.
        mean_neighbors: instead of `radius`: the radius whose disk holds that many points on average, at every level.
        max_neighbors: keep only this many nearest neighbours of each point. `None` bounds the cost on very uneven
            tessellations only: 8 times the mean number, at least 256. A number above the number of vertices keeps all.
        lengths: log maps and radius in the units of the mesh (`"metric"`), or at every point relative to the mean
            distance of its neighbours (`"local"`).
        frames: `"first_edge"`, `"random"`, `"principal"` or an array `(V, 3, 2)`, see `frame_field`.
        seed: of random frames.
        levels: number of levels, the finest included.
        ratio: how many times fewer points each level has.

    Raises:
        ValueError: If an option is unknown or not positive, or if `radius` and `mean_neighbors` are both given.
    """

    neighborhood: Neighborhood = "geodesic"
    radius: float | None = None
    mean_neighbors: float | None = None
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
        for name in ("radius", "mean_neighbors", "max_neighbors"):
            if (value := getattr(self, name)) is not None:
                positive_number(name, value)
        if self.radius is not None and self.mean_neighbors is not None:
            raise ValueError(self._expected_one_size())

    def sized(self) -> NeighborhoodOptions:
        """Return these options, with `MEAN_NEIGHBORS` neighbours where they name no size."""
        if self.radius is None and self.mean_neighbors is None:
            return replace(self, mean_neighbors=MEAN_NEIGHBORS)
        return self

    def radius_on(self, mesh: TriangleMesh) -> float:
        """Return the radius of the finest level on a mesh, in its units.

        Raises:
            ValueError: If neither `radius` nor `mean_neighbors` is given.
        """
        if self.mean_neighbors is not None:
            return float(np.sqrt(self.mean_neighbors * mesh.area / (np.pi * _points_with_area(mesh))))
        if self.radius is not None:
            return float(self.radius)
        raise ValueError(self._expected_one_size())

    def mean_neighbors_on(self, mesh: TriangleMesh) -> float:
        """Return how many points the disk of the radius holds on average; coarser levels keep that number."""
        if self.mean_neighbors is not None:
            return self.mean_neighbors
        return float(np.pi * self.radius_on(mesh) ** 2 * _points_with_area(mesh) / mesh.area) if mesh.area else 0.0

    def max_neighbors_on(self, mesh: TriangleMesh) -> int:
        """Return how many neighbours a point keeps at most."""
        if self.max_neighbors is not None:
            return int(self.max_neighbors)
        return self.crowd_on(mesh)

    def crowd_on(self, mesh: TriangleMesh) -> int:
        """Return how many points within the radius are too many: 8 times the mean, at least 256."""
        return max(_LEAST_CROWD, int(np.ceil(_CROWD * self.mean_neighbors_on(mesh))))

    def _expected_one_size(self) -> str:
        return (
            "Expected exactly one of `radius` (a length in the units of the mesh) and `mean_neighbors`, got "
            f"radius={self.radius} and mean_neighbors={self.mean_neighbors}."
        )


class NeighborhoodKeywords(TypedDict, total=False):
    """The fields of `NeighborhoodOptions` as the keyword arguments of a function."""

    neighborhood: Neighborhood
    radius: float | None
    mean_neighbors: float | None
    max_neighbors: int | None
    lengths: LengthUnit
    frames: FrameChoice
    seed: int | None
    levels: int
    ratio: float


def _points_with_area(mesh: TriangleMesh) -> int:
    return max(int(np.count_nonzero(mesh.vertex_areas > 0)), 1)

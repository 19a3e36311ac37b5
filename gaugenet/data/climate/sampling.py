"""The locations of the values of a climate file on the sphere, and interpolation to other points."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from gaugenet._typing import typed_array
from gaugenet.data.climate.latlon import LatLonGrid
from gaugenet.data.climate.regrid import (
    bilinear_interpolation,
    nearest_cells,
    vectors_on_grid,
    with_poles,
)
from gaugenet.data.climate.smooth_rows import polynomial_interpolation
from gaugenet.geometry.sphere.cells import delaunay
from gaugenet.geometry.sphere.coordinates import east_north, lat_lon
from gaugenet.geometry.sphere.interpolation import triangle_interpolation
from gaugenet.geometry.sphere.smooth_interpolation import smooth_interpolation


@dataclass(frozen=True)
class Interpolation:
    """Interpolation at points: values are `(values[..., index] * weight).sum(-1)`, labels `labels[..., nearest]`.

    Attributes:
        index: `(n, k)` indices into the values of `Locations.extended`.
        weight: `(n, k)`, rows sum to one.
        nearest: `(n,)` index of the nearest location of the file.
    """

    index: Int[ndarray, "points k"]
    weight: Float[ndarray, "points k"]
    nearest: Int[ndarray, "points"]

    @property
    def nbytes(self) -> int:
        return self.index.nbytes + self.weight.nbytes + self.nearest.nbytes

    def fields(self, values: Float[ndarray, "*b locations"]) -> Float[ndarray, "*b points"]:
        """Return values at the points, from extended values."""
        total = values[..., self.index[:, 0]] * self.weight[:, 0].astype(values.dtype)
        for k in range(1, self.index.shape[1]):
            total += values[..., self.index[:, k]] * self.weight[:, k].astype(values.dtype)
        return typed_array(total)


class Locations(Protocol):
    """Locations of values on the sphere: a latitude-longitude grid, or scattered points."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def area(self) -> Float[ndarray, "*shape"]: ...
    @property
    def points(self) -> Float[ndarray, "*shape 3"]: ...
    @property
    def frames(self) -> Float[ndarray, "*shape 3 2"]: ...
    @property
    def edges(self) -> Int[ndarray, "2 edges"]: ...

    def extended(self, values: Float[ndarray, "*b *shape"]) -> Float[ndarray, "*b locations"]: ...
    def vectors(self, values: Float[ndarray, "*b 2 *shape"]) -> Float[ndarray, "*b 3 *shape"]: ...
    def interpolation(self, points: Float[ndarray, "n 3"], *, smooth: bool = False) -> Interpolation: ...


class GridLocations:
    """The cells of a latitude-longitude grid, with bilinear interpolation and means of the end rows at the poles.

    Smooth interpolation is by polynomials in 6 x 6 cells.
    """

    def __init__(self, grid: LatLonGrid) -> None:
        self.grid = grid
        self.shape = grid.shape
        self.area = grid.area
        self.points = grid.points
        self.frames = grid.frames

    @cached_property
    def edges(self) -> Int[ndarray, "2 edges"]:
        """Pairs of cells that share a side or a corner, around the date line and across the poles."""
        height, width = self.shape
        cell = np.arange(height * width).reshape(height, width)
        pairs = [(cell, np.roll(cell, -1, axis=1))]
        pairs += [(cell[:-1], np.roll(cell[1:], shift, axis=1)) for shift in (-1, 0, 1)]
        pairs += [(row, np.roll(row, width // 2)) for row in (cell[0], cell[-1])]
        return np.concatenate([np.stack([a.reshape(-1), b.reshape(-1)]) for a, b in pairs], axis=1)

    def extended(self, values: Float[ndarray, "*b height width"]) -> Float[ndarray, "*b locations"]:
        """Return the values in one row, followed by the values at the poles."""
        return with_poles(values)

    def vectors(self, values: Float[ndarray, "*b 2 height width"]) -> Float[ndarray, "*b 3 height width"]:
        """Return the 3D vectors of eastward and northward components."""
        return vectors_on_grid(self.grid, values[..., 0, :, :], values[..., 1, :, :])

    def interpolation(self, points: Float[ndarray, "n 3"], *, smooth: bool = False) -> Interpolation:
        """Return bilinear weights (or those of polynomials) and the nearest cells."""
        of = polynomial_interpolation if smooth else bilinear_interpolation
        index, weight = of(self.grid, points)
        return Interpolation(index, weight, nearest_cells(self.grid, points))


class PointLocations:
    """Points on the sphere, such as the vertices of another icosphere, with linear interpolation in triangles.

    Smooth interpolation is by radial basis functions.

    Args:
        points: `(V, 3)` unit vectors.
        area: `(V,)` areas of the cells in any unit; by default the areas of the Voronoi cells.
        frames: `(V, 3, 2)` east and north. Without them, a point at a pole takes those of an arbitrary meridian.
    """

    def __init__(
        self,
        points: Float[ndarray, "vertices 3"],
        *,
        area: Float[ndarray, "vertices"] | None = None,
        frames: Float[ndarray, "vertices 3 2"] | None = None,
    ) -> None:
        from scipy.spatial import SphericalVoronoi, cKDTree

        self.points = np.asarray(points, dtype=np.float64)
        self.shape = (len(self.points),)
        self.frames = east_north(*lat_lon(self.points)) if frames is None else frames
        self.faces = delaunay(self.points)
        found = SphericalVoronoi(self.points).calculate_areas() if area is None else np.asarray(area, dtype=np.float64)
        self.area = found * (4 * np.pi / found.sum())
        self.edges = np.concatenate([self.faces[:, [k, (k + 1) % 3]] for k in range(3)]).T
        self._tree = cKDTree(self.points)

    def extended(self, values: Float[ndarray, "*b vertices"]) -> Float[ndarray, "*b vertices"]:
        """Return the values unchanged."""
        return values

    def vectors(self, values: Float[ndarray, "*b 2 vertices"]) -> Float[ndarray, "*b 3 vertices"]:
        """Return the 3D vectors of eastward and northward components."""
        return typed_array(np.einsum("...cn,nkc->...kn", values, self.frames))

    def interpolation(self, points: Float[ndarray, "n 3"], *, smooth: bool = False) -> Interpolation:
        """Return the weights in triangles (or those of radial basis functions) and the nearest points."""
        of = smooth_interpolation if smooth else triangle_interpolation
        index, weight = of(self.points, self.faces, points)
        return Interpolation(index, weight, self._tree.query(points)[1])

"""Regridding between latitude-longitude grids and points of the sphere, in both directions, by sparse matrices."""

from __future__ import annotations

from functools import cached_property
from typing import Literal

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.sparse import coo_array, csr_array

from gaugenet._caching import BoundedCache
from gaugenet._typing import typed_array
from gaugenet.data.climate.latlon import LatLonGrid
from gaugenet.data.climate.overlap import overlap_areas, voronoi_cells
from gaugenet.geometry.sphere.cells import delaunay
from gaugenet.geometry.sphere.coordinates import lat_lon
from gaugenet.geometry.sphere.interpolation import (
    interpolation_matrix,
    row_means,
    selection,
    to_torch,
    triangle_interpolation,
)

Method = Literal["bilinear", "conservative", "nearest"]
LabelMethod = Literal["majority", "nearest"]


class SphereRegridder:
    r"""A transfer of fields between a latitude-longitude grid and the Voronoi cells of points on the sphere.

    - `bilinear`: bilinear in latitude and longitude to the points, linear in triangles to the grid. Constants are
      exact; the error for smooth fields is O(h^2).
    - `conservative`: the mean over the target cell of the field that is constant on each source cell, from the exact
      areas of overlap :cite:`jones1999conservative`. Constants and integrals are exact: :math:`\sum_i A_i f_i` is the
      same over the cells of the grid and of the points.
    - `nearest`: the value of the nearest point.

    Vectors are interpolated as 3D vectors, since east and north are not defined at the poles. Labels are never mixed:
    `majority` takes the label with the largest area of overlap, `nearest` the label of the nearest point.

    Args:
        grid: the grid.
        points: `(V, 3)` unit vectors, e.g. the vertices of an icosphere in any orientation.
        faces: `(F, 3)` their triangulation, counter-clockwise from outside; their convex hull by default.

    Shapes: grid fields `(..., H, W)`, fields on the points `(..., V)`, vectors on the points `(..., 3, V)`.

    Example:
        >>> from gaugenet.data import LatLonGrid, SphereRegridder
        >>> from gaugenet.geometry import Icosphere
        >>> regridder = SphereRegridder(LatLonGrid.regular(16, 32), Icosphere(3).pos.numpy())
        >>> height = regridder.grid.points[..., 2]
        >>> regridder.to_sphere(height, method="conservative").shape
        (642,)
        >>> bool(regridder.round_trip(height) < 0.1)
        True
    """

    def __init__(
        self,
        grid: LatLonGrid,
        points: Float[ndarray, "vertices 3"],
        faces: Int[ndarray, "faces 3"] | None = None,
    ) -> None:
        points = np.asarray(points, dtype=np.float64)
        if points.ndim != 2 or points.shape[1] != 3 or not np.allclose(np.linalg.norm(points, axis=1), 1.0, atol=1e-6):
            raise ValueError(f"Expected `points` to be unit vectors of shape (V, 3), got shape {points.shape}.")
        self.grid, self.points = grid, points
        self.faces = delaunay(points) if faces is None else np.asarray(faces)
        self._matrices: BoundedCache[csr_array] = BoundedCache()

    # --- fields -------------------------------------------------------------------------------------------------

    def to_sphere(
        self, values: Float[ndarray, "*b height width"], *, method: Method = "bilinear"
    ) -> Float[ndarray, "*b vertices"]:
        """Return a scalar field at the points."""
        values = np.asarray(values)
        if values.shape[-2:] != self.grid.shape:
            raise ValueError(f"Expected `values` of shape (..., {self.grid.shape}), got {values.shape}.")
        return _apply(self.matrix_to_sphere(method), values.reshape(*values.shape[:-2], -1))

    def to_grid(
        self, values: Float[ndarray, "*b vertices"], *, method: Method = "bilinear"
    ) -> Float[ndarray, "*b height width"]:
        """Return a scalar field on the grid."""
        values = np.asarray(values)
        if values.shape[-1] != len(self.points):
            raise ValueError(f"Expected `values` of shape (..., {len(self.points)}), got {values.shape}.")
        return _apply(self.matrix_to_grid(method), values).reshape(*values.shape[:-1], *self.grid.shape)

    def vectors_to_sphere(
        self, u: Float[ndarray, "*b height width"], v: Float[ndarray, "*b height width"], *, method: Method = "bilinear"
    ) -> Float[ndarray, "*b 3 vertices"]:
        """Return tangent 3D vectors at the points, from eastward and northward components on the grid."""
        return tangential(self.to_sphere(vectors_on_grid(self.grid, u, v), method=method), self.points)

    def vectors_to_grid(
        self, vectors: Float[ndarray, "*b 3 vertices"], *, method: Method = "bilinear"
    ) -> tuple[Float[ndarray, "*b height width"], Float[ndarray, "*b height width"]]:
        """Return eastward and northward components on the grid, from 3D vectors at the points.

        At a pole each column has the components of its meridian.
        """
        at_grid = self.to_grid(vectors, method=method)
        u, v = np.moveaxis(np.einsum("...khw,hwkc->...chw", at_grid, self.grid.frames), -3, 0)
        return u, v

    # --- labels -------------------------------------------------------------------------------------------------

    def labels_to_sphere(self, labels: Int[ndarray, "height width"], *, method: LabelMethod = "majority") -> ndarray:
        """Return labels `(V,)` at the points, of the same type."""
        flat = np.asarray(labels).reshape(-1)
        return flat[self._nearest_cell] if method == "nearest" else _majority(self.overlap, flat)

    def labels_to_grid(self, labels: Int[ndarray, "vertices"], *, method: LabelMethod = "majority") -> ndarray:
        """Return labels `(H, W)` on the grid, of the same type."""
        labels = np.asarray(labels)
        found = labels[self._nearest_point] if method == "nearest" else _majority(self._overlap_by_cell, labels)
        return found.reshape(self.grid.shape)

    # --- cached matrices ----------------------------------------------------------------------------------------

    @cached_property
    def overlap(self) -> csr_array:
        """Areas of overlap `(V, H * W)` of the cells of the points and of the grid."""
        return overlap_areas(*voronoi_cells(self.points, self.faces), self.grid)

    @cached_property
    def point_area(self) -> Float[ndarray, "vertices"]:
        """Areas of the points' Voronoi cells on the unit sphere."""
        return np.asarray(self.overlap.sum(axis=1)).reshape(-1)

    @cached_property
    def grid_area(self) -> Float[ndarray, "height width"]:
        """Areas of the grid cells on the unit sphere."""
        return np.asarray(self.overlap.sum(axis=0)).reshape(self.grid.shape)

    def matrix_to_sphere(self, method: Method = "bilinear") -> csr_array:
        """Return the matrix `(V, H * W)` of a method; rows sum to one."""
        makers = {
            "bilinear": lambda: bilinear_matrix(self.grid, self.points),
            "conservative": lambda: row_means(self.overlap),
            "nearest": lambda: selection(self._nearest_cell, self.grid.size),
        }
        return self._matrices.get(("sphere", method), makers[_known(method)])

    def matrix_to_grid(self, method: Method = "bilinear") -> csr_array:
        """Return the matrix `(H * W, V)` of a method; rows sum to one."""
        makers = {
            "bilinear": lambda: interpolation_matrix(
                *triangle_interpolation(self.points, self.faces, self._cells), len(self.points)
            ),
            "conservative": lambda: row_means(self._overlap_by_cell),
            "nearest": lambda: selection(self._nearest_point, len(self.points)),
        }
        return self._matrices.get(("grid", method), makers[_known(method)])

    def round_trip(
        self, values: Float[ndarray, "*b height width"], *, method: Method = "bilinear"
    ) -> Float[ndarray, "*b"]:
        """Return the relative error (area-weighted root mean square) of a grid field sent to the points and back."""
        back = self.to_grid(self.to_sphere(values, method=method), method=method)
        error, size = (np.sqrt((x**2 * self.grid.area).sum(axis=(-2, -1))) for x in (back - values, np.asarray(values)))
        return typed_array(error / np.maximum(size, np.finfo(np.float64).tiny))

    @property
    def _cells(self) -> Float[ndarray, "cells 3"]:
        return self.grid.points.reshape(-1, 3)

    @cached_property
    def _overlap_by_cell(self) -> csr_array:
        return csr_array(self.overlap.T)

    @cached_property
    def _nearest_cell(self) -> Int[ndarray, "vertices"]:
        return nearest_cells(self.grid, self.points)

    @cached_property
    def _nearest_point(self) -> Int[ndarray, "cells"]:
        from scipy.spatial import cKDTree

        return typed_array(cKDTree(self.points).query(self._cells)[1])


def vectors_on_grid(
    grid: LatLonGrid, u: Float[ndarray, "*b height width"], v: Float[ndarray, "*b height width"]
) -> Float[ndarray, "*b 3 height width"]:
    """Return the 3D vectors of eastward and northward components."""
    east, north = np.moveaxis(grid.frames, (-1, -2), (0, 1))
    return typed_array(np.asarray(u)[..., None, :, :] * east + np.asarray(v)[..., None, :, :] * north)


def tangential(vectors: Float[ndarray, "*b 3 n"], points: Float[ndarray, "n 3"]) -> Float[ndarray, "*b 3 n"]:
    """Return the part of 3D vectors that is tangent to the sphere."""
    radial = np.einsum("...kn,nk->...n", vectors, points)
    return typed_array(vectors - radial[..., None, :] * points.T)


def with_poles(values: Float[ndarray, "*b height width"]) -> Float[ndarray, "*b locations"]:
    """Return the values `(..., H * W + 2)` in one row, followed by the means of the first and of the last latitude.

    The means replace the poles of a grid without poles. Vectors are passed as 3D components.
    """
    ends = values[..., [0, -1], :].mean(axis=-1)
    flat = values.reshape(*values.shape[:-2], values.shape[-2] * values.shape[-1])
    return np.concatenate([flat, ends], axis=-1)


def bilinear_interpolation(
    grid: LatLonGrid, points: Float[ndarray, "n 3"]
) -> tuple[Int[ndarray, "n 4"], Float[ndarray, "n 4"]]:
    """Return indices into `with_poles(field)` and their weights: bilinear in latitude and longitude.

    It takes a few milliseconds for ten thousand points, so a globe can be rotated at every training step.
    """
    (height, width), (lat, lon) = grid.shape, lat_lon(points)
    order = np.argsort(grid.lat)
    known = np.concatenate([[-90.0], grid.lat[order], [90.0]])  # if the grid has a pole, this band has width 0
    band = np.clip(np.searchsorted(known, lat, side="right") - 1, 0, height)
    t = np.clip((lat - known[band]) / np.maximum(known[band + 1] - known[band], 1e-300), 0.0, 1.0)
    position = (lon - grid.lon[0]) % 360.0 * (width / 360.0)
    left = np.minimum(position.astype(np.int64), width - 1)
    s = position - left
    south, north = (height * width + (order[k] != 0) for k in (0, -1))

    def at(row: ndarray, column: ndarray) -> ndarray:
        inside = order[np.clip(row - 1, 0, height - 1)] * width + column
        return typed_array(np.where(row == 0, south, np.where(row == height + 1, north, inside)))

    columns = left, (left + 1) % width
    index = np.stack([at(row, column) for row in (band, band + 1) for column in columns], axis=1)
    weight = np.stack([a * b for a in (1 - t, t) for b in (1 - s, s)], axis=1)
    return index, weight


def bilinear_matrix(grid: LatLonGrid, points: Float[ndarray, "n 3"]) -> csr_array:
    """Return the matrix `(n, H * W)` of bilinear interpolation at points of the sphere."""
    height, width = grid.shape
    interpolation = interpolation_matrix(*bilinear_interpolation(grid, points), grid.size + 2)
    columns = np.arange(width)
    ends = (np.full(2 * width, 1.0 / width), (np.repeat([0, 1], width), np.r_[columns, columns + (height - 1) * width]))
    return csr_array(
        interpolation[:, : grid.size] + interpolation[:, grid.size :] @ csr_array(coo_array(ends, (2, grid.size)))
    )


def nearest_cells(grid: LatLonGrid, points: Float[ndarray, "n 3"]) -> Int[ndarray, "n"]:
    """Return the flat index of the grid cell whose centre is nearest in latitude and in longitude.

    Up to ties this is the nearest on the sphere.
    """
    lat, lon = lat_lon(points)
    order = np.argsort(grid.lat)
    middle = (grid.lat[order][1:] + grid.lat[order][:-1]) / 2
    width = len(grid.lon)
    column = np.round((lon - grid.lon[0]) * (width / 360.0)).astype(np.int64) % width
    return typed_array(order[np.searchsorted(middle, lat)] * width + column)


def _apply(matrix: csr_array, values: ndarray) -> ndarray:
    flat = values.reshape(-1, values.shape[-1]).astype(np.result_type(values.dtype, np.float32), copy=False)
    return np.asarray(matrix @ flat.T).T.reshape(*values.shape[:-1], matrix.shape[0])


def _majority(areas: csr_array, labels: ndarray) -> ndarray:
    """Return the label with the largest area in each row; the smallest one of a tie."""
    classes, index = np.unique(labels, return_inverse=True)
    shares = areas @ np.eye(len(classes))[index.reshape(-1)]
    return typed_array(classes[np.round(shares, 14).argmax(axis=1)])


def _known(method: str) -> str:
    if method not in ("bilinear", "conservative", "nearest"):
        raise ValueError(f"Expected `method` to be 'bilinear', 'conservative' or 'nearest', got {method!r}.")
    return method


__all__ = [
    "SphereRegridder",
    "bilinear_interpolation",
    "bilinear_matrix",
    "nearest_cells",
    "tangential",
    "to_torch",
    "triangle_interpolation",
    "vectors_on_grid",
    "with_poles",
]

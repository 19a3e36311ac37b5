"""Cells that partition the sphere: Voronoi cells, polygons, and cells between parallels and meridians."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from gaugenet._typing import typed_array
from gaugenet.geometry.sphere.curves import Curves, great_circles, joined, meridians, parallels

_TURN = 2 * np.pi
_NEAR_POLE = 3.0
"""Cells closer to a pole than this multiple of their radius measure heights from the pole."""


@dataclass(frozen=True, eq=False)
class Cells:
    """A partition of the sphere.

    Attributes:
        count: number of cells.
        curves: their boundaries.
        reference: `(count,)` height z in or near each cell; exactly 1 or -1 for cells at a pole, where longitudes end.
        locate: function from unit vectors `(n, 3)` to their cells `(n,)`.
    """

    count: int
    curves: Curves
    reference: Float[ndarray, "cells"]
    locate: Callable[[Float[ndarray, "n 3"]], Int[ndarray, "n"]]

    @cached_property
    def area(self) -> Float[ndarray, "cells"]:
        """Areas on the unit sphere, exact up to rounding."""
        return self.curves.areas(self.count, self.reference)


def voronoi(points: Float[ndarray, "points 3"], faces: Int[ndarray, "faces 3"] | None = None) -> Cells:
    """Return the Voronoi cells of points.

    Args:
        points: unit vectors.
        faces: their Delaunay triangulation, counter-clockwise from outside; their convex hull by default.
    """
    from scipy.spatial import cKDTree

    start, end, left, right = voronoi_edges(points, faces)
    once = left < right
    curves = great_circles(start[once], end[once], left[once], right[once])
    tree = cKDTree(points)
    reference = _reference(points, start, left)
    return Cells(len(points), curves, reference, lambda x: typed_array(tree.query(x)[1]))


def polygons(corners: Float[ndarray, "cells corners 3"], centers: Float[ndarray, "cells 3"]) -> Cells:
    """Return convex polygons that partition the sphere.

    Args:
        corners: unit vectors, counter-clockwise from outside; the last one may be repeated.
        centers: one point in or near each polygon.
    """
    from scipy.spatial import cKDTree

    count, size, _ = corners.shape
    following = np.roll(corners, -1, axis=1)
    cell = np.repeat(np.arange(count), size)
    start, end = _off_the_poles(corners.reshape(-1, 3)), _off_the_poles(following.reshape(-1, 3))
    used = np.linalg.norm(end - start, axis=1) > 1e-11
    none = np.full(int(used.sum()), -1)
    normal = np.cross(corners, following)
    length = np.linalg.norm(normal, axis=2, keepdims=True)
    normal = normal / np.where(length > 1e-11, length, np.inf)
    tree = cKDTree(centers)

    def locate(x: Float[ndarray, "n 3"]) -> Int[ndarray, "n"]:
        near = tree.query(x, k=min(8, count))[1].reshape(len(x), -1)
        inside = np.einsum("nkci,ni->nkc", normal[near], x)
        inside = np.where(length[near][..., 0] > 1e-11, inside, np.inf).min(axis=2)
        return typed_array(near[np.arange(len(x)), inside.argmax(axis=1)])

    curves = great_circles(start[used], end[used], cell[used], none)
    return Cells(count, curves, _reference(centers, start[used], cell[used]), locate)


def rows(
    edges: Float[ndarray, "rows+1"], west: Float[ndarray, "rows"], counts: Int[ndarray, "rows"], first: ndarray
) -> Cells:
    """Return cells between parallels, each row with its own number of evenly spaced columns.

    Args:
        edges: heights z between the rows, from 1 to -1.
        west: longitude of the western side of the first cell of each row, radians.
        counts: cells of each row.
        first: index of the first cell of each row.
    """
    total = int(counts.sum())
    middle = (edges[1:] + edges[:-1]) / 2
    middle[0], middle[-1] = 1.0, -1.0
    row_of = np.repeat(np.arange(len(counts)), counts)
    columns = np.concatenate([start + np.arange(number) for start, number in zip(first, counts)])
    reference = np.empty(total)
    reference[columns] = middle[row_of]

    def column(row: Int[ndarray, "n"], lon: Float[ndarray, "n"]) -> Int[ndarray, "n"]:
        count = counts[row]
        inside = ((lon - west[row]) % _TURN * (count / _TURN)).astype(np.int64)
        return typed_array(first[row] + np.minimum(inside, count - 1))

    def locate(x: Float[ndarray, "n 3"]) -> Int[ndarray, "n"]:
        row = np.searchsorted(-edges[1:-1], -x[:, 2])
        return column(row, np.arctan2(x[:, 1], x[:, 0]))

    sides = [west[i] + _TURN / counts[i] * np.arange(counts[i]) for i in range(len(counts))]
    parts = [_between(edges[i + 1], i, sides, column) for i in range(len(counts) - 1)]
    upright = meridians(np.concatenate(sides), edges[row_of + 1], edges[row_of], columns)
    return Cells(total, joined(*parts, upright), reference, locate)


def _between(z: float, row: int, sides: list[ndarray], column: Callable[[ndarray, ndarray], ndarray]) -> Curves:
    """Return the parallel between a row and the next one, cut at the sides of the cells of both."""
    cuts = np.concatenate([sides[row], sides[row + 1], np.arange(4) * np.pi / 2]) % _TURN
    cuts = np.unique(cuts)
    low, high = cuts, np.append(cuts[1:], cuts[0] + _TURN)
    long = high - low > 1e-13
    low, high = low[long], high[long]
    middle = (low + high) / 2
    above = np.full(len(low), row)
    return parallels(np.full(len(low), z), low, high, column(above, middle), column(above + 1, middle))


def voronoi_edges(
    points: Float[ndarray, "points 3"], faces: Int[ndarray, "faces 3"] | None = None
) -> tuple[ndarray, ndarray, Int[ndarray, "edges"], Int[ndarray, "edges"]]:
    """Return the directed edges of the Voronoi cells, counter-clockwise about each point, so each edge occurs twice.

    Returns:
        Start and end of each edge (circumcentres of neighbouring triangles), the cell on its left and on its right.
    """
    faces = delaunay(points) if faces is None else np.asarray(faces)
    a, b, c = (points[faces[:, k]] for k in range(3))
    normal = np.cross(b - a, c - a)
    centers = _off_the_poles(normal / np.linalg.norm(normal, axis=1, keepdims=True))
    tail, head = faces.reshape(-1), np.roll(faces, -1, axis=1).reshape(-1)
    face = np.repeat(np.arange(len(faces)), 3)
    # The face left of the halfedge p -> q, and the face right of it (left of q -> p): seen from p, right comes first.
    order, twin = np.lexsort((head, tail)), np.lexsort((tail, head))
    left, right = np.empty(len(tail), dtype=np.int64), np.empty(len(tail), dtype=np.int64)
    left[order], right[order] = face[order], face[twin]
    return centers[right], centers[left], tail, head


def delaunay(points: Float[ndarray, "points 3"]) -> Int[ndarray, "faces 3"]:
    """Return the Delaunay triangles of points on the sphere, counter-clockwise from outside: their convex hull."""
    from scipy.spatial import ConvexHull

    faces = ConvexHull(points).simplices.astype(np.int64)
    a, b, c = (points[faces[:, k]] for k in range(3))
    inward = np.einsum("ij,ij->i", np.cross(b - a, c - a), a + b + c) < 0
    faces[inward] = faces[inward][:, [0, 2, 1]]
    return typed_array(faces)


def _off_the_poles(points: Float[ndarray, "n 3"]) -> Float[ndarray, "n 3"]:
    """Return corners at poles, which have no longitude, moved by 1e-12, equally for all cells that meet there."""
    at_pole = np.hypot(points[:, 0], points[:, 1]) < 1e-12
    return np.where(at_pole[:, None], points * [0, 0, 1] + [1e-12, 0, 0], points)


def _reference(
    centers: Float[ndarray, "cells 3"], corner: Float[ndarray, "edges 3"], cell: Int[ndarray, "edges"]
) -> Float[ndarray, "cells"]:
    """Return the heights of the centres, or of the pole for cells near a pole."""
    radius = np.zeros(len(centers))
    np.maximum.at(radius, cell, np.linalg.norm(corner - centers[cell], axis=1))
    from_pole = np.hypot(centers[:, 0], centers[:, 1])
    return np.where(from_pole < _NEAR_POLE * radius, np.where(centers[:, 2] > 0, 1.0, -1.0), centers[:, 2])


__all__ = ["Cells", "delaunay", "polygons", "rows", "voronoi", "voronoi_edges"]

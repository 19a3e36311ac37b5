"""Polygons of a mesh file, in the order of the file, and their triangulation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray


@dataclass(frozen=True, eq=False)
class Polygons:
    """The content of a mesh file, before polygons are cut into triangles.

    Attributes:
        vertices: `(V, 3)` positions in the order of the file.
        corners: indices of the corners of all polygons, in sequence.
        sizes: number of corners of each polygon.
    """

    vertices: Float[ndarray, "vertices 3"]
    corners: Int[ndarray, "corners"]
    sizes: Int[ndarray, "polygons"]

    @classmethod
    def of(cls, vertices: Float[ndarray, "vertices 3"], polygons: Sequence[Sequence[int] | ndarray]) -> Polygons:
        """Collect polygons that are given one by one."""
        sizes = np.array([len(p) for p in polygons], dtype=np.int64)
        corners = np.array([c for p in polygons for c in p], dtype=np.int64)
        return cls(np.asarray(vertices, dtype=np.float64).reshape(-1, 3), corners, sizes)

    def triangles(self) -> tuple[Int[ndarray, "faces 3"], Int[ndarray, "faces"]]:
        """Return triangles in the order of the polygons, and the polygon of each.

        A polygon is cut into the fan around its first corner. If the fan of a polygon that is not convex would fold
        over itself, the polygon is cut by ear clipping in the plane of its vector area.
        """
        count = np.maximum(self.sizes - 2, 0)
        polygon = np.repeat(np.arange(len(self.sizes)), count)
        start = np.cumsum(self.sizes) - self.sizes
        first = start[polygon]
        step = np.arange(len(polygon)) - np.repeat(np.cumsum(count) - count, count)
        faces = self.corners[np.stack([first, first + step + 1, first + step + 2], axis=-1).reshape(-1, 3)]
        for index in np.unique(polygon[self._folded(faces, polygon)]):
            corners = self.corners[start[index] : start[index] + self.sizes[index]]
            faces[polygon == index] = corners[_ears(self.vertices[corners])]
        return faces, polygon

    def _folded(self, faces: Int[ndarray, "faces 3"], polygon: Int[ndarray, "faces"]) -> Bool[ndarray, "faces"]:
        """Return a mask of the triangles in fans whose normal points against the vector area of their polygon."""
        valid = (faces >= 0) & (faces < len(self.vertices))  # a later check raises an error for the others
        inside: Bool[ndarray, "faces"] = np.all(valid, axis=1)
        if not inside.any():
            return np.zeros(len(faces), dtype=bool)
        a, b, c = np.moveaxis(self.vertices[np.where(inside[:, None], faces, 0)], 1, 0)
        with np.errstate(invalid="ignore", over="ignore"):
            area = np.cross(b - a, c - a)
            total = np.stack([np.bincount(polygon, area[:, k], len(self.sizes)) for k in range(3)], axis=-1)
            along = (area * total[polygon]).sum(axis=1)
        folded: Bool[ndarray, "faces"] = (along < 0) & inside & (self.sizes[polygon] > 3)
        return folded


def _ears(points: Float[ndarray, "corners 3"]) -> Int[ndarray, "faces 3"]:
    """Return the corners of triangles that fill a simple polygon, by ear clipping.

    If no ear is left, since the polygon is not simple, the rest is cut into a fan.
    """
    flat = _in_plane(points)
    left, ears = list(range(len(points))), []
    while len(left) > 3:
        for k in range(len(left)):
            ear = left[k - 1], left[k], left[(k + 1) % len(left)]
            if _is_ear(flat, ear, left):
                ears.append(ear)
                del left[k]
                break
        else:
            break
    return np.array(ears + [(left[0], left[k], left[k + 1]) for k in range(1, len(left) - 1)], dtype=np.int64)


def _in_plane(points: Float[ndarray, "corners 3"]) -> Float[ndarray, "corners 2"]:
    """Return plane coordinates in which the vector area of the polygon points up."""
    centred = points - points.mean(axis=0)
    normal = np.cross(centred, np.roll(centred, -1, axis=0)).sum(axis=0)
    normal = normal / np.linalg.norm(normal)
    first = np.eye(3)[np.abs(normal).argmin()]
    first = first - (first @ normal) * normal
    first = first / np.linalg.norm(first)
    flat: Float[ndarray, "corners 2"] = centred @ np.stack([first, np.cross(normal, first)], axis=-1)
    return flat


def _is_ear(flat: Float[ndarray, "corners 2"], ear: tuple[int, int, int], left: list[int]) -> bool:
    a, b, c = flat[list(ear)]
    if _side(a, b, c) <= 0:
        return False
    others = flat[[k for k in left if k not in ear]]
    within = (_side(a, b, others) >= 0) & (_side(b, c, others) >= 0) & (_side(c, a, others) >= 0)
    return not bool(within.any())


def _side(a: ndarray, b: ndarray, c: ndarray) -> ndarray:
    """Return twice the signed area of the triangle a b c."""
    result: ndarray = (b[0] - a[0]) * (c[..., 1] - a[1]) - (b[1] - a[1]) * (c[..., 0] - a[0])
    return result

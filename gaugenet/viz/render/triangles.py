"""Colored triangles, and the shapes that pictures of surfaces consist of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from numpy import ndarray

from gaugenet._typing import typed_array


@dataclass(frozen=True)
class Triangles:
    """Triangles in space with a color at every vertex.

    Attributes:
        vertices: `(V, 3)`.
        faces: `(F, 3)`.
        colors: `(V, 3)`, sRGB bytes.
    """

    vertices: Float[ndarray, "vertices 3"]
    faces: Int[ndarray, "faces 3"]
    colors: UInt8[ndarray, "vertices 3"]

    @classmethod
    def of(cls, vertices: ndarray, faces: ndarray, color: tuple[int, int, int] | ndarray) -> Triangles:
        """Return triangles of one color, or with a color for every vertex."""
        colors = np.broadcast_to(np.asarray(color, dtype=np.uint8), (len(vertices), 3))
        return cls(np.asarray(vertices, dtype=np.float64), np.asarray(faces, dtype=np.int64), colors)

    @staticmethod
    def joined(parts: Sequence[Triangles]) -> Triangles:
        """Concatenate triangles, in order."""
        starts = np.cumsum([0, *(len(part.vertices) for part in parts)])
        return Triangles(
            np.concatenate([part.vertices for part in parts]),
            np.concatenate([part.faces + start for part, start in zip(parts, starts)]),
            np.concatenate([part.colors for part in parts]),
        )


@dataclass(frozen=True)
class Flat:
    """A triangulated piece of a tangent plane, in coordinates of a frame.

    Attributes:
        points: `(V, 2)`.
        faces: `(F, 3)`.
        ridge: `(V,)`, height of each vertex above the surface, relative to the others: arrows have a ridge like a roof.
    """

    points: Float[ndarray, "vertices 2"]
    faces: Int[ndarray, "faces 3"]
    ridge: Float[ndarray, "vertices"]


def polar_grid(rings: int = 18, sectors: int = 60) -> Flat:
    """Return the unit disc, in rings of triangles about its centre."""
    angle = 2 * np.pi * np.arange(sectors) / sectors
    circle = np.stack([np.cos(angle), np.sin(angle)], -1)
    points = np.concatenate([[[0.0, 0.0]], *(circle * (k / rings) for k in range(1, rings + 1))])
    here, there = np.arange(sectors), (np.arange(sectors) + 1) % sectors
    faces = [np.stack([np.zeros(sectors, dtype=np.int64), 1 + here, 1 + there], -1)]
    for k in range(rings - 1):
        inner, outer = 1 + k * sectors, 1 + (k + 1) * sectors
        faces += [
            np.stack([inner + here, outer + here, outer + there], -1),
            np.stack([inner + here, outer + there, inner + there], -1),
        ]
    return Flat(points, np.concatenate(faces), np.zeros(len(points)))


def ribbon(line: Float[ndarray, "stations 2"], half_width: float | ndarray, *, closed: bool = False) -> Flat:
    """Return a band along a line, three vertices across, the middle one on the ridge."""
    before, after = (np.roll(line, 1, 0), np.roll(line, -1, 0)) if closed else (_shift(line, 1), _shift(line, -1))
    along = after - before
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-300)
    side = np.stack([-along[:, 1], along[:, 0]], -1) * np.broadcast_to(half_width, len(line))[:, None]
    points = np.stack([line - side, line, line + side], 1).reshape(-1, 2)
    return Flat(points, _band(len(line), closed=closed), np.tile([0.0, 1.0, 0.0], len(line)))


def band_in_space(
    line: Float[ndarray, "stations 3"], normals: Float[ndarray, "stations 3"], half_width: float
) -> tuple[Float[ndarray, "vertices 3"], Int[ndarray, "faces 3"], Float[ndarray, "vertices"]]:
    """Return vertices, faces and ridge of a band along a line on a surface with these normals."""
    side = np.cross(normals, _shift(line, -1) - _shift(line, 1))
    side *= half_width / np.maximum(np.linalg.norm(side, axis=1, keepdims=True), 1e-300)
    points = np.stack([line - side, line, line + side], 1).reshape(-1, 3)
    return points, _band(len(line)), np.tile([0.0, 1.0, 0.0], len(line))


def refined(line: Float[ndarray, "stations 3"], step: float) -> Float[ndarray, "more 3"]:
    """Return a line with additional points, no further apart than `step`."""
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    at = np.union1d(length, np.linspace(0, length[-1], int(np.ceil(length[-1] / step)) + 1))
    return np.stack([np.interp(at, length, x) for x in line.T], -1)


def _band(count: int, *, closed: bool = False) -> Int[ndarray, "faces 3"]:
    """Return the triangles of a band with `count` cross sections of three vertices each."""
    here = np.arange(count if closed else count - 1)
    there = (here + 1) % count
    faces = []
    for k in (0, 1):
        a, b, c, d = 3 * here + k, 3 * there + k, 3 * there + k + 1, 3 * here + k + 1
        faces += [np.stack([a, b, c], -1), np.stack([a, c, d], -1)]
    return np.concatenate(faces)


def arrow(tip: Float[ndarray, "2"], half_width: float, *, grow: float = 0.0) -> Flat:
    """Return an arrow from the origin to `tip`; `grow` widens it on all sides, which gives a rim around it.

    The head is three times as wide as the shaft, and at most half of the arrow.
    """
    length = float(np.linalg.norm(tip))
    head = min(6.4 * half_width, 0.5 * length)
    neck = length - head - grow
    shaft, flare = np.linspace(-grow, neck, 10), np.linspace(neck, length + 2.2 * grow, 6)
    width = np.concatenate([np.full(10, half_width + grow), np.linspace(3 * half_width + 1.6 * grow, 0, 6)])
    along = tip / max(length, 1e-300)
    side = np.array([-along[1], along[0]])
    line = np.concatenate([shaft, flare])[:, None] * along
    points = np.stack([line - width[:, None] * side, line, line + width[:, None] * side], 1).reshape(-1, 2)
    ridge = np.stack([0 * width, np.minimum(width / (half_width + grow), 1), 0 * width], 1).reshape(-1)
    return Flat(points, _band(len(line)), ridge)


def clipped(faces: Int[ndarray, "faces 3"], level: Float[ndarray, "vertices"], *values: ndarray) -> tuple[ndarray, ...]:
    """Return the part of triangles where a function that is linear on each is not negative.

    Triangles with a corner whose level is not finite are left out.

    Returns:
        The faces, and each array of `values` at the old and new vertices.
    """
    level = np.where(np.isfinite(level), level, np.nan)
    faces = faces[np.isfinite(level[faces]).all(1)]
    inside = level[faces] >= 0
    count = inside.sum(1)
    whole = faces[count == 3]
    cut = []
    made: dict[tuple[int, int], int] = {}
    size = len(level)

    def crossing(a: int, b: int) -> int:
        return made.setdefault((min(a, b), max(a, b)), size + len(made))

    for face, keep in zip(faces[(count == 1) | (count == 2)], inside[(count == 1) | (count == 2)]):
        alone = int(np.flatnonzero(keep == (keep.sum() == 1))[0])
        a, b, c = (int(face[(alone + k) % 3]) for k in range(3))
        ab, ac = crossing(a, b), crossing(a, c)
        cut += [(a, ab, ac)] if keep.sum() == 1 else [(ab, b, c), (ab, c, ac)]
    pairs = np.array(list(made), dtype=np.int64).reshape(-1, 2)
    i, j = pairs.T
    with np.errstate(invalid="ignore", divide="ignore"):
        t = level[i] / (level[i] - level[j])
    extended = [np.concatenate([v, v[i] + t.reshape(-1, *[1] * (v.ndim - 1)) * (v[j] - v[i])]) for v in values]
    return np.concatenate([whole, np.array(cut, dtype=np.int64).reshape(-1, 3)]), *extended


def unstretched(
    faces: Int[ndarray, "faces 3"], flat: Float[ndarray, "vertices 2"], positions: Float[ndarray, "vertices 3"]
) -> Bool[ndarray, "faces"]:
    """Return which triangles have no edge that is more than three times as long in space as in the plane.

    On different sides of the cut locus, neighbours in a tangent plane have images far from each other.
    """
    edges = [np.linalg.norm(x[faces] - np.roll(x[faces], 1, 1), axis=-1) for x in (flat, positions)]
    return typed_array((edges[1] <= 3 * edges[0] + 1e-12).all(1))


def split(faces: Int[ndarray, "faces 3"], *values: ndarray) -> tuple[ndarray, ...]:
    """Split every triangle into four; values at the middle of an edge are the mean of the values at its ends."""
    edges = np.sort(np.stack([faces, np.roll(faces, -1, 1)], -1).reshape(-1, 2), axis=1)
    unique, index = np.unique(edges, axis=0, return_inverse=True)
    size = len(values[0])
    ab, bc, ca = (size + index.reshape(-1, 3)).T
    a, b, c = faces.T
    quarters = np.stack([a, ab, ca, ab, b, bc, ca, bc, c, ab, bc, ca], -1).reshape(-1, 3)
    return quarters, *(np.concatenate([v, (v[unique[:, 0]] + v[unique[:, 1]]) / 2]) for v in values)


def tube(line: Float[ndarray, "stations 3"], radius: ndarray | float, *, sides: int = 12) -> tuple[ndarray, ndarray]:
    """Return vertices and faces of a round tube along a line in space, with a radius at each point of the line."""
    along = _shift(line, -1) - _shift(line, 1)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-300)
    helper = np.eye(3)[np.abs(along[0]).argmin()]
    first = helper - (along @ helper)[:, None] * along
    first /= np.maximum(np.linalg.norm(first, axis=1, keepdims=True), 1e-300)
    second = np.cross(along, first)
    angle = 2 * np.pi * np.arange(sides) / sides
    ring = np.cos(angle)[None, :, None] * first[:, None] + np.sin(angle)[None, :, None] * second[:, None]
    wide = np.broadcast_to(radius, len(line))[:, None, None]
    vertices = (line[:, None] + wide * ring).reshape(-1, 3)
    here, there = np.arange(sides), (np.arange(sides) + 1) % sides
    faces = []
    for k in range(len(line) - 1):
        low, high = k * sides, (k + 1) * sides
        faces += [
            np.stack([low + here, low + there, high + there], -1),
            np.stack([low + here, high + there, high + here], -1),
        ]
    return vertices, np.concatenate(faces)


def _shift(line: ndarray, by: int) -> ndarray:
    """Return the previous (1) or next (-1) point of the line at each point; the ends are repeated."""
    return np.concatenate([line[:1], line[:-1]]) if by == 1 else np.concatenate([line[1:], line[-1:]])

"""A z-buffer rasteriser for triangles, compiled with numba: pictures of meshes without OpenGL."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from gaugenet._compiled import njit
from gaugenet._typing import typed_array


@dataclass(frozen=True)
class Fragments:
    """What each pixel sees.

    Attributes:
        face: `(H, W)` int32, the face at the pixel's centre, -1 where there is none.
        bary: `(H, W, 2)` float32, weights of the face's second and third corner.
        depth: `(H, W)` float32, larger being nearer; `-inf` where there is no face.
    """

    face: Int[ndarray, "height width"]
    bary: Float[ndarray, "height width 2"]
    depth: Float[ndarray, "height width"]


def rasterize(
    pixels: Float[ndarray, "vertices 3"], faces: Int[ndarray, "faces 3"], height: int, width: int
) -> Fragments:
    """Return the nearest face at each pixel centre.

    Args:
        pixels: `(V, 3)` vertices as (column, row, depth), in pixels with the origin at the upper left corner of the
            picture (the centre of the first pixel is at 0.5, 0.5); larger depth is nearer.
        faces: `(F, 3)`; both sides of a face are visible, faces without area are not.
        height: rows of the picture.
        width: columns.
    """
    face = np.full((height, width), -1, dtype=np.int32)
    bary = np.zeros((height, width, 2), dtype=np.float32)
    depth = np.full((height, width), -np.inf, dtype=np.float32)
    _fill(
        np.ascontiguousarray(pixels, dtype=np.float64),
        np.ascontiguousarray(faces, dtype=np.int64),
        face,
        bary,
        depth,
    )
    return Fragments(face, bary, depth)


def vertex_openness(
    vertices: Float[ndarray, "vertices 3"],
    faces: Int[ndarray, "faces 3"],
    normals: Float[ndarray, "vertices 3"],
    *,
    directions: int | None = None,
    resolution: int = 192,
) -> Float[ndarray, "vertices"]:
    """Return the cosine-weighted share of the sky that the mesh leaves visible from each vertex, from 0 to 1.

    A shadow map of the mesh for each direction says which vertices light from there reaches. So the cost is
    O(directions x (faces + pixels)), without a ray against every face. A vertex counts as reached when it lies less
    than a few pixels behind the surface, so that faces do not shade themselves.

    Args:
        vertices: `(V, 3)`.
        faces: `(F, 3)`.
        normals: `(V, 3)` unit outward normals.
        directions: number of directions, spread evenly over the sphere; by default fewer for larger meshes.
        resolution: pixels on a side of each shadow map.
    """
    directions = directions or int(np.clip(1_000_000 / len(vertices), 24, 96))
    center = (vertices.min(axis=0) + vertices.max(axis=0)) / 2
    radius = np.linalg.norm(vertices - center, axis=1).max()
    unit = (vertices - center) / (radius if radius > 0 else 1.0)
    open_, total = np.zeros(len(vertices)), np.full(len(vertices), 1e-9)
    scale = 0.49 * resolution
    for direction in _even_directions(directions):
        cosine = normals @ direction
        rows = _frame_along(direction)
        # Pushed out along the normal by the size of a pixel: the self-shadow bias.
        seen = (unit + normals * (2.0 / scale)) @ rows.T
        pixels = unit @ rows.T * [scale, scale, 1.0] + [resolution / 2, resolution / 2, 0.0]
        depth = rasterize(pixels, faces, resolution, resolution).depth
        at = np.clip((seen[:, :2] * scale + resolution / 2).astype(int), 0, resolution - 1)
        lit = seen[:, 2] + 2.0 / scale >= depth[at[:, 1], at[:, 0]]
        weight = np.maximum(cosine, 0)
        open_ += weight * lit
        total += weight
    return typed_array(np.clip(open_ / total, 0, 1))


def corner_normals(
    faces: Int[ndarray, "faces 3"],
    face_normals: Float[ndarray, "faces 3"],
    corner_angles: Float[ndarray, "faces 3"],
    *,
    crease: float = 60.0,
) -> Float[ndarray, "faces 3 3"]:
    """Return a unit normal at each corner: round parts look smooth and the edges of a box stay sharp.

    It is the mean of the normals at its vertex, weighted by angle, over the faces that bend away from the corner's own
    face by less than `crease` degrees.
    """
    order = np.argsort(faces.reshape(-1), kind="stable")
    starts = np.searchsorted(faces.reshape(-1)[order], np.arange(int(faces.max(initial=-1)) + 2))
    return _corner_normals(faces, face_normals, corner_angles, order, starts, float(np.cos(np.radians(crease))))


def _even_directions(count: int) -> Float[ndarray, "count 3"]:
    """Return points of a Fibonacci lattice on the unit sphere."""
    k = np.arange(count) + 0.5
    z, angle = 1 - 2 * k / count, np.pi * (1 + 5**0.5) * k
    return np.stack([np.cos(angle) * np.sqrt(1 - z**2), np.sin(angle) * np.sqrt(1 - z**2), z], axis=-1)


def _frame_along(direction: ndarray) -> Float[ndarray, "3 3"]:
    helper = np.eye(3)[np.abs(direction).argmin()]
    right = np.cross(helper, direction)
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(direction, right), direction])


# Compiled, because triangles cover different numbers of pixels and compete for them in the depth buffer.
@njit(cache=True, nogil=True)
def _fill(
    pixels: ndarray, faces: ndarray, face: ndarray, bary: ndarray, depth: ndarray
) -> None:  # pragma: no cover - compiled
    height, width = face.shape
    for f in range(faces.shape[0]):
        i, j, k = faces[f]
        ax, ay, az = pixels[i]
        bx, by, bz = pixels[j]
        cx, cy, cz = pixels[k]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if not abs(area) > 1e-12:
            continue
        left = max(int(np.ceil(min(ax, bx, cx) - 0.5)), 0)
        right = min(int(np.floor(max(ax, bx, cx) - 0.5)), width - 1)
        top = max(int(np.ceil(min(ay, by, cy) - 0.5)), 0)
        bottom = min(int(np.floor(max(ay, by, cy) - 0.5)), height - 1)
        for row in range(top, bottom + 1):
            y = row + 0.5
            for column in range(left, right + 1):
                x = column + 0.5
                v = ((x - ax) * (cy - ay) - (y - ay) * (cx - ax)) / area
                w = ((bx - ax) * (y - ay) - (by - ay) * (x - ax)) / area
                if v < 0 or w < 0 or v + w > 1:
                    continue
                z = az + v * (bz - az) + w * (cz - az)
                if z > depth[row, column]:
                    depth[row, column] = z
                    face[row, column] = f
                    bary[row, column, 0] = v
                    bary[row, column, 1] = w


# Compiled, because every corner averages over its own choice of the faces around its vertex.
@njit(cache=True, nogil=True)
def _corner_normals(
    faces: ndarray, face_normals: ndarray, angles: ndarray, order: ndarray, starts: ndarray, cosine: float
) -> ndarray:  # pragma: no cover - compiled
    result = np.empty((faces.shape[0], 3, 3))
    for f in range(faces.shape[0]):
        for c in range(3):
            vertex = faces[f, c]
            total = np.zeros(3)
            for at in range(starts[vertex], starts[vertex + 1]):
                other = order[at] // 3
                agreement = 0.0
                for k in range(3):
                    agreement += face_normals[other, k] * face_normals[f, k]
                if agreement >= cosine or other == f:
                    for k in range(3):
                        total[k] += angles[other, order[at] % 3] * face_normals[other, k]
            norm = np.sqrt(total[0] ** 2 + total[1] ** 2 + total[2] ** 2)
            for k in range(3):
                result[f, c, k] = total[k] / norm if norm > 0 else face_normals[f, k]
    return result

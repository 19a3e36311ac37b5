"""The closest points of a mesh to given points, and interpolation there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from gaugenet._typing import typed_array
from gaugenet.geometry.mesh.mesh import TriangleMesh
from gaugenet.geometry.mesh.refine import refine

_CANDIDATES = 12
_CHUNK = 1 << 16


@dataclass(frozen=True)
class ClosestPoints:
    """Points on a mesh.

    Attributes:
        face: the face of each point.
        weight: non-negative barycentric coordinates in the face, with sum 1.
        distance: distance from the given point.
    """

    face: Int[ndarray, "points"]
    weight: Float[ndarray, "points 3"]
    distance: Float[ndarray, "points"]


def closest_points(
    mesh: TriangleMesh, points: Float[ndarray, "points 3"], normals: Float[ndarray, "points 3"] | None = None
) -> ClosestPoints:
    """Return the closest point of a mesh to each given point, by Euclidean distance.

    The faces with the nearest centres are candidates. Large faces are subdivided for the search, so the closest face is
    one of the candidates.

    Args:
        mesh: a mesh with faces.
        points: points in the units of the mesh.
        normals: normals of the surface at these points, to distinguish the sides of a thin wall: faces of opposite
            normals are used only if there is no other candidate.
    """
    from scipy.spatial import cKDTree

    pieces = refine(mesh, max(3 * float(np.median(mesh.edge_lengths)), float(mesh.edge_lengths.max()) / 64))
    tree = cKDTree(pieces.mesh.vertices[pieces.mesh.faces].mean(axis=1))
    number = min(_CANDIDATES, pieces.mesh.num_faces)
    parts = []
    for start in range(0, len(points), _CHUNK):
        x = points[start : start + _CHUNK]
        near = pieces.face_map[tree.query(x, k=[*range(1, number + 1)])[1]]
        weight = _barycentric(mesh.vertices[mesh.faces[near]], x[:, None])
        gap = np.linalg.norm((weight[..., None] * mesh.vertices[mesh.faces[near]]).sum(-2) - x[:, None], axis=-1)
        cost = gap
        if normals is not None:
            away = (mesh.face_normals[near] * normals[start : start + _CHUNK, None]).sum(-1) < 0
            cost = gap + np.where(away, 1e3 * (1 + float(np.ptp(mesh.vertices, axis=0).max())), 0.0)
        best = cost.argmin(axis=1)[:, None]
        parts.append(
            (
                np.take_along_axis(near, best, 1)[:, 0],
                np.take_along_axis(weight, best[..., None], 1)[:, 0],
                np.take_along_axis(gap, best, 1)[:, 0],
            )
        )
    if not parts:
        return ClosestPoints(np.zeros(0, int), np.zeros((0, 3)), np.zeros(0))
    return ClosestPoints(*(np.concatenate(columns) for columns in zip(*parts)))


def _barycentric(corners: Float[ndarray, "n k 3 3"], x: Float[ndarray, "n 1 3"]) -> Float[ndarray, "n k 3"]:
    """Coordinates of the closest point of each triangle: of its inside, else of the closest of its sides."""
    a, b, c = np.moveaxis(corners, -2, 0)
    e, f, d = b - a, c - a, x - a
    ee, ef, ff = (e * e).sum(-1), (e * f).sum(-1), (f * f).sum(-1)
    de, df = (d * e).sum(-1), (d * f).sum(-1)
    det = np.maximum(ee * ff - ef * ef, np.finfo(float).tiny)
    v, w = (ff * de - ef * df) / det, (ee * df - ef * de) / det
    weight = np.stack([1 - v - w, v, w], axis=-1)
    inside = (weight >= 0).all(axis=-1)
    best = np.full(inside.shape, np.inf)
    for k in range(3):
        p, q = corners[..., k, :], corners[..., (k + 1) % 3, :]
        side = q - p
        t = ((x - p) * side).sum(-1) / np.maximum((side * side).sum(-1), np.finfo(float).tiny)
        t = np.clip(t, 0.0, 1.0)
        gap = ((p + t[..., None] * side - x) ** 2).sum(-1)
        nearer = ~inside & (gap < best)
        best = np.where(nearer, gap, best)
        on_side = np.zeros_like(weight)
        on_side[..., k], on_side[..., (k + 1) % 3] = 1 - t, t
        weight = np.where(nearer[..., None], on_side, weight)
    return typed_array(weight)


__all__ = ["ClosestPoints", "closest_points"]

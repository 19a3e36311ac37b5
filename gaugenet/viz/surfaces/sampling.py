"""Farthest-point sampling of surfaces."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from gaugenet._typing import typed_array
from gaugenet.geometry import TriangleMesh


def spread_out(mesh: TriangleMesh, positions: Float[ndarray, "n 3"], count: int) -> Int[ndarray, "count"]:
    """Choose positions on a mesh that lie far from each other and, where possible, from its edge; return their rows."""
    return farthest_point_sampling(positions, count, allowed=_off_the_edge(mesh, positions, count))


def farthest_point_sampling(
    positions: Float[ndarray, "n d"],
    count: int,
    *,
    allowed: Bool[ndarray, "n"] | None = None,
    start: int | None = None,
) -> Int[ndarray, "count"]:
    """Choose positions one after the other, each as far as possible from the earlier ones; return their rows.

    Args:
        positions: to choose from.
        count: number of positions to choose; all if there are fewer.
        allowed: which positions may be chosen; by default all.
        start: the first one, counted among the allowed; by default the one that is furthest from their mean.
    """
    rows = np.arange(len(positions)) if allowed is None else np.flatnonzero(allowed)
    at = positions[rows]
    chosen = [int(np.linalg.norm(at - at.mean(0), axis=1).argmax()) if start is None else start]
    distance = np.linalg.norm(at - at[chosen[0]], axis=1)
    while len(chosen) < min(count, len(rows)):
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, np.linalg.norm(at - at[chosen[-1]], axis=1))
    return rows[chosen]


def _off_the_edge(mesh: TriangleMesh, positions: Float[ndarray, "n 3"], count: int) -> Bool[ndarray, "n"]:
    """Return which positions are not near the edge: not within half the spacing of `count` even points."""
    from scipy.spatial import cKDTree

    edge = mesh.vertices[mesh.boundary_vertices]
    if not len(edge):
        return np.ones(len(positions), dtype=bool)
    apart = math.sqrt(mesh.area / max(count, 1))
    distance = cKDTree(edge).query(positions)[0]
    for share in (0.5, 0.3, 0.0):
        keep = distance >= share * apart
        if keep.sum() >= count:
            return typed_array(keep)
    return np.ones(len(positions), dtype=bool)

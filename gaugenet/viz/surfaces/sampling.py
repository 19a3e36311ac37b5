"""Points of a surface that lie far from each other."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from gaugenet._typing import typed_array
from gaugenet.geometry import TriangleMesh


def spread_out(mesh: TriangleMesh, positions: Float[ndarray, "n 3"], count: int) -> Int[ndarray, "count"]:
    """Rows of positions on a mesh that lie far from each other and, where they can, from its edge."""
    return farthest_point_sampling(positions, count, allowed=_off_the_edge(mesh, positions, count))


def farthest_point_sampling(
    positions: Float[ndarray, "n d"],
    count: int,
    *,
    allowed: Bool[ndarray, "n"] | None = None,
    start: int | None = None,
) -> Int[ndarray, "count"]:
    """Rows chosen one after the other, each as far as may be from those before.

    Args:
        positions: of which some are chosen.
        count: how many; all if there are fewer.
        allowed: those that may be.
        start: which of these is the first; by default the one that is furthest from their mean.
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
    """Which positions keep away from the edge of a surface, by half of what `count` even points are apart."""
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

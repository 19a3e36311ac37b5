"""Shorter searches where a radius holds too many points, so that uneven tessellations cost no more than even ones.

A search that opens many windows stops once and finds out how far its nearest points are. It measures along edges, by
Dijkstra's algorithm, which ends after a few points. Geodesics are at most as long as paths along edges. So a search
within that distance finds all of these points, and the result is the same as the result of the whole search.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy import ndarray

from gaugenet._compiled import njit
from gaugenet.geometry.mesh._heap import popped, pushed
from gaugenet.geometry.mesh.halfedge import HalfedgeArrays, _next, _previous

WINDOWS = 16  # for each neighbour: more than even tessellations need


class Crowd(NamedTuple):
    """Criteria that end a search before its radius.

    Attributes:
        counted: mask of the vertices that are counted.
        enough: number of these vertices that the search must reach.
        least: length that it must reach.
        windows: number of windows after which the search looks for a shorter limit.
    """

    counted: ndarray
    enough: int
    least: float
    windows: int


def crowd_reach(t: HalfedgeArrays, source: int, limit: float, crowd: Crowd) -> float:
    """Return a length within which there are `enough` counted vertices, at most `limit`."""
    distance, rank = np.full(len(t.first), np.inf), np.zeros(len(t.first), dtype=np.int64)
    most = 2 * len(t.origin) + 1  # entries: each vertex offers a path to its neighbours once
    return float(_reach(t, source, limit, crowd, distance, np.empty(most), np.empty(most, dtype=np.int32), rank))


@njit(cache=True, nogil=True, borrowed=True)
def _reach(
    t: HalfedgeArrays, source: int, limit: float, crowd: Crowd,
    distance: ndarray, key: ndarray, vertex: ndarray, rank: ndarray,
) -> float:  # fmt: skip
    """See `crowd_reach`. The heap of `key` and `vertex` has room for all entries, and `rank` does not matter."""
    copies = 2 if len(t.first) > t.num_base else 1
    missing = copies * crowd.enough  # both copies of a vertex of a double cover are one
    distance[source] = 0.0
    key[0], vertex[0] = 0.0, source
    size: int = np.int64(1)  # type: ignore[assignment]  # with a literal, numba would compile the heap twice
    while size > 0:
        d, v = key[0], vertex[0]
        size = popped(key, vertex, size, rank)
        if d > distance[v]:
            continue
        base = v if v < t.num_base else v - t.num_base
        if base != source and crowd.counted[base]:
            missing -= 1
            if missing == 0:
                return float(min(limit, max(crowd.least, d * (1 + 1e-6))))  # includes all points as far as the last one
        h = t.first[v]
        while h >= 0:
            ahead, behind = t.origin[_next(h)], _previous(h)
            if d + t.shape[h, 2] < min(distance[ahead], limit):
                distance[ahead] = d + t.shape[h, 2]
                size = pushed(key, vertex, size, distance[ahead], ahead, rank)
            last = t.origin[behind]
            if t.twin[behind] < 0 and d + t.shape[behind, 2] < min(distance[last], limit):
                distance[last] = d + t.shape[behind, 2]
                size = pushed(key, vertex, size, distance[last], last, rank)
            h = t.twin[behind]
            if h == t.first[v]:
                break
    return limit

"""Shorter searches where a radius holds too many points, so that uneven tessellations cost no more than even ones.

A search that opens many windows stops once and finds out how far its nearest points are. It measures along edges, by
Dijkstra's algorithm, which ends after a few points. Geodesics are at most as long as paths along edges. So a search
within that distance finds all of these points, and the result is the same as the result of the whole search.
"""

from __future__ import annotations

import heapq
from typing import NamedTuple

import numpy as np
from numpy import ndarray

from gaugenet._compiled import njit
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


@njit(cache=True, nogil=True)
def crowd_reach(t: HalfedgeArrays, source: int, limit: float, crowd: Crowd) -> float:
    """Return a length within which there are `enough` counted vertices, at most `limit`."""
    copies = 2 if len(t.first) > t.num_base else 1
    missing = copies * crowd.enough  # both copies of a vertex of a double cover are one
    distance = np.full(len(t.first), np.inf)
    distance[source] = 0.0
    front = [(0.0, np.int64(source))]
    while len(front) > 0:
        d, v = heapq.heappop(front)
        if d > distance[v]:
            continue
        base = v if v < t.num_base else v - t.num_base
        if base != source and crowd.counted[base]:
            missing -= 1
            if missing == 0:
                return min(limit, max(crowd.least, d * (1 + 1e-6)))  # includes all points as far as the last one
        h = t.first[v]
        while h >= 0:
            behind = _previous(h)
            _relax(front, distance, d + t.shape[h, 2], t.origin[_next(h)], limit)
            if t.twin[behind] < 0:
                _relax(front, distance, d + t.shape[behind, 2], t.origin[behind], limit)
            h = t.twin[behind]
            if h == t.first[v]:
                break
    return limit


@njit(cache=True, nogil=True)
def _relax(front: list[tuple[float, np.int64]], distance: ndarray, through: float, v: int, limit: float) -> None:
    if through < distance[v] and through < limit:
        distance[v] = through
        heapq.heappush(front, (through, np.int64(v)))

"""Shorter searches where a radius holds too many points, so that uneven tessellations cost no more than even ones.

A search that opens many windows stops once, and asks how far its nearest points are: along edges, by Dijkstra's
algorithm, which a few points end. Geodesics are no longer than paths along edges, so a search within that distance
finds them all, and the result is the same as that of the whole search.
"""

from __future__ import annotations

import heapq
from typing import NamedTuple

import numpy as np
from numpy import ndarray

from gaugenet._compiled import njit
from gaugenet.geometry.mesh.halfedge import HalfedgeArrays, _next, _previous

WINDOWS = 16  # a neighbour: more than even tessellations need


class Crowd(NamedTuple):
    """What ends a search before its radius.

    Attributes:
        counted: mask of the vertices that count.
        enough: how many of them the search must reach.
        least: length that it must reach.
        windows: number of windows up to which it just goes on.
    """

    counted: ndarray
    enough: int
    least: float
    windows: int


@njit(cache=True, nogil=True)
def crowd_reach(t: HalfedgeArrays, source: int, limit: float, crowd: Crowd) -> float:
    """A length within which `enough` vertices that count lie, at most `limit`."""
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
                return min(limit, max(crowd.least, d * (1 + 1e-6)))  # all that are as far as the last one
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

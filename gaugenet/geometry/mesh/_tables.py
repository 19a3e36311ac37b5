"""The tables that the compiled search for geodesics fills.

The records of the search are rows of arrays of two types (int32 for indices, float64 for lengths and angles), with one
column for each field. So they are reused from source to source, and read without an object for each window. The
compiled loops allocate nothing and return when a table is full: numba compiles loops without memory of their own in
half of the time.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy import ndarray


class Search(NamedTuple):
    """The state of the search around one source. Rows of the tables are used up to the counts in `size`.

    Attributes:
        slot_of: row of each vertex in `state` and `path`, -1 while it has not been reached.
        size: numbers of vertices, roots, windows followed, windows found, vertices examined for a shadow, vertices
            waiting to be sources; and the number of windows at which the search stops once.
        state: vertex; halfedge by which its path arrives (-1: along a boundary edge); root; last window (-1: along an
            edge); whether the path is final; whether it bends around the boundary.
        path: distance; unfolded point; unfolded second end of the arrival halfedge; and, once final: polar angle at the
            source, transport angle to the source, polar angle of the arrival, length of the vector along the last part
            (see `_paths`).
        root: vertex row of a source of rays.
        root_ray: angle of its x axis at that vertex; distance of the vertex.
        window: halfedge entered; root; previous window.
        wedge: right end and left end of the edge entered, right ray, left ray.
        waiting: rows of vertices waiting to be sources.
        order: rows of the vertices that are kept, and a place to sort them.
        key: what they are sorted by.
    """

    slot_of: ndarray
    size: ndarray
    state: ndarray
    path: ndarray
    root: ndarray
    root_ray: ndarray
    window: ndarray
    wedge: ndarray
    waiting: ndarray
    order: ndarray
    key: ndarray


class Found(NamedTuple):
    """The paths that were found, from source after source.

    Attributes:
        size: number of sources done, and of rows used.
        paths: number of paths of each source.
        neighbor: columns `(neighbour, sign)`.
        geodesic: columns `(distance, polar angle, transport, arrival)`. The arrival is the direction of the path's end,
            transported back to the source. It equals the polar angle, unless the path bends around the boundary.
    """

    size: ndarray
    paths: ndarray
    neighbor: ndarray
    geodesic: ndarray


def new_search(num_vertices: int) -> Search:
    """Return empty tables for searches on a surface."""
    return Search(
        slot_of=np.full(num_vertices, -1, dtype=np.int32),
        size=np.zeros(7, dtype=np.int64),
        state=np.empty((128, 6), dtype=np.int32),
        path=np.empty((128, 9)),
        root=np.empty(128, dtype=np.int32),
        root_ray=np.empty((128, 2)),
        window=np.empty((1024, 3), dtype=np.int32),
        wedge=np.empty((1024, 8)),
        waiting=np.empty(128, dtype=np.int32),
        order=np.empty((128, 2), dtype=np.int32),
        key=np.empty((128, 2)),
    )


def new_found(num_sources: int) -> Found:
    """Return empty tables for the paths from some sources."""
    rows = 40 * num_sources + 64
    size, paths = np.zeros(2, dtype=np.int64), np.zeros(num_sources, dtype=np.int64)
    return Found(size, paths, np.empty((rows, 2), dtype=np.int32), np.empty((rows, 4)))


def with_more_room(search: Search) -> Search:
    """Return the search with tables of twice the size."""
    slot_of, size, *tables = search
    return Search(slot_of, size, *(_longer(table) for table in tables))


def with_more_rows(found: Found) -> Found:
    """Return the paths in tables of twice the size."""
    return Found(found.size, found.paths, _longer(found.neighbor), _longer(found.geodesic))


def _longer(table: ndarray) -> ndarray:
    return np.concatenate([table, np.empty_like(table)])

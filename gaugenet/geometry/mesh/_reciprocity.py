"""Both directions of an edge as one geodesic.

Where several paths are equally short up to rounding, the searches from both ends may find different paths. Then
transport there and back would not be the identity. So one path serves both directions: the path found from the end of
the higher mark (see `component_marks`), which does not depend on the numbering.

Compiled, because each edge looks up its reverse, in a table of the edges at one point that is filled and cleared for
each point. The cost is linear in the number of edges, without a sort.
"""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from gaugenet._compiled import njit


@njit(cache=True, nogil=True)
def make_reciprocal(
    indptr: ndarray,
    targets: ndarray,
    neighbor: ndarray,
    geodesic: ndarray,
    wanted: ndarray,
    mark: ndarray,
    cut: ndarray,
) -> ndarray:
    """Make both directions of each edge the result of one search, in place. Return which edges to keep.

    An edge without its reverse is dropped: its length is the radius, up to rounding, or the search from the other end
    has not found it. It is kept if the list of its source was cut, if its source is not a target, or if its target is
    not wanted as a neighbour.

    Args:
        indptr: the edges of target `i` are `indptr[i]:indptr[i + 1]`.
        targets: vertex of each target.
        neighbor: columns `(source, sign)` of each edge.
        geodesic: columns `(distance, polar angle, transport, arrival)` of each edge, see `local_geodesics`.
        wanted: whether each vertex counts as a neighbour.
        mark: mark of each vertex.
        cut: whether the list of each target holds its nearest neighbours only.
    """
    row = np.full(len(mark), -1, dtype=np.int32)
    for i in range(len(targets)):
        row[targets[i]] = i
    start, edge, other_end = _edges_by_source(indptr, row, neighbor)
    keep = np.ones(len(neighbor), dtype=np.bool_)
    edge_from = np.full(len(targets), -1, dtype=np.int64)  # to the current target
    for i in range(len(targets)):
        for e in range(indptr[i], indptr[i + 1]):
            if row[neighbor[e, 0]] >= 0:
                edge_from[row[neighbor[e, 0]]] = e
        for k in range(start[i], start[i + 1]):
            j = other_end[k]
            e = edge_from[j]
            if e < 0:
                keep[edge[k]] = cut[i] or not wanted[targets[j]]
            elif (mark[targets[i]], targets[i]) > (mark[targets[j]], targets[j]):
                _reverse(neighbor, geodesic, e, edge[k])
        for e in range(indptr[i], indptr[i + 1]):
            if row[neighbor[e, 0]] >= 0:
                edge_from[row[neighbor[e, 0]]] = -1
    return keep


@njit(cache=True, nogil=True)
def _edges_by_source(indptr: ndarray, row: ndarray, neighbor: ndarray) -> tuple[ndarray, ndarray, ndarray]:
    """Return edges with targets as sources, sorted by source: the start of each source's edges, and their targets."""
    start = np.zeros(len(indptr) + 1, dtype=np.int64)
    for e in range(len(neighbor)):
        if row[neighbor[e, 0]] >= 0:
            start[row[neighbor[e, 0]] + 2] += 1
    start = np.cumsum(start)
    edge = np.empty(start[-1], dtype=np.int64)
    other_end = np.empty(start[-1], dtype=np.int32)
    for i in range(len(indptr) - 1):
        for e in range(indptr[i], indptr[i + 1]):
            j = row[neighbor[e, 0]]
            if j >= 0:
                edge[start[j + 1]], other_end[start[j + 1]] = e, i
                start[j + 1] += 1
    return start, edge, other_end


@njit(cache=True, nogil=True, inline="always")
def _reverse(neighbor: ndarray, geodesic: ndarray, e: int, back: int) -> None:
    """Write the edge `back` as the reverse of the edge `e`."""
    sign, transport = neighbor[e, 1], -neighbor[e, 1] * geodesic[e, 2]
    neighbor[back, 1] = sign
    geodesic[back, 0], geodesic[back, 2] = geodesic[e, 0], transport
    geodesic[back, 1] = transport + sign * (geodesic[e, 3] + np.pi)

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
    source: ndarray,
    sign: ndarray,
    distance: ndarray,
    angle: ndarray,
    transport: ndarray,
    bent: ndarray,
    arrival: ndarray,
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
        source: neighbour of each edge.
        sign: of each edge, see `LocalLogMaps`; changed, as the next three.
        distance: length of each edge.
        angle: polar angle of each edge at its target.
        transport: angle of the transport along each edge.
        bent: the edges, in order, whose arrival is not their polar angle; see `local_geodesics`.
        arrival: their arrivals.
        wanted: whether each vertex counts as a neighbour.
        mark: mark of each vertex.
        cut: whether the list of each target holds its nearest neighbours only.
    """
    row = np.full(len(mark), -1, dtype=np.int32)
    for i in range(len(targets)):
        row[targets[i]] = i
    start, place, other_end = _edges_by_source(indptr, row, source)
    keep = np.ones(len(source), dtype=np.bool_)
    edge_from = np.full(len(targets), -1, dtype=np.int64)  # to the current target
    next_bent = 0
    for i in range(len(targets)):
        _enter(edge_from, row, source, indptr[i], indptr[i + 1], False)
        first_bent = next_bent
        while next_bent < len(bent) and bent[next_bent] < indptr[i + 1]:
            next_bent += 1
        for k in range(start[i], start[i + 1]):
            j = other_end[k]
            e, back = edge_from[j], indptr[j] + place[k]
            if e < 0:
                keep[back] = cut[i] or not wanted[targets[j]]
            elif (mark[targets[i]], targets[i]) > (mark[targets[j]], targets[j]):
                sign[back], distance[back] = sign[e], distance[e]
                transport[back] = -sign[e] * transport[e]
                arrived = _looked_up(bent[first_bent:next_bent], arrival[first_bent:next_bent], e, angle[e])
                angle[back] = transport[back] + sign[e] * (arrived + np.pi)
        _enter(edge_from, row, source, indptr[i], indptr[i + 1], True)
    return keep


@njit(cache=True, nogil=True)
def _enter(edge_from: ndarray, row: ndarray, source: ndarray, start: int, stop: int, clear: bool) -> None:
    """Enter the edges of one target in the table by the row of their source, or clear their entries."""
    for e in range(start, stop):
        if row[source[e]] >= 0:
            edge_from[row[source[e]]] = -1 if clear else e


@njit(cache=True, nogil=True)
def _edges_by_source(indptr: ndarray, row: ndarray, source: ndarray) -> tuple[ndarray, ndarray, ndarray]:
    """Return edges with targets as sources, sorted by source: where those of each source start, their places, targets.

    The place of an edge is its position among the edges of its target, which takes half of the memory of its index.
    """
    start = np.zeros(len(indptr) + 1, dtype=np.int64)
    for e in range(len(source)):
        if row[source[e]] >= 0:
            start[row[source[e]] + 2] += 1
    start = np.cumsum(start)
    place = np.empty(start[-1], dtype=np.int32)
    other_end = np.empty(start[-1], dtype=np.int32)
    for i in range(len(indptr) - 1):
        for e in range(indptr[i], indptr[i + 1]):
            j = row[source[e]]
            if j >= 0:
                place[start[j + 1]], other_end[start[j + 1]] = e - indptr[i], i
                start[j + 1] += 1
    return start, place, other_end


@njit(cache=True, nogil=True)
def _looked_up(keys: ndarray, values: ndarray, key: int, default: float) -> float:
    """Return the value of a key in a short table."""
    for k in range(len(keys)):
        if keys[k] == key:
            return float(values[k])
    return default

"""Both directions of an edge as one geodesic.

Where several paths are equally short up to rounding, the searches from both ends may find different paths. Then
transport there and back would not be the identity. So one path serves both directions: the path found from the end of
the higher mark (see `component_marks`), which does not depend on the numbering.

Compiled, because each edge looks up its reverse, in a table of the edges at one point that is filled and cleared for
each point. The cost is linear in the number of edges, without a sort.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from gaugenet._compiled import njit

if TYPE_CHECKING:
    from gaugenet.geometry.mesh.log_map import LocalLogMaps


def make_reciprocal(
    maps: LocalLogMaps,
    bent: Int[ndarray, "bent"],
    arrival: Float[ndarray, "bent"],
    wanted: Bool[ndarray, "vertices"],
    mark: Float[ndarray, "vertices"],
    cut: Bool[ndarray, "targets"],
) -> Bool[ndarray, "edges"]:
    """Make both directions of each edge the result of one search, in place. Return which edges to keep.

    An edge without its reverse is dropped: its length is the radius, up to rounding, or the search from the other end
    has not found it. It is kept if the list of its source was cut, if its source is not a target, or if its target is
    not wanted as a neighbour.

    Args:
        maps: log maps, whose lengths and angles are changed.
        bent: the edges, in order, whose arrival is not their polar angle; see `local_geodesics`.
        arrival: their arrivals.
        wanted: whether each vertex counts as a neighbour.
        mark: mark of each vertex.
        cut: whether the list of each target holds its nearest neighbours only.
    """
    indptr, targets, source, num = maps.indptr, maps.targets, maps.source, len(maps.targets)
    row = np.full(len(mark), -1, dtype=np.int32)
    row[targets] = np.arange(num, dtype=np.int32)
    start = np.zeros(num + 2, dtype=np.int64)
    _count(row, source, start)
    np.cumsum(start, out=start)
    place, other_end = np.empty(start[-1], dtype=np.int32), np.empty(start[-1], dtype=np.int32)
    _sort_by_source(indptr, row, source, start, place, other_end)
    keep = np.ones(len(source), dtype=bool)
    edge_from = np.full(num, -1, dtype=np.int64)
    _mirror(
        indptr, targets, source, maps.sign, maps.distance, maps.angle, maps.transport, bent, arrival, wanted, mark, cut,
        row, start, place, other_end, edge_from, keep,
    )  # fmt: skip
    return keep


@njit(cache=True, nogil=True, borrowed=True)
def _count(row: ndarray, source: ndarray, start: ndarray) -> None:
    """Count the edges from each source that is a target, two places further on."""
    for e in range(len(source)):
        if row[source[e]] >= 0:
            start[row[source[e]] + 2] += 1


@njit(cache=True, nogil=True, borrowed=True)
def _sort_by_source(
    indptr: ndarray, row: ndarray, source: ndarray, start: ndarray, place: ndarray, other_end: ndarray
) -> None:
    """Sort edges by source: write the target of each, and its place among the edges of its target, into tables.

    The place takes half of the memory of the index of the edge. Afterwards the edges from source `j` are
    `start[j]:start[j + 1]`.
    """
    for i in range(len(indptr) - 1):
        for e in range(indptr[i], indptr[i + 1]):
            j = row[source[e]]
            if j >= 0:
                place[start[j + 1]], other_end[start[j + 1]] = e - indptr[i], i
                start[j + 1] += 1


@njit(cache=True, nogil=True, borrowed=True)
def _mirror(
    indptr: ndarray, targets: ndarray, source: ndarray, sign: ndarray, distance: ndarray, angle: ndarray,
    transport: ndarray, bent: ndarray, arrival: ndarray, wanted: ndarray, mark: ndarray, cut: ndarray,
    row: ndarray, start: ndarray, place: ndarray, other_end: ndarray, edge_from: ndarray, keep: ndarray,
) -> None:  # fmt: skip
    """See `make_reciprocal`. `edge_from` is a table of the edges to one target, by the row of their source."""
    bend = 0
    for i in range(len(targets)):
        _enter(edge_from, row, source, indptr[i], indptr[i + 1], False)
        while bend < len(bent) and bent[bend] < indptr[i]:
            bend += 1
        for k in range(start[i], start[i + 1]):
            j = other_end[k]
            e, back = edge_from[j], indptr[j] + place[k]
            if e < 0:
                keep[back] = cut[i] or not wanted[targets[j]]
            elif (mark[targets[i]], targets[i]) > (mark[targets[j]], targets[j]):
                sign[back], distance[back] = sign[e], distance[e]
                transport[back] = -sign[e] * transport[e]
                angle[back] = transport[back] + sign[e] * (_arrival(bent, arrival, bend, e, angle[e]) + np.pi)
        _enter(edge_from, row, source, indptr[i], indptr[i + 1], True)


@njit(cache=True, nogil=True, borrowed=True, inline="always")
def _enter(edge_from: ndarray, row: ndarray, source: ndarray, start: int, stop: int, clear: bool) -> None:
    """Enter the edges of one target in the table by the row of their source, or clear their entries."""
    for e in range(start, stop):
        if row[source[e]] >= 0:
            edge_from[row[source[e]]] = -1 if clear else e


@njit(cache=True, nogil=True, borrowed=True)
def _arrival(bent: ndarray, arrival: ndarray, start: int, e: int, angle: float) -> float:
    """Return the arrival of an edge, from the bent ones of its target, which begin at `start`."""
    while start < len(bent) and bent[start] < e:
        start += 1
    return float(arrival[start]) if start < len(bent) and bent[start] == e else angle

"""Farthest-point sampling of the vertices of a mesh: nested subsets, spread evenly over the surface."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from gaugenet._compiled import njit
from gaugenet._typing import typed_array
from gaugenet.geometry.mesh._heap import popped, pushed
from gaugenet.geometry.mesh.log_map import LocalLogMaps
from gaugenet.geometry.mesh.marks import QUANTUM, quantized, vertex_marks
from gaugenet.geometry.mesh.mesh import TriangleMesh


@dataclass(frozen=True)
class FarthestPoints:
    """Vertices in farthest-point order: the first n of them are the sample of size n, for every n.

    Attributes:
        order: `(n,)`, vertices.
        cover: `(n + 1,)`; `cover[k]` is the largest distance of any vertex to the first k samples. It is infinite
            while a component has none of them. Distances are lengths of paths along edges and log maps.
    """

    order: Int[ndarray, "samples"]
    cover: Float[ndarray, "samples_plus_one"]


def farthest_points(mesh: TriangleMesh, maps: LocalLogMaps, count: int) -> FarthestPoints:
    """Return vertices that are each farthest from all earlier ones, beginning with one of each component.

    The first vertex of a component is the one farthest from its centre, in space. Among equally far vertices, marks
    decide (see `vertex_marks`), so that the sample does not depend on the numbering. `O(n log n)`.

    Args:
        mesh: the mesh.
        maps: log maps of all vertices, whose distances are used in addition to the edge lengths.
        count: number of vertices; at least one per component is returned.
    """
    mark = vertex_marks(mesh)
    rank = np.empty(mesh.num_vertices, dtype=np.int64)
    rank[np.argsort(-mark, kind="stable")] = np.arange(mesh.num_vertices)  # the highest mark is first
    graph = _joined(maps.indptr, maps.source, maps.distance, mesh.edges, mesh.edge_lengths)
    seeds = _outermost(mesh, rank)
    unit = QUANTUM * float(graph[2].max(initial=0.0)) or 1.0
    return FarthestPoints(*_farthest(*graph, rank, seeds, max(count, len(seeds)), unit))


def _outermost(mesh: TriangleMesh, rank: ndarray) -> Int[ndarray, "components"]:
    """Return for each component the vertex farthest from the mean of its vertices, the farthest first."""
    component = mesh.vertex_components
    size = np.maximum(np.bincount(component), 1)
    sums = [np.bincount(component, weights=column) for column in mesh.vertices.T]
    centre = np.stack(sums, axis=-1) / size[:, None]
    far = np.linalg.norm(mesh.vertices - centre[component], axis=1)
    far = quantized(far, float(far.max(initial=0.0)))
    order = np.lexsort((rank, -far))
    return typed_array(order[np.sort(np.unique(component[order], return_index=True)[1])])


@njit(cache=True, nogil=True)
def _joined(
    indptr: ndarray, source: ndarray, distance: ndarray, edges: ndarray, edge_length: ndarray
) -> tuple[ndarray, ndarray, ndarray]:
    """Return the graph of log maps and edges: the start of each vertex's links, their other ends and their lengths.

    An edge between neighbours of a log map is left out, since the geodesic is not longer.
    """
    num = len(indptr) - 1
    along = np.zeros(num + 2, dtype=np.int64)
    for e in range(len(edges)):
        along[edges[e, 0] + 2] += 1
        along[edges[e, 1] + 2] += 1
    along = np.cumsum(along)
    other, which = np.empty(2 * len(edges), dtype=np.int32), np.empty(2 * len(edges), dtype=np.int32)
    for e in range(len(edges)):
        for end in range(2):
            v = edges[e, end]
            other[along[v + 1]], which[along[v + 1]] = edges[e, 1 - end], e
            along[v + 1] += 1
    start = np.empty(num + 1, dtype=np.int64)
    head = np.empty(len(source) + 2 * len(edges), dtype=np.int32)
    length = np.empty(len(head))
    seen_from = np.full(num, -1, dtype=np.int32)
    size = 0
    for v in range(num):
        start[v] = size
        for e in range(indptr[v], indptr[v + 1]):
            head[size], length[size] = source[e], distance[e]
            seen_from[source[e]] = v
            size += 1
        for k in range(along[v], along[v + 1]):
            if seen_from[other[k]] != v:
                head[size], length[size] = other[k], edge_length[which[k]]
                size += 1
    start[num] = size
    return start, head[:size], length[:size]


# Compiled, because each new point starts a Dijkstra search whose steps depend on all earlier ones: heaps, not arrays.
# Both heaps keep stale entries, which are recognized by their distance when they come up (no decrease-key). They are
# arrays, because numba's lists count references at every access.
@njit(cache=True, nogil=True)
def _farthest(
    start: ndarray, head: ndarray, length: ndarray, rank: ndarray, seeds: ndarray, count: int, unit: float
) -> tuple[ndarray, ndarray]:
    num = len(start) - 1
    count = min(count, num)
    zero: int = np.int64(0)  # type: ignore[assignment]  # with a literal, numba would compile the heap twice
    distance = np.full(num, np.inf)
    order = np.empty(count, dtype=np.int64)
    cover = np.full(count + 1, np.inf)
    far_key, far_vertex, far_size = np.empty(2 * num + 2), np.empty(2 * num + 2, dtype=np.int32), zero
    front_key, front_vertex = np.empty(64), np.empty(64, dtype=np.int32)
    for k in range(count):
        if k < len(seeds):
            v = seeds[k]
        else:
            v = np.int64(far_vertex[0])
            far_size = popped(far_key, far_vertex, far_size, rank)
        order[k] = v
        distance[v] = 0.0
        front_size = pushed(front_key, front_vertex, zero, 0.0, v, rank)
        while front_size > 0:
            d, u = front_key[0], front_vertex[0]
            front_size = popped(front_key, front_vertex, front_size, rank)
            if d > distance[u]:
                continue
            if d > 0:
                if far_size == len(far_key):
                    far_key, far_vertex = _twice(far_key), _twice(far_vertex)
                far_size = pushed(far_key, far_vertex, far_size, -np.round(d / unit), u, rank)
            while front_size + start[u + 1] - start[u] > len(front_key):
                front_key, front_vertex = _twice(front_key), _twice(front_vertex)
            near = slice(start[u], start[u + 1])
            front_size = _relax(head[near], length[near], distance, front_key, front_vertex, front_size, d, rank)
        while far_size > 0 and -far_key[0] != np.round(distance[far_vertex[0]] / unit):
            far_size = popped(far_key, far_vertex, far_size, rank)
        if k + 1 >= len(seeds):
            cover[k + 1] = distance[far_vertex[0]] if far_size > 0 else 0.0
    return order, cover


@njit(cache=True, nogil=True, borrowed=True)
def _relax(
    head: ndarray, length: ndarray, distance: ndarray, key: ndarray, vertex: ndarray, size: int, d: float, rank: ndarray
) -> int:
    """Shorten the paths along the links of a vertex at distance `d`, and push their other ends into a heap."""
    for e in range(len(head)):
        through = d + length[e]
        if through < distance[head[e]]:
            distance[head[e]] = through
            size = pushed(key, vertex, size, through, head[e], rank)
    return size


@njit(cache=True, nogil=True)
def _twice(column: ndarray) -> ndarray:
    longer = np.empty(2 * len(column), column.dtype)
    for i in range(len(column)):
        longer[i] = column[i]
    return longer

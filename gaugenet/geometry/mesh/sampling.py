"""Farthest-point sampling of the vertices of a mesh: nested subsets, spread evenly over the surface."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from gaugenet._compiled import njit
from gaugenet._typing import typed_array
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
    i, j = np.concatenate([mesh.edges, mesh.edges[:, ::-1]]).T
    by_mark = np.argsort(-vertex_marks(mesh), kind="stable")
    number = np.argsort(by_mark)  # in this numbering the lower of two vertices has the higher mark
    tail = number[np.concatenate([i, maps.target])]
    head = number[np.concatenate([j, maps.source])]
    length = np.concatenate([mesh.edge_lengths, mesh.edge_lengths, maps.distance])
    sort = np.argsort(tail, kind="stable")
    indptr = np.searchsorted(tail[sort], np.arange(mesh.num_vertices + 1))
    seeds = number[_outermost(mesh, number)]
    unit = QUANTUM * float(length.max(initial=0.0)) or 1.0
    order, cover = _farthest(indptr, head[sort], length[sort], seeds, max(count, len(seeds)), unit)
    return FarthestPoints(by_mark[order], cover)


def _outermost(mesh: TriangleMesh, number: ndarray) -> Int[ndarray, "components"]:
    """Return for each component the vertex farthest from the mean of its vertices, the farthest first."""
    component = mesh.vertex_components
    size = np.maximum(np.bincount(component), 1)
    sums = [np.bincount(component, weights=column) for column in mesh.vertices.T]
    centre = np.stack(sums, axis=-1) / size[:, None]
    far = np.linalg.norm(mesh.vertices - centre[component], axis=1)
    far = quantized(far, float(far.max(initial=0.0)))
    order = np.lexsort((number, -far))
    return typed_array(order[np.sort(np.unique(component[order], return_index=True)[1])])


# Compiled, because each new point starts a Dijkstra search whose steps depend on all earlier ones: heaps, not arrays.
# Both heaps keep stale entries, which are recognized by their distance when they come up (no decrease-key).
@njit(cache=True, nogil=True)
def _farthest(
    indptr: ndarray, head: ndarray, length: ndarray, seeds: ndarray, count: int, unit: float
) -> tuple[ndarray, ndarray]:
    num = len(indptr) - 1
    count = min(count, num)
    distance = np.full(num, np.inf)
    order = np.empty(count, dtype=np.int64)
    cover = np.full(count + 1, np.inf)
    farthest = [(0.0, -1) for _ in range(0)]
    front = [(0.0, -1) for _ in range(0)]
    for k in range(count):
        if k < len(seeds):
            v = seeds[k]
        else:
            _, v = heapq.heappop(farthest)
        order[k] = v
        distance[v] = 0.0
        heapq.heappush(front, (0.0, v))
        while len(front) > 0:
            d, u = heapq.heappop(front)
            if d > distance[u]:
                continue
            if d > 0:
                heapq.heappush(farthest, (-np.round(d / unit), u))
            for e in range(indptr[u], indptr[u + 1]):
                through = d + length[e]
                if through < distance[head[e]]:
                    distance[head[e]] = through
                    heapq.heappush(front, (through, head[e]))
        while len(farthest) > 0 and -farthest[0][0] != np.round(distance[farthest[0][1]] / unit):
            heapq.heappop(farthest)
        if k + 1 >= len(seeds):
            cover[k + 1] = distance[farthest[0][1]] if len(farthest) > 0 else 0.0
    return order, cover

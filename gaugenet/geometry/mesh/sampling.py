"""Farthest-point sampling of the vertices of a mesh: nested subsets, ever coarser, spread evenly over the surface."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from gaugenet._compiled import njit
from gaugenet.geometry.mesh.log_map import LocalLogMaps
from gaugenet.geometry.mesh.mesh import TriangleMesh


@dataclass(frozen=True)
class FarthestPoints:
    """Vertices in farthest-point order: the first n of them are the sample of size n, for every n.

    Attributes:
        order: `(n,)`, vertices.
        cover: `(n + 1,)`, `cover[k]` is the largest distance of any vertex to the first k of them, infinite while a
            component has none; distances are lengths of paths along edges and log maps.
    """

    order: Int[ndarray, "samples"]
    cover: Float[ndarray, "samples_plus_one"]


def farthest_points(mesh: TriangleMesh, maps: LocalLogMaps, count: int) -> FarthestPoints:
    """Vertices that are each farthest from all earlier ones, beginning with the first vertex of each component.

    Deterministic, `O(n log n)`.

    Args:
        mesh: the mesh.
        maps: log maps of all vertices, whose distances are used beside those of the edges.
        count: how many; at least one a component is returned.
    """
    i, j = np.concatenate([mesh.edges, mesh.edges[:, ::-1]]).T
    tail = np.concatenate([i, maps.target])
    head = np.concatenate([j, maps.source])
    length = np.concatenate([mesh.edge_lengths, mesh.edge_lengths, maps.distance])
    sort = np.argsort(tail, kind="stable")
    indptr = np.searchsorted(tail[sort], np.arange(mesh.num_vertices + 1))
    _, seeds = np.unique(mesh.vertex_components, return_index=True)
    order, cover = _farthest(indptr, head[sort], length[sort], np.sort(seeds), max(count, len(seeds)))
    return FarthestPoints(order, cover)


# Compiled, because each new point starts a Dijkstra search whose steps depend on all earlier ones: heaps, no arrays.
# Both heaps keep stale entries, which are recognised by their distance when they come up (no decrease-key).
@njit(cache=True, nogil=True)
def _farthest(indptr: ndarray, head: ndarray, length: ndarray, seeds: ndarray, count: int) -> tuple[ndarray, ndarray]:
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
                heapq.heappush(farthest, (-d, u))
            for e in range(indptr[u], indptr[u + 1]):
                through = d + length[e]
                if through < distance[head[e]]:
                    distance[head[e]] = through
                    heapq.heappush(front, (through, head[e]))
        while len(farthest) > 0 and -farthest[0][0] != distance[farthest[0][1]]:
            heapq.heappop(farthest)
        if k + 1 >= len(seeds):
            cover[k + 1] = -farthest[0][0] if len(farthest) > 0 else 0.0
    return order, cover

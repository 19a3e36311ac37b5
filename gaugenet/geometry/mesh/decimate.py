"""Fewer triangles for the same surface: short edges are collapsed, the other vertices do not move."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from gaugenet._compiled import njit
from gaugenet.geometry.mesh.marks import QUANTUM, vertex_marks
from gaugenet.geometry.mesh.mesh import MeshError, TriangleMesh

_SAME_SIDE = 0.3  # cosine of the largest angle by which a collapse may rotate the normal of a face
_STRAIGHT = 0.5  # cosine of the largest bend of a border at a vertex that may be removed
_THIN = 0.05  # twice the area of a face over its longest edge squared


@dataclass(frozen=True)
class Decimated:
    """A mesh on some vertices of another mesh.

    Attributes:
        mesh: the coarser mesh.
        vertex_map: the vertex of the other mesh for each vertex, increasing.
    """

    mesh: TriangleMesh
    vertex_map: Int[ndarray, "vertices"]


def decimate(mesh: TriangleMesh, count: int) -> Decimated:
    """Return a mesh of about `count` evenly spaced vertices, by successive collapses of the shortest edge.

    One end of an edge moves to the other, so the vertices are a subset of the given ones. Collapses that change the
    topology, flip a face, make it a needle, or cut a corner of the boundary are not done, so the result may have more
    than `count` vertices. Isolated vertices are kept. The result does not depend on the numbering (see `vertex_marks`).
    It takes `O(n log n)`, about 10 microseconds per vertex.

    Args:
        mesh: a mesh that `require_usable` accepts, with faces that agree on an orientation.
        count: number of vertices to reach.

    Raises:
        MeshError: If neighbouring faces disagree on their orientation, more than two faces meet at an edge, or separate
            fans of faces touch at a vertex.
    """
    if mesh.num_vertices <= count:
        return Decimated(mesh, np.arange(mesh.num_vertices))
    by_mark = np.lexsort((np.arange(mesh.num_vertices), vertex_marks(mesh)))
    number = np.argsort(by_mark)
    tail, twin = number[mesh.faces].reshape(-1), _twins(mesh)
    length = mesh.edge_lengths
    unit = QUANTUM * float(length.max(initial=0.0)) or 1.0
    leave = np.full(mesh.num_vertices, -1)
    leave[tail] = np.arange(len(tail))
    if not np.array_equal(_star_sizes(leave, tail, twin), np.bincount(tail, minlength=mesh.num_vertices)):
        raise MeshError("Expected one fan of faces at every vertex, got several that touch: repair the mesh first.")
    border = mesh.boundary_vertices[by_mark]
    alive = _collapse(mesh.vertices[by_mark], tail, twin, leave, border, number[mesh.edges], count, unit)
    faces = by_mark[tail.reshape(-1, 3)[alive]]
    used = np.zeros(mesh.num_vertices, dtype=bool)
    used[faces] = True
    isolated = np.bincount(mesh.faces.reshape(-1), minlength=mesh.num_vertices) == 0
    kept = np.flatnonzero(used | isolated)
    return Decimated(TriangleMesh(mesh.vertices[kept], np.searchsorted(kept, faces)), kept)


def _twins(mesh: TriangleMesh) -> Int[ndarray, "halfedges"]:
    """The halfedge on the other side of each, -1 on the border."""
    if mesh.edge_face_count.max(initial=0) > 2:
        raise MeshError("Expected at most two faces at every edge, got more: repair the mesh first.")
    start = np.cumsum(mesh.edge_face_count) - mesh.edge_face_count
    inner = start[mesh.edge_face_count == 2]
    one, other = mesh.halfedges_by_edge[inner], mesh.halfedges_by_edge[inner + 1]
    if (mesh.halfedges[one, 0] == mesh.halfedges[other, 0]).any():
        raise MeshError("Expected faces that agree on an orientation: a mesh without one cannot be decimated.")
    twin = np.full(3 * mesh.num_faces, -1)
    twin[one], twin[other] = other, one
    return twin


# Compiled, because every collapse changes which edges there are to choose from: a heap, no arrays.
@njit(cache=True, nogil=True)
def _collapse(
    pos: ndarray,
    tail: ndarray,
    twin: ndarray,
    leave: ndarray,
    border: ndarray,
    edges: ndarray,
    count: int,
    unit: float,
) -> ndarray:
    """Collapse edges until `count` vertices are left, and return which faces are.

    Args:
        pos: the vertices.
        tail: the vertex that each halfedge leaves; changed.
        twin: the halfedge on the other side; changed.
        leave: one halfedge that leaves each vertex, -1 where there is none; changed.
        border: which vertices lie on the border.
        edges: pairs of vertices.
        count: vertices to reach.
        unit: of lengths, see `_length`.
    """
    alive = np.ones(len(tail) // 3, dtype=np.bool_)
    left = (leave >= 0).sum()
    heap = [(_length(pos, edges[e, 0], edges[e, 1], unit), edges[e, 0], edges[e, 1]) for e in range(len(edges))]
    heapq.heapify(heap)
    seen, met, stamp = np.full(len(pos), -1), np.full(len(pos), -1), 0
    while left > count and len(heap) > 0:
        _, a, b = heapq.heappop(heap)
        if leave[a] < 0 or leave[b] < 0:
            continue  # one of them was removed
        for u, v in ((max(a, b), min(a, b)), (min(a, b), max(a, b))):
            stamp += 1
            star = _star(u, leave, tail, twin)
            if not _allowed(pos, tail, twin, leave, border, star, u, v, seen, met, stamp):
                continue
            _join(tail, twin, leave, alive, star, u, v)
            left -= 1
            for h in _star(v, leave, tail, twin):
                for w in (tail[_next(h)], tail[_next(_next(h))]):
                    heapq.heappush(heap, (_length(pos, v, w, unit), v, w))
            break
    return alive


@njit(cache=True, nogil=True)
def _star_sizes(leave: ndarray, tail: ndarray, twin: ndarray) -> ndarray:
    """How many faces are met on a walk around each vertex."""
    size = np.zeros(len(leave), dtype=np.int64)
    for v in range(len(leave)):
        if leave[v] >= 0:
            size[v] = len(_star(v, leave, tail, twin))
    return size


@njit(cache=True, nogil=True)
def _next(h: int) -> int:
    return h // 3 * 3 + (h + 1) % 3


@njit(cache=True, nogil=True)
def _length(pos: ndarray, a: int, b: int, unit: float) -> float:
    """Rounded, so that equal edges are equal however the mesh lies in space."""
    x, y, z = pos[a, 0] - pos[b, 0], pos[a, 1] - pos[b, 1], pos[a, 2] - pos[b, 2]
    return float(np.round(np.sqrt(x * x + y * y + z * z) / unit))


@njit(cache=True, nogil=True)
def _star(v: int, leave: ndarray, tail: ndarray, twin: ndarray) -> list[int]:
    """The halfedges that leave a vertex, one in each of its faces."""
    start = leave[v]
    found = [start]
    h = twin[_next(_next(start))]
    while h >= 0 and h != start:
        found.append(h)
        h = twin[_next(_next(h))]
    if h < 0:
        h = twin[start]
        while h >= 0:
            h = _next(h)
            found.append(h)
            h = twin[h]
    return found


@njit(cache=True, nogil=True)
def _allowed(
    pos: ndarray,
    tail: ndarray,
    twin: ndarray,
    leave: ndarray,
    border: ndarray,
    star: list[int],
    u: int,
    v: int,
    seen: ndarray,
    met: ndarray,
    stamp: int,
) -> bool:
    """Whether `u` may move onto `v`; `seen` and `met` are marks of vertices, for this call those equal to `stamp`."""
    for h in _star(v, leave, tail, twin):
        seen[tail[_next(h)]] = stamp
        seen[tail[_next(_next(h))]] = stamp
    if seen[u] != stamp:
        return False  # no longer an edge
    shared, faces = 0, 0
    for h in star:
        for w in (tail[_next(h)], tail[_next(_next(h))]):
            if met[w] != stamp:
                met[w] = stamp
                shared += seen[w] == stamp
        i, j = tail[_next(h)], tail[_next(_next(h))]
        if i == v or j == v:
            faces += 1
            w = j if i == v else i
            around = _star(w, leave, tail, twin)
            if len(around) <= (1 if border[w] else 3):
                return False
        elif not _keeps_side(pos, u, v, i, j):
            return False
    if shared != faces or faces == 0:
        return False
    return not border[u] or (faces == 1 and border[v] and _is_straight(pos, tail, twin, star, u, v))


@njit(cache=True, nogil=True)
def _keeps_side(pos: ndarray, u: int, v: int, i: int, j: int) -> bool:
    """Whether the face `(u, i, j)` stays a proper face on the same side when `u` moves to `v`."""
    old, new = _cross(pos, u, i, j), _cross(pos, v, i, j)
    longest = max(_squared(pos, v, i), _squared(pos, v, j), _squared(pos, i, j))
    size = np.sqrt(new[0] ** 2 + new[1] ** 2 + new[2] ** 2)
    before = np.sqrt(old[0] ** 2 + old[1] ** 2 + old[2] ** 2)
    cosine = old[0] * new[0] + old[1] * new[1] + old[2] * new[2]
    return bool(size > _THIN * longest and cosine > _SAME_SIDE * size * before)


@njit(cache=True, nogil=True)
def _cross(pos: ndarray, a: int, b: int, c: int) -> tuple[float, float, float]:
    """The normal of a face, twice its area long."""
    x, y, z = pos[b, 0] - pos[a, 0], pos[b, 1] - pos[a, 1], pos[b, 2] - pos[a, 2]
    r, s, t = pos[c, 0] - pos[a, 0], pos[c, 1] - pos[a, 1], pos[c, 2] - pos[a, 2]
    return y * t - z * s, z * r - x * t, x * s - y * r


@njit(cache=True, nogil=True)
def _squared(pos: ndarray, a: int, b: int) -> float:
    x, y, z = pos[a, 0] - pos[b, 0], pos[a, 1] - pos[b, 1], pos[a, 2] - pos[b, 2]
    return float(x * x + y * y + z * z)


@njit(cache=True, nogil=True)
def _is_straight(pos: ndarray, tail: ndarray, twin: ndarray, star: list[int], u: int, v: int) -> bool:
    """Whether the border runs on straight enough from the other neighbour of `u` over `u` to `v`."""
    ahead = pos[v] - pos[u]
    for h in star:
        back = _next(_next(h))
        for w, side in ((tail[_next(h)], twin[h]), (tail[back], twin[back])):
            if side < 0 and w != v:
                behind = pos[u] - pos[w]
                size = np.sqrt((ahead * ahead).sum() * (behind * behind).sum())
                return bool((ahead * behind).sum() > _STRAIGHT * size)
    return False


@njit(cache=True, nogil=True)
def _join(tail: ndarray, twin: ndarray, leave: ndarray, alive: ndarray, star: list[int], u: int, v: int) -> None:
    """Remove the faces at the edge of `u` and `v`, glue what is left of them, and let `v` take the place of `u`."""
    for h in star:
        i, j = tail[_next(h)], tail[_next(_next(h))]
        if i != v and j != v:
            continue
        alive[h // 3] = False
        w = j if i == v else i
        outer = (_next(h), _next(_next(h))) if i == v else (h, _next(h))  # the two sides that are not the edge
        one, other = twin[outer[0]], twin[outer[1]]
        if one >= 0:
            twin[one] = other
        if other >= 0:
            twin[other] = one
        for t in (one, other):
            if t >= 0:
                for end in (t, _next(t)):
                    if tail[end] == w:
                        leave[w] = end
                    else:
                        leave[v] = end
    for h in star:
        tail[h] = v
    leave[u] = -1


__all__ = ["Decimated", "decimate"]

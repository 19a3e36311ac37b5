"""More triangles for the same surface: long edges are halved, vertices do not move."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from gaugenet.geometry.mesh.mesh import TriangleMesh

_MOST_PASSES = 20


@dataclass(frozen=True)
class Refined:
    """A mesh with more triangles. The vertices of the other mesh come first, in their order.

    Attributes:
        mesh: the finer mesh, the same polyhedron.
        vertex_map: for each vertex the same vertex of the other mesh, or an end of its edge.
        face_map: for each face the face of the other mesh that contains it.
    """

    mesh: TriangleMesh
    vertex_map: Int[ndarray, "vertices"]
    face_map: Int[ndarray, "faces"]


def refine(mesh: TriangleMesh, longest: float) -> Refined:
    """Return the mesh after halving edges until none is longer than `longest`.

    A face is cut into two, three or four, so that neighbours keep sharing whole edges.

    Args:
        mesh: any mesh.
        longest: a length in the units of the mesh.

    Raises:
        ValueError: If `longest` is not positive.
    """
    if not longest > 0:
        raise ValueError(f"Expected a positive length `longest`, got {longest}.")
    vertex_map, face_map = np.arange(mesh.num_vertices), np.arange(mesh.num_faces)
    for _ in range(_MOST_PASSES):
        long = mesh.edge_lengths > longest
        if not long.any():
            break
        ends = mesh.edges[long]
        middle = np.full(len(mesh.edges), -1)
        middle[long] = mesh.num_vertices + np.arange(len(ends))
        vertices = np.concatenate([mesh.vertices, mesh.vertices[ends].mean(axis=1)])
        faces, parent = _cut(vertices, mesh.faces, middle[mesh.halfedge_to_edge].reshape(-1, 3))
        vertex_map, face_map = np.concatenate([vertex_map, vertex_map[ends[:, 0]]]), face_map[parent]
        mesh = TriangleMesh(vertices, faces)
    return Refined(mesh, vertex_map, face_map)


def even_spacing(cell: float) -> float:
    """Return the edge length of the even triangulation of a plane in which each vertex has the area `cell`."""
    return float(np.sqrt(2 / np.sqrt(3) * cell))


def subdivide(mesh: TriangleMesh) -> TriangleMesh:
    """Return the mesh whose triangles are each cut into four, at the middle of the edges: the same polyhedron.

    The middles of `mesh.edges` follow the vertices. The four parts of a face have the same order in each quarter of the
    faces, the one in the middle last.
    """
    a, b, c = mesh.faces.T
    ab, bc, ca = mesh.halfedge_to_edge.reshape(-1, 3).T + mesh.num_vertices
    parts = [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
    vertices = np.concatenate([mesh.vertices, mesh.vertices[mesh.edges].mean(axis=1)])
    return TriangleMesh(vertices, np.concatenate([np.stack(part, axis=1) for part in parts]))


def _cut(
    vertices: ndarray, faces: Int[ndarray, "faces 3"], middle: Int[ndarray, "faces 3"]
) -> tuple[Int[ndarray, "new 3"], Int[ndarray, "new"]]:
    """Cut faces at the middles of their sides (-1: a side that stays whole); the new faces, and where they lie."""
    halved = middle >= 0
    count = halved.sum(axis=1)
    # the corner from which the patterns below count: before the one halved side, or after the one whole side
    first = np.where(count == 1, halved.argmax(axis=1), (~halved).argmax(axis=1) + 1)
    turn = (first[:, None] + np.arange(3)) % 3
    corner, mid = np.take_along_axis(faces, turn, 1), np.take_along_axis(middle, turn, 1)
    (a, b, c), (ab, bc, ca) = corner.T, mid.T
    both = np.flatnonzero(count == 2)
    gap = np.linalg.norm(vertices[ab[both]] - vertices[c[both]], axis=1)
    flip = gap > np.linalg.norm(vertices[a[both]] - vertices[bc[both]], axis=1)
    shorter, longer = both[~flip], both[flip]
    patterns = (
        (np.flatnonzero(count == 0), [(a, b, c)]),
        (np.flatnonzero(count == 1), [(a, ab, c), (ab, b, c)]),
        (shorter, [(ab, b, bc), (a, ab, c), (ab, bc, c)]),
        (longer, [(ab, b, bc), (a, ab, bc), (a, bc, c)]),
        (np.flatnonzero(count == 3), [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]),
    )
    new = [np.stack(columns, axis=1)[rows] for rows, triples in patterns for columns in triples]
    parent = [rows for rows, triples in patterns for _ in triples]
    order = np.argsort(np.concatenate(parent), kind="stable")
    return np.concatenate(new)[order], np.concatenate(parent)[order]


__all__ = ["Refined", "refine"]

"""The shape operator of a polyhedron as a measure on its edges: the same for every triangulation of its faces."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from gaugenet._typing import typed_array
from gaugenet.geometry.mesh.mesh import TriangleMesh


def shape_measure(mesh: TriangleMesh, side: Float[ndarray, "faces 3"]) -> Float[ndarray, "vertices 3 3"]:
    r"""Return the integral of the shape operator at each vertex, symmetric 3D tensors; positive on a sphere.

    An edge of length `l` and signed dihedral angle `beta` contributes `l beta t t^T`, half of it to each end. Here `t`
    is the direction across the edge in the mean plane of its two faces :cite:`cohensteiner2003restricted`. Cutting a
    flat face adds nothing. Edges of the boundary, or of more than two faces, contribute nothing. Unit: length.

    Args:
        mesh: a mesh of any kind.
        side: 1 or -1 at each corner of a face, the relative sign of vertex and face normal, see `frame_sides`.
    """
    start = np.cumsum(mesh.edge_face_count) - mesh.edge_face_count
    inner = np.flatnonzero(mesh.edge_face_count == 2)
    one, other = mesh.halfedges_by_edge[start[inner]], mesh.halfedges_by_edge[start[inner] + 1]
    ends = mesh.halfedges[one]
    agree = np.where(mesh.halfedges[other, 0] == ends[:, 1], 1.0, -1.0)
    n, m = mesh.face_normals[one // 3], agree[:, None] * mesh.face_normals[other // 3]
    along = mesh.vertices[ends[:, 1]] - mesh.vertices[ends[:, 0]]
    across = _unit(np.cross(along, n + m))
    turn = np.cross(n, m)
    angle = np.arctan2((_unit(along) * turn).sum(-1), (n * m).sum(-1))
    size = 0.5 * angle * np.linalg.norm(along, axis=1)
    out = np.zeros((mesh.num_vertices, 3, 3))
    same = np.where(agree > 0, _next(other), other)  # the corner of the other face at the start of the edge
    opposite = np.where(agree > 0, other, _next(other))
    for halfedge, twin in ((one, same), (_next(one), opposite)):
        # both faces have a say, so that the order of the faces has none
        signed = size * 0.5 * (side.reshape(-1)[halfedge] + agree * side.reshape(-1)[twin])
        np.add.at(out, mesh.faces.reshape(-1)[halfedge], signed[:, None, None] * across[:, :, None] * across[:, None])
    return typed_array(out)


def _next(halfedge: Int[ndarray, "n"]) -> Int[ndarray, "n"]:
    """Return the next halfedge of the same face, which starts where this one ends."""
    return typed_array(halfedge // 3 * 3 + (halfedge + 1) % 3)


def _unit(x: Float[ndarray, "n 3"]) -> Float[ndarray, "n 3"]:
    length = np.linalg.norm(x, axis=1, keepdims=True)
    return typed_array(np.divide(x, length, out=np.zeros_like(x), where=length > 0))


__all__ = ["shape_measure"]

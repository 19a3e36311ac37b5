"""Differential operators of a triangle mesh, as sparse matrices: Laplacian, gradient, shape operator."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from gaugenet._typing import typed_array
from gaugenet.geometry.mesh.mesh import TriangleMesh


def cotan_laplacian(mesh: TriangleMesh, *, side: Float[ndarray, "faces 3"] | None = None) -> Any:
    r"""The stiffness matrix `L_ij = int <grad phi_i, grad phi_j>` of the hat functions, positive semi-definite.

    Off the diagonal it is `-(cot alpha + cot beta) / 2` for the two angles opposite to an edge (Pinkall & Polthier
    1993). Faces without area contribute nothing; non-manifold edges, boundaries and several parts need no special case.

    Args:
        mesh: a mesh of any kind.
        side: 1 or -1 at each corner of a face: values at two corners of different sides have opposite signs (see
            `frame_sides`). By default all signs agree.

    Returns:
        a `scipy.sparse.csr_array` of shape `(V, V)`, in no unit of length.
    """
    from scipy.sparse import coo_array, diags_array

    corners = mesh.vertices[mesh.faces]
    ahead = np.roll(corners, -1, axis=1) - corners
    behind = np.roll(corners, 1, axis=1) - corners
    sine = 2 * mesh.face_areas[:, None]
    safe = sine > 1e-12 * np.square(ahead).sum(-1)
    cotan = np.divide((ahead * behind).sum(-1), sine, out=np.zeros_like(ahead[..., 0]), where=safe)
    i, j = np.roll(mesh.faces, -1, axis=1).reshape(-1), np.roll(mesh.faces, 1, axis=1).reshape(-1)
    half = 0.5 * cotan.reshape(-1)
    diagonal = sum(np.bincount(k, weights=half, minlength=mesh.num_vertices) for k in (i, j))
    if side is not None:
        half = half * (np.roll(side, -1, axis=1) * np.roll(side, 1, axis=1)).reshape(-1)
    weight = coo_array((half, (i, j)), shape=(mesh.num_vertices,) * 2).tocsr()
    return (diags_array(diagonal) - weight - weight.T).tocsr()


def hat_gradients(mesh: TriangleMesh) -> Float[ndarray, "faces 3 3"]:
    """Gradient in each face (ambient, last axis) of the hat function of each corner; zero without area."""
    corners = mesh.vertices[mesh.faces]
    opposite = np.roll(corners, 1, axis=1) - np.roll(corners, -1, axis=1)
    twice_area = 2 * mesh.face_areas[:, None, None]
    rotated = np.cross(mesh.face_normals[:, None], opposite)
    return typed_array(np.divide(rotated, twice_area, out=np.zeros_like(rotated), where=twice_area > 0))


def _vertex_average(mesh: TriangleMesh) -> Any:
    """`(V, F)` sparse: area-weighted mean over the faces around each vertex; zero rows where there is no area."""
    from scipy.sparse import coo_array

    share = np.repeat(mesh.face_areas, 3)
    corner = mesh.faces.reshape(-1)
    total = np.bincount(corner, weights=share, minlength=mesh.num_vertices)[corner]
    value = np.divide(share, total, out=np.zeros_like(share), where=total > 0)
    column = np.repeat(np.arange(mesh.num_faces), 3)
    return coo_array((value, (corner, column)), shape=(mesh.num_vertices, mesh.num_faces)).tocsr()


def vertex_gradient(mesh: TriangleMesh, values: Float[ndarray, "vertices channels"]) -> ndarray:
    """`(V, C, 3)` gradient of piecewise linear functions: ambient vectors, the mean over the faces around a vertex.

    Exact for linear functions on a plane; error of first order in the edge length on a curved surface. Project with
    the frame of a vertex to get tangent coefficients. Unit: that of the values over length.
    """
    from scipy.sparse import coo_array

    gradients, average = hat_gradients(mesh), _vertex_average(mesh)
    row, column = np.repeat(np.arange(mesh.num_faces), 3), mesh.faces.reshape(-1)
    parts = []
    for axis in range(3):
        entries = gradients[..., axis].reshape(-1)
        derivative = coo_array((entries, (row, column)), shape=(mesh.num_faces, mesh.num_vertices)).tocsr()
        parts.append(average @ (derivative @ values))
    return np.stack(parts, axis=-1)


def shape_operator(mesh: TriangleMesh, frame: Float[ndarray, "vertices 3 2"]) -> Float[ndarray, "vertices 2 2"]:
    """Derivative of the unit normal in tangent coefficients, symmetric: +1/R on a sphere seen from outside.

    The normal is that of the frame, first vector x second vector. No orientation of the faces is used, so that it
    exists on non-orientable surfaces; where a frame is flipped, the operator changes its sign. Vertex normals are
    interpolated linearly over each face and differentiated there (Rusinkiewicz 2004), then averaged by area.
    """
    normal, side = np.cross(frame[..., 0], frame[..., 1]), frame_sides(mesh, frame)
    towards_face = side[..., None] * normal[mesh.faces]
    per_face = np.einsum("fkn,fkd->fnd", towards_face, hat_gradients(mesh))
    average = _vertex_average(mesh)
    signed = average.copy()
    signed.data = signed.data * _entries(average, mesh, side)
    ambient = (signed @ per_face.reshape(mesh.num_faces, 9)).reshape(-1, 3, 3)
    operator = np.einsum("vna,vnd,vdb->vab", frame, ambient, frame)
    return typed_array(0.5 * (operator + operator.swapaxes(-1, -2)))


def frame_sides(mesh: TriangleMesh, frame: Float[ndarray, "vertices 3 2"]) -> Float[ndarray, "faces 3"]:
    """1 where the normal of the frame at a corner is on the side of the normal of the face, and -1 elsewhere."""
    normal = np.cross(frame[..., 0], frame[..., 1])
    dot = (normal[mesh.faces] * mesh.face_normals[:, None]).sum(-1)
    return typed_array(np.where(dot < 0, -1.0, 1.0))


def _entries(average: Any, mesh: TriangleMesh, per_corner: Float[ndarray, "faces 3"]) -> Float[ndarray, "entries"]:
    """The corner values in the order of the stored entries of the vertex-face matrix."""
    vertex = np.repeat(np.arange(mesh.num_vertices), np.diff(average.indptr))
    corner = (mesh.faces[average.indices] == vertex[:, None]).argmax(axis=1)
    return typed_array(per_corner[average.indices, corner])


def angle_defects(mesh: TriangleMesh) -> Float[ndarray, "vertices"]:
    """2 pi minus the angles around each inner vertex: its integrated Gaussian curvature; zero on the boundary."""
    total = np.bincount(mesh.faces.reshape(-1), weights=mesh.corner_angles.reshape(-1), minlength=mesh.num_vertices)
    return np.where(mesh.boundary_vertices | (total == 0), 0.0, 2 * np.pi - total)

"""Differential operators of a triangle mesh, as sparse matrices: Laplacian, gradient, shape operator."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from gaugenet._typing import typed_array
from gaugenet.geometry.mesh.mesh import TriangleMesh


def cotan_laplacian(mesh: TriangleMesh, *, side: Float[ndarray, "faces 3"] | None = None) -> Any:
    r"""Return the stiffness matrix `L_ij = int <grad phi_i, grad phi_j>` of the hat functions, positive semi-definite.

    Off the diagonal it is `-(cot alpha + cot beta) / 2` for the two angles opposite to an edge
    :cite:`pinkall1993computing`. Faces without area contribute nothing. Non-manifold edges, boundaries and several
    components are allowed.

    Args:
        mesh: a mesh of any kind.
        side: 1 or -1 at each corner of a face: values at two corners of different sides have opposite signs (see
            `frame_sides`). By default all signs are equal.

    Returns:
        A dimensionless `scipy.sparse.csr_array` of shape `(V, V)`.
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
    """Return the 3D gradient (last axis) in each face of the hat function of each corner; zero without area."""
    corners = mesh.vertices[mesh.faces]
    opposite = np.roll(corners, 1, axis=1) - np.roll(corners, -1, axis=1)
    twice_area = 2 * mesh.face_areas[:, None, None]
    rotated = np.cross(mesh.face_normals[:, None], opposite)
    return typed_array(np.divide(rotated, twice_area, out=np.zeros_like(rotated), where=twice_area > 0))


def _vertex_average(mesh: TriangleMesh) -> Any:
    """Return the sparse matrix `(V, F)` of area-weighted means over the faces around each vertex; zero without area."""
    from scipy.sparse import coo_array

    share = np.repeat(mesh.face_areas, 3)
    corner = mesh.faces.reshape(-1)
    total = np.bincount(corner, weights=share, minlength=mesh.num_vertices)[corner]
    value = np.divide(share, total, out=np.zeros_like(share), where=total > 0)
    column = np.repeat(np.arange(mesh.num_faces), 3)
    return coo_array((value, (corner, column)), shape=(mesh.num_vertices, mesh.num_faces)).tocsr()


def vertex_gradient(mesh: TriangleMesh, values: Float[ndarray, "vertices channels"]) -> ndarray:
    """Return the 3D gradients `(V, C, 3)` of piecewise linear functions, averaged over the faces around each vertex.

    The result is exact for linear functions on a plane; on a curved surface the error is of first order in the edge
    length. Tangent coefficients are projections to the frame of a vertex. Unit: unit of the values over length.
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
    """Return the symmetric derivative of the unit normal in tangent coefficients: +1/R on a sphere, normals outward.

    The normal is the one of the frame, first vector x second vector. The orientation of the faces is not used, so the
    operator exists on non-orientable surfaces; it changes sign if a frame is flipped. Vertex normals are interpolated
    linearly and differentiated in each face :cite:`rusinkiewicz2004estimating`, then averaged by area.
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
    """Return 1 where the normals of frame and face are on the same side at a corner, else -1."""
    normal = np.cross(frame[..., 0], frame[..., 1])
    dot = (normal[mesh.faces] * mesh.face_normals[:, None]).sum(-1)
    return typed_array(np.where(dot < 0, -1.0, 1.0))


def _entries(average: Any, mesh: TriangleMesh, per_corner: Float[ndarray, "faces 3"]) -> Float[ndarray, "entries"]:
    """Return the corner values in the order of the stored entries of the vertex-face matrix."""
    vertex = np.repeat(np.arange(mesh.num_vertices), np.diff(average.indptr))
    corner = (mesh.faces[average.indices] == vertex[:, None]).argmax(axis=1)
    return typed_array(per_corner[average.indices, corner])


def angle_defects(mesh: TriangleMesh) -> Float[ndarray, "vertices"]:
    """Return 2 pi minus the angles around each inner vertex, the integrated Gaussian curvature; 0 on the boundary."""
    total = np.bincount(mesh.faces.reshape(-1), weights=mesh.corner_angles.reshape(-1), minlength=mesh.num_vertices)
    return np.where(mesh.boundary_vertices | (total == 0), 0.0, 2 * np.pi - total)

"""Frame fields on meshes: at every vertex the pair of tangent vectors that coefficients refer to."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from gaugenet._typing import typed_array
from gaugenet.geometry.mesh.halfedge import HalfedgeSurface
from gaugenet.geometry.mesh.mesh import TriangleMesh
from gaugenet.geometry.mesh.transport import PlanarFrames

FRAMES = ("first_edge", "random", "principal")


def surface_normals(mesh: TriangleMesh, surface: HalfedgeSurface) -> Float[ndarray, "vertices 3"]:
    """Return angle-weighted unit normals by each vertex's own local orientation (see `HalfedgeSurface`)."""
    if not surface.is_cover:
        return mesh.vertex_normals
    num = 3 * mesh.num_faces
    here = surface.origin < surface.num_base
    angle = np.arctan2(surface.shape[here, 1], surface.shape[here, 0])
    halfedge = np.flatnonzero(here)
    weighted = np.where(halfedge < num, angle, -angle)[:, None] * mesh.face_normals[halfedge // 3 % mesh.num_faces]
    normals = _sum_at(surface.origin[here], weighted, surface.num_base)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), np.finfo(float).tiny)
    normals[np.linalg.norm(normals, axis=1) < 0.5] = (0.0, 0.0, 1.0)
    return normals


def reference_frames(mesh: TriangleMesh, surface: HalfedgeSurface) -> Float[ndarray, "vertices 3 2"]:
    """Return the tangent vectors in space of the polar angles 0 and pi / 2 at each vertex.

    A polyhedron has no tangent plane at a vertex, so the plane orthogonal to the vertex normal is used. Polar angles
    are placed in it by the rotation that brings the directions of all edges around the vertex closest to their
    projections. So the result does not depend on a single edge.
    """
    normals = surface_normals(mesh, surface)
    num, half = surface.num_base, len(surface.origin)
    halfedge = np.arange(half)
    head = surface.origin[halfedge // 3 * 3 + (halfedge + 1) % 3]
    ends = np.flatnonzero(surface.twin < 0)
    at = np.concatenate([surface.origin, head[ends]])
    to = np.concatenate([head, surface.origin[ends]])
    angle = np.concatenate([surface.shape[:, 3], surface.total_angle[head[ends]]])
    keep = at < num
    at, to = at[keep], to[keep] % max(num, 1)
    polar = surface.scale[at] * (angle[keep] - surface.reference[at])
    along = mesh.vertices[to] - mesh.vertices[at]
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    n = normals[at]
    across = np.cross(n, along)
    projected = along - (n * along).sum(1, keepdims=True) * n
    rotated_back = np.cos(polar)[:, None] * projected - np.sin(polar)[:, None] * across
    first = _sum_at(at, rotated_back, num)
    return _complete(first, normals)


def frame_field(
    mesh: TriangleMesh, surface: HalfedgeSurface, frames: Any, *, seed: int | None = None, reflections: bool = False
) -> Float[ndarray, "vertices 3 2"]:
    """Return frames by name, or a checked copy of the user's frames.

    Args:
        mesh: the mesh.
        surface: its intrinsic geometry.
        frames: `"first_edge"`: the reference frames, whose first axis is the first edge at each vertex;
            `"random"`: these rotated by uniform random angles; `"principal"`: principal curvature directions, the
            direction of the larger curvature first; or an array `(V, 3, 2)` with orthonormal tangent vectors as
            columns. Principal directions are only frames: their signs are arbitrary and they rotate abruptly where both
            curvatures agree, so they do not reduce the structure group.
        seed: seed of the random angles.
        reflections: whether an array may hold frames of either orientation.

    Raises:
        ValueError: If the name is unknown, or the array has the wrong shape, is not finite, not orthonormal, not
            tangent (more than 45 degrees from the plane orthogonal to the vertex normal) or, unless `reflections`,
            clockwise about the normal.
    """
    if isinstance(frames, str):
        if frames not in FRAMES:
            raise ValueError(f"Expected `frames` to be one of {FRAMES} or an array (V, 3, 2), got {frames!r}.")
        reference = reference_frames(mesh, surface)
        if frames == "first_edge":
            return reference
        if frames == "random":
            angle = np.random.default_rng(seed).uniform(0, 2 * np.pi, mesh.num_vertices)
        else:
            angle = _principal_angle(mesh, surface, reference)
        return typed_array(reference @ rotations(angle))
    return _checked_frames(frames, mesh, surface, reflections)


def relative_to(frames: Float[ndarray, "vertices 3 2"], reference: Float[ndarray, "vertices 3 2"]) -> PlanarFrames:
    """Return frames by polar angle: the rotations or reflections closest to `reference.T @ frames`."""
    m = np.einsum("vdi,vdj->vij", reference, frames)
    sign = np.where(np.linalg.det(m) < 0, -1.0, 1.0)
    angle = np.arctan2(m[:, 1, 0] - sign * m[:, 0, 1], m[:, 0, 0] + sign * m[:, 1, 1])
    return PlanarFrames(angle, sign)


def rotations(angle: Float[ndarray, "n"]) -> Float[ndarray, "n 2 2"]:
    """Return counter-clockwise planar rotations."""
    c, s = np.cos(angle), np.sin(angle)
    return np.stack([np.stack([c, -s], -1), np.stack([s, c], -1)], -2)


def _principal_angle(mesh: TriangleMesh, surface: HalfedgeSurface, reference: ndarray) -> Float[ndarray, "vertices"]:
    """Return the direction of larger curvature as an angle, from a least-squares fit to the normals along edges."""
    normals = surface_normals(mesh, surface)
    i, j = np.concatenate([mesh.edges, mesh.edges[:, ::-1]]).T
    flip = np.sign((normals[i] * normals[j]).sum(1))[:, None] if surface.is_cover else 1.0
    x, y = np.einsum("edi,ed->ie", reference[i], mesh.vertices[j] - mesh.vertices[i])
    u, v = np.einsum("edi,ed->ie", reference[i], flip * normals[j] - normals[i])
    columns = np.stack([x * x, x * y, y * y, x * u, y * u + x * v, y * v], axis=-1)
    xx, xy, yy, xu, cross, yv = _sum_at(i, columns, mesh.num_vertices).T
    zero = np.zeros_like(xx)
    normal_matrix = np.stack([xx, xy, zero, xy, xx + yy, xy, zero, xy, yy], axis=-1).reshape(-1, 3, 3)
    ridge = 1e-9 * np.trace(normal_matrix, axis1=1, axis2=2) + np.finfo(float).tiny
    normal_matrix += ridge[:, None, None] * np.eye(3)
    a, b, c = np.linalg.solve(normal_matrix, np.stack([xu, cross, yv], -1)[..., None])[..., 0].T
    axis = 0.5 * np.arctan2(2 * b, a - c)
    return typed_array(np.where(np.abs(a + c) > 0, axis + np.where(a + c < 0, np.pi / 2, 0), axis))


def _checked_frames(frames: Any, mesh: TriangleMesh, surface: HalfedgeSurface, reflections: bool) -> ndarray:
    if hasattr(frames, "detach"):
        frames = frames.detach().cpu().numpy()
    frames = np.array(frames, dtype=np.float64)
    if frames.shape != (mesh.num_vertices, 3, 2):
        raise ValueError(
            f"Expected `frames` of shape ({mesh.num_vertices}, 3, 2), columns tangent, got {frames.shape}."
        )
    if not np.isfinite(frames).all():
        raise ValueError("Expected finite `frames`, got NaN or infinite entries.")
    gram = np.einsum("vdi,vdj->vij", frames, frames)
    _refuse(np.abs(gram - np.eye(2)).max((1, 2)) > 1e-4, "orthonormal columns", "orthonormalise them")
    upright = (np.cross(frames[:, :, 0], frames[:, :, 1]) * surface_normals(mesh, surface)).sum(1)
    if reflections:
        upright = np.abs(upright)
    _refuse(np.abs(upright) < np.sqrt(0.5), "columns tangent to the surface", "project them onto the tangent planes")
    _refuse(upright < 0, "frames counter-clockwise about the outward normal", "swap their columns, or use O(2)")
    return typed_array(frames)


def _refuse(wrong: ndarray, expected: str, remedy: str) -> None:
    if wrong.any():
        raise ValueError(
            f"Expected `frames` with {expected}; {int(wrong.sum())} are not, the first at vertex "
            f"{int(np.flatnonzero(wrong)[0])}: {remedy}."
        )


def _complete(first: ndarray, normals: ndarray) -> ndarray:
    """Return orthonormal frames from a first axis (any, where it vanishes) and the normals."""
    first = first - (first * normals).sum(1, keepdims=True) * normals
    lost = np.linalg.norm(first, axis=1) < 1e-6
    if lost.any():
        n = normals[lost]
        axis = np.eye(3)[np.abs(n).argmin(axis=1)]
        first[lost] = axis - (axis * n).sum(1, keepdims=True) * n
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    return np.stack([first, np.cross(normals, first)], axis=-1)


def _sum_at(index: ndarray, values: ndarray, size: int) -> ndarray:
    return np.stack([np.bincount(index, weights=column, minlength=size) for column in values.T], axis=-1)

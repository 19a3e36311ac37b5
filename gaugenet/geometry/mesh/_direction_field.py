"""Smooth N-direction fields: vectors u of complex numbers, u_i the N-th power of a direction at vertex i."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Complex, Float, Int
from numpy import ndarray

from gaugenet._typing import typed_array
from gaugenet.geometry.mesh.halfedge import HalfedgeSurface
from gaugenet.geometry.mesh.mesh import MeshError, TriangleMesh

_DENSE = 32  # below, a dense eigenproblem
_LEAST_WEIGHT = 1e-3  # cotangent weights of obtuse pairs are negative, but the energy must not be negative


@dataclass(frozen=True)
class EdgeTransport:
    """Parallel transport along the edges of an oriented mesh, in polar angles (see `HalfedgeSurface`)."""

    mesh: TriangleMesh
    surface: HalfedgeSurface

    @property
    def tail(self) -> Int[ndarray, "halfedges"]:
        return self.mesh.halfedges[:, 0]

    @property
    def head(self) -> Int[ndarray, "halfedges"]:
        return self.mesh.halfedges[:, 1]

    @cached_property
    def leave(self) -> Float[ndarray, "halfedges"]:
        """Return the polar angle, at its tail, of the direction of each halfedge."""
        return typed_array(self.surface.scale[self.tail] * self.surface.shape[:, 3])

    @cached_property
    def transport_angle(self) -> Float[ndarray, "halfedges"]:
        """Return the rotation to the head: a vector at the tail at polar angle `a` arrives at `a + transport_angle`."""
        following = np.arange(len(self.tail)).reshape(-1, 3)[:, [1, 2, 0]].reshape(-1)
        back = self.leave[following] + self.corner[following]
        return typed_array(back + np.pi - self.leave)

    @property
    def corner(self) -> Float[ndarray, "halfedges"]:
        """Return interior angles at the tails, in polar angles: at an inner vertex they sum to 2 pi."""
        return typed_array(self.surface.scale[self.tail] * self.mesh.corner_angles.reshape(-1))

    @property
    def face_curvature(self) -> Float[ndarray, "faces"]:
        """Return the rotation of a vector counter-clockwise around each face: all curvature is in the faces."""
        return typed_array(self.corner.reshape(-1, 3).sum(1) - np.pi)

    @cached_property
    def edge(self) -> Int[ndarray, "edges"]:
        """Return one halfedge of each edge."""
        twin = self.surface.twin
        return np.flatnonzero((twin < 0) | (np.arange(len(twin)) < twin))

    def rotation(self, angle: Float[ndarray, "vertices"], n: int) -> Float[ndarray, "halfedges"]:
        """Return n times the rotation of an n-direction field relative to parallel transport along each halfedge.

        The field is given by polar angles `angle`; the result lies in [-pi, pi] and is exactly opposite along the
        opposite halfedge.
        """
        h, twin = self.edge, self.surface.twin[self.edge]
        rotation = np.zeros(len(self.tail))
        rotation[h] = np.angle(np.exp(1j * n * (angle[self.head[h]] - angle[self.tail[h]] - self.transport_angle[h])))
        rotation[twin[twin >= 0]] = -rotation[h[twin >= 0]]
        return rotation

    def face_index(self, angle: Float[ndarray, "vertices"], n: int) -> Int[ndarray, "faces"]:
        """Return the indices of the faces times n: how often the n-th power of the field winds around each face.

        The index is relative to the trivial connection there (:cite:`knoppel2013globally`, Sec. 6.1.3).
        """
        around = self.rotation(angle, n).reshape(-1, 3).sum(1)
        return typed_array(np.rint((around + n * self.face_curvature) / (2 * np.pi)).astype(np.int64))


def smoothest_direction_field(transport: EdgeTransport, n: int) -> Complex[ndarray, "vertices"]:
    """Return on every component the field u of least Dirichlet energy for its L2 norm.

    It is an eigenvector of the connection Laplacian with transport r^n along edges (:cite:`knoppel2013globally`,
    Sec. 3; here with cotangent weights).

    All multiples of it are equally smooth: u is made positive at the first vertex where it is not small.
    """
    laplacian, area = connection_laplacian(transport, n), transport.mesh.vertex_areas
    u = np.ones(len(area), dtype=complex)
    for rows in _components(transport.mesh):
        part = _lowest_eigenvector(laplacian[rows][:, rows], area[rows])
        first = part[np.argmax(np.abs(part) >= 0.5 * np.abs(part).max())]
        u[rows] = part * (np.conj(first) / np.abs(first))
    return u


def aligned_direction_field(transport: EdgeTransport, n: int) -> Complex[ndarray, "vertices"]:
    """Return the smooth field nearest to the principal curvature directions: (A + c) u = q^(n/2).

    Here q is the part of the shape operator without trace, as the second power of a direction, and sqrt(1/c) the radius
    of the sphere with the area of the component (:cite:`knoppel2013globally`, Sec. 4).

    Raises:
        MeshError: If a component is flat.
    """
    from scipy.sparse import diags_array
    from scipy.sparse.linalg import spsolve

    laplacian, area = connection_laplacian(transport, n), transport.mesh.vertex_areas
    q = _curvature_direction(transport)
    target = np.abs(q) * np.exp(0.5j * n * np.angle(q))
    u = np.ones(len(area), dtype=complex)
    for rows in _components(transport.mesh):
        if np.abs(q[rows]).max() <= 1e-9 * np.sqrt(area[rows].sum()):
            raise MeshError(
                f"The component of vertex {rows[0]} is flat, no curvature directs its crosses: leave out "
                "`align='curvature'`."
            )
        pull = diags_array(area[rows] * (4 * np.pi / area[rows].sum()))
        u[rows] = spsolve((laplacian[rows][:, rows] + pull).tocsc(), target[rows])
    return u


def connection_laplacian(transport: EdgeTransport, n: int) -> Any:
    """Return the sparse Hermitian matrix of the energy `sum w |u_head - exp(i n angle) u_tail|^2` over edges."""
    from scipy.sparse import coo_array

    opposite = np.roll(transport.mesh.corner_angles, 1, axis=1).reshape(-1)
    edge_of = transport.mesh.halfedge_to_edge
    cotan = np.bincount(edge_of, weights=0.5 / np.tan(opposite))
    h = transport.edge
    weight = np.maximum(cotan[edge_of[h]], _LEAST_WEIGHT)
    i, j, transported = transport.tail[h], transport.head[h], -weight * np.exp(1j * n * transport.transport_angle[h])
    values = np.concatenate([transported, transported.conj(), weight, weight])
    where = np.concatenate([j, i, i, j]), np.concatenate([i, j, i, j])
    return coo_array((values, where), shape=(transport.mesh.num_vertices,) * 2).tocsr()


def _curvature_direction(transport: EdgeTransport) -> Complex[ndarray, "vertices"]:
    """Return second powers of the directions of larger curvature, times the difference of the curvatures.

    They are integrated over each vertex's cell: the edges around it, by the angle at which the surface folds there.
    """
    twin, mesh = transport.surface.twin, transport.mesh
    h = np.flatnonzero(twin >= 0)
    left, right = mesh.face_normals[h // 3], mesh.face_normals[twin[h] // 3]
    along = mesh.vertices[transport.head[h]] - mesh.vertices[transport.tail[h]]
    length = np.linalg.norm(along, axis=1)
    fold = np.arctan2((np.cross(left, right) * along).sum(1) / length, (left * right).sum(1))
    value = -fold * length * np.exp(2j * transport.leave[h])
    real, imaginary = (np.bincount(transport.tail[h], v, mesh.num_vertices) for v in (value.real, value.imag))
    return real + 1j * imaginary


def combed(transport: EdgeTransport, angle: Float[ndarray, "vertices"], n: int) -> Float[ndarray, "vertices"]:
    """Return at each vertex the one of the n directions that agrees with its neighbour's direction.

    Neighbours are taken along a tree from the first vertex of every component.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import breadth_first_order

    num = transport.mesh.num_vertices
    tail, head = (np.concatenate(pair) for pair in ((transport.tail, transport.head), (transport.head, transport.tail)))
    transport_angle = np.concatenate([transport.transport_angle, -transport.transport_angle])
    key, at = np.unique(tail * num + head, return_index=True)
    tail, head, transport_angle = tail[at], head[at], transport_angle[at]
    step = np.rint((transport_angle + angle[tail] - angle[head]) * (n / (2 * np.pi))).astype(np.int64)
    graph = coo_array((np.ones(len(tail)), (tail, head)), shape=(num, num)).tocsr()
    shift = np.zeros(num, dtype=np.int64)
    for rows in _components(transport.mesh):
        order, before = breadth_first_order(graph, rows[0])
        child = order[1:]
        steps = step[np.searchsorted(key, before[child] * num + child)]
        for v, parent, s in zip(child.tolist(), before[child].tolist(), steps.tolist(), strict=True):
            shift[v] = shift[parent] + s
    return typed_array(angle + 2 * np.pi / n * (shift % n))


def _components(mesh: TriangleMesh) -> Iterator[Int[ndarray, "rows"]]:
    """Iterate over the components that have faces, and return the vertices of each."""
    label = mesh.vertex_components
    order = np.argsort(label, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(label[order])) + 1):
        if len(rows) > 1:
            yield rows


def _lowest_eigenvector(laplacian: Any, area: ndarray) -> Complex[ndarray, "rows"]:
    if len(area) <= _DENSE:
        from scipy.linalg import eigh

        return typed_array(eigh(laplacian.toarray(), np.diag(area))[1][:, 0])
    from scipy.sparse import diags_array
    from scipy.sparse.linalg import eigsh

    start = np.random.default_rng(0).normal(size=(2, len(area)))  # the same for the same mesh
    below = -1e-3 * 4 * np.pi / area.sum()  # a flat component has eigenvalue zero
    pencil = laplacian.tocsc(), diags_array(area).tocsc()
    return typed_array(eigsh(pencil[0], k=1, M=pencil[1], sigma=below, v0=start[0] + 1j * start[1])[1][:, 0])

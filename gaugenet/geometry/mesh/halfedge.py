"""HalfedgeSurface: the intrinsic geometry of a triangle mesh, as flat arrays for compiled code."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from gaugenet._compiled import njit
from gaugenet.geometry.mesh.marks import component_marks
from gaugenet.geometry.mesh.mesh import MeshError, TriangleMesh

SPREAD = (
    1.5  # radius over which a vertex's curvature is spread / radius of the disc of its cell's area; from closed forms
)


class HalfedgeArrays(NamedTuple):
    """`HalfedgeSurface` for compiled code.

    In addition to its arrays, these hold for each vertex copy the angle defect, the radius of the disc over which the
    defect is spread (see `_paths`), the distance to the edges around it, and its mark. They also hold the halfedge at
    which searches from it start: the one toward the lowest mark, or the first one on the boundary. So the order of
    searches does not depend on the numbering.
    """

    num_base: int
    origin: ndarray
    twin: ndarray
    shape: ndarray
    first: ndarray
    total_angle: ndarray
    scale: ndarray
    reference: ndarray
    boundary: ndarray
    charge: ndarray
    spread: ndarray
    star_radius: ndarray
    mark: ndarray
    start: ndarray
    max_degree: int


@dataclass(frozen=True)
class HalfedgeSurface:
    """A consistently oriented surface: glued triangles, their shapes, and polar angles at every vertex.

    Halfedge `3 f + k` runs from corner `k` of face `f` to corner `k + 1`; the face lies on its left. A mesh whose faces
    do not agree on an orientation is replaced by its orientation double cover, a consistently oriented surface with two
    copies of every face and vertex: copy `v` has the local orientation of the first face at `v`, copy `v + num_base`
    has the opposite one. Algorithms on the surface then need no case for orientation.

    Attributes:
        num_base: number of vertices of the mesh.
        origin: vertex (copy) that each halfedge leaves.
        twin: the halfedge of the neighbouring face along the same edge, -1 on the boundary.
        shape: columns `(u, v, length, angle)`. The opposite corner is `origin + u e + v J e`, with `e` the halfedge's
            vector and `J` the quarter rotation to the left. `length` is the length of the halfedge. `angle` is its
            angle at its origin, counter-clockwise from the vertex's first halfedge, not rescaled.
        first: first outgoing halfedge of each vertex: the lowest-numbered one, or the one along the boundary that
            has the surface on its left; -1 at isolated vertices.
        total_angle: sum of the interior angles around each vertex.
        scale: factor from angles to polar angles: `2 pi / total_angle` inside, 1 on the boundary.
        reference: angle of the zero direction of each vertex. It differs from 0 only at the opposite copies of
            boundary vertices, so that both copies of a vertex measure the same directions with opposite sign.
        boundary: whether the vertex lies on the boundary.
        area: area of each vertex's dual cell.
        mark: see `component_marks`.
    """

    num_base: int
    origin: Int[ndarray, "halfedges"]
    twin: Int[ndarray, "halfedges"]
    shape: Float[ndarray, "halfedges 4"]
    first: Int[ndarray, "vertices"]
    total_angle: Float[ndarray, "vertices"]
    scale: Float[ndarray, "vertices"]
    reference: Float[ndarray, "vertices"]
    boundary: Bool[ndarray, "vertices"]
    area: Float[ndarray, "base_vertices"]
    mark: Float[ndarray, "base_vertices"]

    @property
    def is_cover(self) -> bool:
        """Return whether this is a double cover, so that transporting a vector may reverse its orientation."""
        return len(self.first) > self.num_base

    @property
    def total_area(self) -> float:
        return float(self.area.sum())

    @cached_property
    def mesh_arrays(self) -> HalfedgeArrays:
        """Return the surface for compiled code, with each vertex's curvature and the disc over which it is spread."""
        inside = ~self.boundary & (self.total_angle > 0)
        mark = np.resize(self.mark, len(inside))
        return HalfedgeArrays(
            num_base=self.num_base,
            origin=self.origin,
            twin=self.twin,
            shape=self.shape,
            first=self.first,
            total_angle=self.total_angle,
            scale=self.scale,
            reference=self.reference,
            boundary=self.boundary,
            charge=np.where(inside, 2 * np.pi - self.total_angle, 0.0),
            spread=SPREAD * np.sqrt(np.resize(self.area, len(inside)) / np.pi),
            star_radius=self.star_radius,
            mark=mark,
            start=_lowest_halfedges(self.origin, self.first, self.boundary, mark),
            max_degree=int(np.bincount(self.origin).max(initial=0)) if len(self.origin) else 0,
        )

    @property
    def star_radius(self) -> Float[ndarray, "vertices"]:
        """Return the distance of each vertex copy to the opposite edges of its faces; infinite at isolated vertices.

        No other vertex is nearer. But a vertex may be nearer than the end of the shortest edge.
        """
        a = np.stack([self.shape[:, 2], np.zeros(len(self.origin))], axis=1)
        b = self.shape[:, :2] * self.shape[:, 2:3]
        along = b - a
        foot = np.clip(-(a * along).sum(1) / (along**2).sum(1), 0, 1)
        radius = np.full(len(self.first), np.inf)
        np.minimum.at(radius, self.origin, np.linalg.norm(a + foot[:, None] * along, axis=1))
        return radius

    @classmethod
    def from_mesh(cls, mesh: TriangleMesh) -> HalfedgeSurface:
        """Return the surface of a manifold mesh without degenerate faces (see `gaugenet.geometry.mesh.quality`).

        Angles are in radians, lengths in the units of the mesh.
        """
        faces = mesh.faces.astype(np.int32)
        glued = _opposite_halfedges(faces, mesh.num_vertices)
        if (glued < -1).any():
            faces, twin = _double_cover(faces, glued)
        else:
            twin = glued
        shape = _triangle_shapes(mesh.vertices, faces)
        num_copies = mesh.num_vertices * (1 if len(faces) == mesh.num_faces else 2)
        origin = np.full(3 * len(faces), -1, dtype=np.int32)
        first = np.full(num_copies, -1, dtype=np.int32)
        total = np.zeros(num_copies)
        boundary = np.zeros(num_copies, dtype=bool)
        pinched = _walk_fans(faces.reshape(-1), twin, shape, mesh.num_vertices, origin, first, total, boundary)
        if pinched >= 0:
            raise MeshError(f"The faces at vertex {pinched} form more than one fan: repair the mesh first.")
        scale = np.ones(num_copies)
        np.divide(2 * np.pi, total, out=scale, where=~boundary & (total > 0))
        reference = np.where(boundary & (np.arange(num_copies) >= mesh.num_vertices), total, 0.0)
        return cls(
            num_base=mesh.num_vertices,
            origin=origin,
            twin=twin,
            shape=shape,
            first=first,
            total_angle=total,
            scale=scale,
            reference=reference,
            boundary=boundary,
            area=mesh.vertex_areas,
            mark=component_marks(mesh),
        )


def _opposite_halfedges(faces: Int[ndarray, "faces 3"], num_vertices: int) -> Int[ndarray, "halfedges"]:
    """Return the other halfedge of each edge.

    The entry is `j >= 0` if halfedge `j` runs the other way (consistent orientation) and `-1` on the boundary. It is
    `-2 - j` if halfedge `j` runs the same way (the two faces disagree on the orientation).

    Only the first two halfedges of an edge with more than two faces are glued: callers must reject such meshes first.
    """
    tail, head = faces.reshape(-1), np.roll(faces, -1, axis=1).reshape(-1)
    key = np.minimum(tail, head).astype(np.int64) * num_vertices + np.maximum(tail, head)
    order = np.argsort(key, kind="stable").astype(np.int32)
    key = key[order]
    pair = np.flatnonzero(key[1:] == key[:-1])
    a, b = order[pair], order[pair + 1]
    opposite = np.full(len(tail), -1, dtype=np.int32)
    agree = tail[a] == head[b]
    opposite[a] = np.where(agree, b, -2 - b)
    opposite[b] = np.where(agree, a, -2 - a)
    return opposite


def _double_cover(faces: ndarray, glued: ndarray) -> tuple[ndarray, ndarray]:
    """Return the faces and twins of the orientation double cover: face `F + f` is face `f` flipped."""
    num = len(glued)
    flipped = num + np.arange(num) // 3 * 3 + (2 - np.arange(num) % 3)  # the same edge of the flipped face
    flipped = np.concatenate([flipped, flipped - num])
    flipped[flipped[:num]] = np.arange(num)
    twin = np.full(2 * num, -1, dtype=np.int32)
    agree, disagree = np.flatnonzero(glued >= 0), np.flatnonzero(glued < -1)
    twin[agree] = glued[agree]
    twin[disagree] = flipped[-2 - glued[disagree]]
    inside = np.flatnonzero(glued != -1)
    twin[flipped[inside]] = flipped[twin[inside]]
    return np.concatenate([faces, faces[:, [0, 2, 1]]]), twin


def _triangle_shapes(vertices: ndarray, faces: ndarray) -> Float[ndarray, "halfedges 4"]:
    shape = np.zeros((3 * len(faces), 4))
    points = [vertices[faces[:, k]] for k in range(3)]
    for k in range(3):
        along = points[(k + 1) % 3] - points[k]
        apex = points[(k + 2) % 3] - points[k]
        squared = np.einsum("ij,ij->i", along, along)
        shape[k::3, 0] = np.einsum("ij,ij->i", along, apex) / squared
        shape[k::3, 1] = np.linalg.norm(np.cross(along, apex), axis=1) / squared
        shape[k::3, 2] = np.sqrt(squared)
    return shape


# Compiled, because each step of a walk depends on the one before, and fans have different lengths.
@njit(cache=True, nogil=True)
def _walk_fans(
    corner: ndarray, twin: ndarray, shape: ndarray, num_base: int,
    origin: ndarray, first: ndarray, total: ndarray, boundary: ndarray,
) -> int:  # fmt: skip
    """Walk counter-clockwise around every vertex copy, assign its halfedges and sum its angles."""
    num_half = len(corner)
    for seed in range(num_half):
        if origin[seed] >= 0:
            continue
        vertex = corner[seed]
        h = seed
        if first[vertex] >= 0 and vertex + num_base >= len(first):
            return int(vertex)  # a second fan: not a manifold vertex
        if first[vertex] >= 0:  # the opposite copy starts at the same edge (interior) or at the other end (boundary)
            h = _start_of_opposite_copy(first[vertex], twin, num_half // 2)
            vertex += num_base
        else:
            while twin[h] >= 0:
                h = _next(twin[h])
                if h == seed:
                    break
        first[vertex] = h
        boundary[vertex] = twin[h] < 0
        start, angle = h, 0.0
        while True:
            origin[h] = vertex
            shape[h, 3] = angle
            angle += np.arctan2(shape[h, 1], shape[h, 0])
            h = twin[_previous(h)]
            if h < 0 or h == start:
                break
        total[vertex] = angle
    return -1


@njit(cache=True, nogil=True)
def _lowest_halfedges(origin: ndarray, first: ndarray, boundary: ndarray, mark: ndarray) -> ndarray:
    """Return the halfedge of each vertex toward the neighbour of the lowest mark; on the boundary, the first one."""
    start = first.copy()
    for h in range(len(origin)):
        vertex = origin[h]
        if not boundary[vertex] and mark[origin[_next(h)]] < mark[origin[_next(start[vertex])]]:
            start[vertex] = h
    return start


@njit(cache=True, nogil=True)
def _start_of_opposite_copy(h: int, twin: ndarray, offset: int) -> int:
    start = h
    while True:
        incoming = _previous(h)
        h = twin[incoming]
        if h < 0:
            break
        if h == start:
            incoming = twin[start]
            break
    # The same edge of the flipped face: halfedge k of one copy of a face is halfedge 2 - k of the other.
    flipped = incoming - incoming % 3 + (2 - incoming % 3)
    return flipped + offset if flipped < offset else flipped - offset


@njit(cache=True, nogil=True, inline="always")
def _next(h: int) -> int:
    return h + 1 if h % 3 != 2 else h - 2


@njit(cache=True, nogil=True, inline="always")
def _previous(h: int) -> int:
    return h - 1 if h % 3 != 0 else h + 2

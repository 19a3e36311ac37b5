"""Fans, pieces and orientation of a triangle soup: what the checks and the repairs of a mesh both ask for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Int
from numba import njit
from numpy import ndarray

from gaugenet.geometry.mesh import TriangleMesh

ZERO_AREA = 1e-10
"""A face counts as degenerate when its height is below this fraction of its longest edge."""

LARGEST_COORDINATE = 1e60
"""Beyond this, areas and squared lengths overflow: such coordinates count as not finite."""


def finite_vertices(mesh: TriangleMesh) -> Bool[ndarray, "vertices"]:
    """Vertices whose three coordinates are numbers of a usable size."""
    return (np.abs(mesh.vertices) <= LARGEST_COORDINATE).all(axis=1)  # false for NaN


def repeats_a_vertex(faces: Int[ndarray, "faces 3"]) -> Bool[ndarray, "faces"]:
    """Faces with the same vertex at two corners."""
    a, b, c = faces.T
    return (a == b) | (b == c) | (c == a)


def degenerate_faces(mesh: TriangleMesh, finite: Bool[ndarray, "vertices"]) -> Bool[ndarray, "faces"]:
    """Faces with a repeated vertex or without area; faces at non-finite vertices have no shape to judge."""
    a, b, c = mesh.faces.T
    x = np.where(finite[:, None], mesh.vertices, 0.0)
    ab, bc, ca = x[b] - x[a], x[c] - x[b], x[a] - x[c]
    longest = np.maximum(np.maximum(_square(ab), _square(bc)), _square(ca))
    has_area = np.sqrt(_square(np.cross(ab, -ca))) > ZERO_AREA * longest
    return repeats_a_vertex(mesh.faces) | (~has_area & finite[mesh.faces].all(axis=1))


def duplicate_faces(mesh: TriangleMesh) -> Bool[ndarray, "faces"]:
    """All but the first face on each set of vertices, whatever their orientation."""
    faces = np.arange(mesh.num_faces)
    top = mesh.faces.argmax(axis=1)
    opposite_edge = mesh.halfedge_to_edge[3 * faces + (top + 1) % 3]
    key = opposite_edge * mesh.num_vertices + mesh.faces[faces, top]
    # With a repeated vertex an edge and a corner do not determine the face: use the sorted corners there.
    degenerate = repeats_a_vertex(mesh.faces)
    duplicate = _all_but_first(key[~degenerate], faces[~degenerate], len(faces))
    if degenerate.any():
        corners = np.sort(mesh.faces[degenerate], axis=1)
        _, key = np.unique(corners, axis=0, return_inverse=True)
        duplicate |= _all_but_first(key.reshape(-1), faces[degenerate], len(faces))
    return duplicate


def _all_but_first(key: ndarray, items: ndarray, size: int) -> ndarray:
    later = np.zeros(size, dtype=bool)
    ordered = np.sort(key)
    if (ordered[1:] == ordered[:-1]).any():
        _, first = np.unique(key, return_index=True)
        later[items] = True
        later[items[first]] = False
    return later


def _square(v: ndarray) -> ndarray:
    return np.einsum("ij,ij->i", v, v)


@dataclass(frozen=True)
class Orientation:
    """Pieces of a surface connected across its two-sided edges, and how to turn their faces alike.

    Attributes:
        piece: label of each face's piece, counted from 0 in the order of their first faces.
        turned: faces that run against their piece's first face; meaningless where it is not orientable.
        orientable: one flag a piece.
    """

    piece: Int[ndarray, "faces"]
    turned: Bool[ndarray, "faces"]
    orientable: Bool[ndarray, "pieces"]

    @property
    def num_pieces(self) -> int:
        return len(self.orientable)

    @cached_property
    def first_faces(self) -> Int[ndarray, "pieces"]:
        """The first face of each piece."""
        return np.unique(self.piece, return_index=True)[1]

    @cached_property
    def minority(self) -> Bool[ndarray, "faces"]:
        """Faces to turn so that every orientable piece is consistent and as few as possible are touched."""
        size = np.bincount(self.piece, minlength=self.num_pieces)
        against = np.bincount(self.piece, weights=self.turned, minlength=self.num_pieces)
        swap = 2 * against > size
        return (self.turned ^ swap[self.piece]) & self.orientable[self.piece]


class Topology:
    """How the faces of a mesh hang together, counting each proper face (three vertices, no duplicate) once.

    Args:
        mesh: any mesh.
        proper: faces to look at; by default those with three different vertices that are no duplicates.
    """

    def __init__(self, mesh: TriangleMesh, *, proper: Bool[ndarray, "faces"] | None = None) -> None:
        if proper is None:
            proper = ~(repeats_a_vertex(mesh.faces) | duplicate_faces(mesh))
        self.face_index = np.flatnonzero(proper)
        whole = len(self.face_index) == mesh.num_faces
        self.mesh = mesh if whole else TriangleMesh(mesh.vertices, mesh.faces[self.face_index])

    @cached_property
    def non_manifold_edges(self) -> Int[ndarray, "edges"]:
        """Indices (into `self.mesh.edges`) of the edges with three faces or more."""
        return np.flatnonzero(self.mesh.edge_face_count > 2)

    @cached_property
    def two_sided_pairs(self) -> tuple[ndarray, ndarray]:
        """Pairs of halfedges that are the two sides of one edge, for every edge with exactly two faces."""
        order, count = self.mesh.halfedges_by_edge, self.mesh.edge_face_count
        start = np.cumsum(count) - count
        start = start[count == 2]
        return order[start], order[start + 1]

    @cached_property
    def aligned(self) -> Bool[ndarray, "pairs"]:
        """Whether both sides of an edge run the same way: its two faces are oriented against each other."""
        one, other = self.two_sided_pairs
        tail = self.mesh.faces.reshape(-1)
        return tail[one] == tail[other]

    @cached_property
    def cut_fans(self) -> Int[ndarray, "corners"]:
        """Fan of each corner, named by its first corner: connected across two-sided edges only."""
        return self._fans(*self.two_sided_pairs, self.aligned)

    @cached_property
    def fans(self) -> Int[ndarray, "corners"]:
        """Fan of each corner, named by its first corner: connected across any edge."""
        if not len(self.non_manifold_edges):
            return self.cut_fans
        order = self.mesh.halfedges_by_edge
        edge = self.mesh.halfedge_to_edge[order]
        same = edge[1:] == edge[:-1]
        one, other = order[:-1][same], order[1:][same]
        tail = self.mesh.faces.reshape(-1)
        return self._fans(one, other, tail[one] == tail[other])

    def _fans(self, one: ndarray, other: ndarray, aligned: ndarray) -> ndarray:
        return _connect_corners(3 * self.mesh.num_faces, one, other, aligned)

    @cached_property
    def fans_per_vertex(self) -> Int[ndarray, "vertices"]:
        """How many fans of faces meet at each vertex: 0 if unreferenced, 1 on a manifold, 2 at a bow tie."""
        first = np.flatnonzero(self.fans == np.arange(len(self.fans)))
        return np.bincount(self.mesh.faces.reshape(-1)[first], minlength=self.mesh.num_vertices)

    @cached_property
    def orientation(self) -> Orientation:
        one, other = self.two_sided_pairs
        root, turned, conflict = _connect_signed(self.mesh.num_faces, one // 3, other // 3, self.aligned)
        first, piece = np.unique(root, return_inverse=True)
        return Orientation(piece.reshape(-1), turned, ~conflict[first])


@njit(cache=True)
def _root(parent, i):
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@njit(cache=True)
def _join(parent, i, j):
    i, j = _root(parent, i), _root(parent, j)
    if i < j:
        parent[j] = i
    else:
        parent[i] = j


@njit(cache=True)
def _connect_corners(num_corners, one, other, aligned):
    """Join the corners at both ends of each pair of halfedges; the label of a set is its smallest corner."""
    parent = np.arange(num_corners)
    for k in range(len(one)):
        i, j = one[k], other[k]
        i_next = i - 2 if i % 3 == 2 else i + 1
        j_next = j - 2 if j % 3 == 2 else j + 1
        _join(parent, i, j if aligned[k] else j_next)
        _join(parent, i_next, j_next if aligned[k] else j)
    for i in range(num_corners):
        parent[i] = _root(parent, i)
    return parent


@njit(cache=True)
def _signed_root(parent, sign, i):
    """Root of `i` and the sign of `i` relative to it, halving the path on the way."""
    total = False
    while parent[i] != i:
        sign[i] ^= sign[parent[i]]
        parent[i] = parent[parent[i]]
        total ^= sign[i]
        i = parent[i]
    return i, total


@njit(cache=True)
def _connect_signed(num_faces, one, other, opposed):
    """Join faces across edges with their relative sign; a set with contradictory signs is flagged at its root."""
    parent = np.arange(num_faces)
    sign = np.zeros(num_faces, dtype=np.bool_)
    conflict = np.zeros(num_faces, dtype=np.bool_)
    for k in range(len(one)):
        i, sign_i = _signed_root(parent, sign, one[k])
        j, sign_j = _signed_root(parent, sign, other[k])
        relative = sign_i ^ sign_j ^ opposed[k]
        if i == j:
            conflict[i] |= relative
            continue
        low, high = min(i, j), max(i, j)
        parent[high] = low
        sign[high] = relative
        conflict[low] |= conflict[high]
    for i in range(num_faces):
        root, relative = _signed_root(parent, sign, i)
        parent[i] = root
        sign[i] = relative
    return parent, sign, conflict

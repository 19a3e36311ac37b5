"""Fans, pieces and orientation of a triangle soup, used by the checks and the repairs of a mesh."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from gaugenet._compiled import njit
from gaugenet._typing import typed_array
from gaugenet.geometry.mesh.mesh import TriangleMesh

_ZERO_AREA = 1e-10
"""A face counts as degenerate when its height is below this fraction of its longest edge."""

_LARGEST_COORDINATE = 1e60
"""Above this, areas and squared lengths overflow: such coordinates count as not finite."""


def finite_vertices(mesh: TriangleMesh) -> Bool[ndarray, "vertices"]:
    """Return a mask of the vertices whose three coordinates are numbers of a usable size."""
    return typed_array((np.abs(mesh.vertices) <= _LARGEST_COORDINATE).all(axis=1))  # false for NaN


def repeats_a_vertex(faces: Int[ndarray, "faces 3"]) -> Bool[ndarray, "faces"]:
    """Return a mask of the faces with the same vertex at two corners."""
    a, b, c = faces.T
    return typed_array((a == b) | (b == c) | (c == a))


def degenerate_faces(mesh: TriangleMesh, finite: Bool[ndarray, "vertices"]) -> Bool[ndarray, "faces"]:
    """Return a mask of the faces with a repeated vertex or without area.

    The area of faces at non-finite vertices is not checked.
    """
    a, b, c = mesh.faces.T
    x = np.where(finite[:, None], mesh.vertices, 0.0)
    ab, bc, ca = x[b] - x[a], x[c] - x[b], x[a] - x[c]
    longest = np.maximum(np.maximum(_square(ab), _square(bc)), _square(ca))
    has_area = np.sqrt(_square(np.cross(ab, -ca))) > _ZERO_AREA * longest
    return typed_array(repeats_a_vertex(mesh.faces) | (~has_area & finite[mesh.faces].all(axis=1)))


def duplicate_faces(mesh: TriangleMesh) -> Bool[ndarray, "faces"]:
    """Return a mask of all but the first face on each set of vertices, whatever their orientation."""
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


def coincident_vertices(
    mesh: TriangleMesh, usable: Bool[ndarray, "vertices"], *, tolerance: float = 0.0
) -> Int[ndarray, "vertices"]:
    """Return for each vertex the first vertex at the same position.

    It is the vertex itself where no other one is there, or where it is not `usable`.

    Args:
        mesh: any mesh.
        usable: vertices to compare.
        tolerance: vertices linked by gaps up to this length, in the units of the mesh, count as one.
    """
    index = np.flatnonzero(usable)
    x = mesh.vertices[index] + 0.0  # -0.0 becomes 0.0
    if tolerance > 0:
        label = _clusters(x, tolerance)
    else:
        order = np.lexsort(x.T)
        new = np.ones(len(x), dtype=bool)
        new[1:] = (x[order[1:]] != x[order[:-1]]).any(axis=1)
        label = np.empty(len(x), dtype=np.int64)
        label[order] = np.cumsum(new) - 1
    _, first, label = np.unique(label, return_index=True, return_inverse=True)
    representative = np.arange(mesh.num_vertices)
    representative[index] = index[first[label.reshape(-1)]]
    return representative


def _clusters(x: ndarray, tolerance: float) -> ndarray:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    i, j = cKDTree(x).query_pairs(tolerance, output_type="ndarray").T
    graph = coo_array((np.ones(len(i)), (i, j)), shape=(len(x),) * 2)
    return typed_array(connected_components(graph, directed=False)[1])


def referenced_vertices(mesh: TriangleMesh) -> Bool[ndarray, "vertices"]:
    """Return a mask of the vertices that some face uses."""
    mask = np.zeros(mesh.num_vertices, dtype=bool)
    mask[mesh.faces.reshape(-1)] = True
    return mask


def _all_but_first(key: ndarray, items: ndarray, size: int) -> ndarray:
    later = np.zeros(size, dtype=bool)
    ordered = np.sort(key)
    if (ordered[1:] == ordered[:-1]).any():
        _, first = np.unique(key, return_index=True)
        later[items] = True
        later[items[first]] = False
    return later


def numbered(root: Int[ndarray, "items"]) -> tuple[Int[ndarray, "sets"], Int[ndarray, "items"]]:
    """Return the first member of each set, and the index of each item's set. Sets are given by their first member."""
    first = np.flatnonzero(root == np.arange(len(root)))
    number = np.empty(len(root), dtype=np.int64)
    number[first] = np.arange(len(first))
    return first, number[root]


def _square(v: ndarray) -> ndarray:
    return typed_array(np.einsum("ij,ij->i", v, v))


@dataclass(frozen=True)
class Orientation:
    """Pieces of a surface connected across its two-sided edges, and how to orient their faces consistently.

    Attributes:
        piece: label of each face's piece, counted from 0 in the order of their first faces.
        flipped: faces oriented against the first face of their piece; meaningless where the piece is not orientable.
        orientable: one flag per piece.
    """

    piece: Int[ndarray, "faces"]
    flipped: Bool[ndarray, "faces"]
    orientable: Bool[ndarray, "pieces"]

    @property
    def num_pieces(self) -> int:
        return len(self.orientable)

    def per_piece(self, values: ndarray) -> ndarray:
        """Return the sum over each piece of values given on the faces."""
        return np.bincount(self.piece, weights=values, minlength=self.num_pieces)

    @cached_property
    def first_faces(self) -> Int[ndarray, "pieces"]:
        """Return the first face of each piece."""
        return np.unique(self.piece, return_index=True)[1]

    @cached_property
    def minority(self) -> Bool[ndarray, "faces"]:
        """Return a mask of the fewest faces to flip so that every orientable piece is consistent."""
        swap = self.per_piece(2.0 * self.flipped - 1.0) > 0
        return typed_array((self.flipped ^ swap[self.piece]) & self.orientable[self.piece])


class Topology:
    """How the faces of a mesh are connected. Each proper face (three different vertices, not a duplicate) counts once.

    Args:
        mesh: any mesh.
        proper: faces to use; by default all with three different vertices that are not duplicates.
    """

    def __init__(self, mesh: TriangleMesh, *, proper: Bool[ndarray, "faces"] | None = None) -> None:
        if proper is None:
            proper = ~(repeats_a_vertex(mesh.faces) | duplicate_faces(mesh))
        self.face_index = np.flatnonzero(proper)
        whole = len(self.face_index) == mesh.num_faces
        self.mesh = mesh if whole else TriangleMesh(mesh.vertices, mesh.faces[self.face_index])

    @cached_property
    def non_manifold_edges(self) -> Int[ndarray, "edges"]:
        """Return the indices (into `self.mesh.edges`) of the edges with three faces or more."""
        return np.flatnonzero(self.mesh.edge_face_count > 2)

    @cached_property
    def two_sided_pairs(self) -> tuple[ndarray, ndarray]:
        """Return the pairs of halfedges that are the two sides of one edge, for every edge with exactly two faces."""
        order, count = self.mesh.halfedges_by_edge, self.mesh.edge_face_count
        start = np.cumsum(count) - count
        start = start[count == 2]
        return order[start], order[start + 1]

    @cached_property
    def aligned(self) -> Bool[ndarray, "pairs"]:
        """Return whether both sides of an edge run the same way, so that its two faces disagree on the orientation."""
        one, other = self.two_sided_pairs
        tail = self.mesh.faces.reshape(-1)
        return typed_array(tail[one] == tail[other])

    @cached_property
    def cut_fans(self) -> Int[ndarray, "corners"]:
        """Return the fan of each corner, labelled by its first corner. Fans connect across two-sided edges only."""
        return self._fans(*self.two_sided_pairs, self.aligned)

    @cached_property
    def fans(self) -> Int[ndarray, "corners"]:
        """Return the fan of each corner, labelled by its first corner. Fans connect across any edge."""
        if not len(self.non_manifold_edges):
            return self.cut_fans
        order = self.mesh.halfedges_by_edge
        edge = self.mesh.halfedge_to_edge[order]
        same = edge[1:] == edge[:-1]
        one, other = order[:-1][same], order[1:][same]
        tail = self.mesh.faces.reshape(-1)
        return self._fans(one, other, tail[one] == tail[other])

    def _fans(self, one: ndarray, other: ndarray, aligned: ndarray) -> ndarray:
        label = np.arange(3 * self.mesh.num_faces)
        _connect_corners(label, one, other, aligned)
        return label

    @cached_property
    def fans_per_vertex(self) -> Int[ndarray, "vertices"]:
        """Return how many fans of faces meet at each vertex: 0 if unreferenced, 1 on a manifold, 2 at a bow tie."""
        first, _ = numbered(self.fans)
        return np.bincount(self.mesh.faces.reshape(-1)[first], minlength=self.mesh.num_vertices)

    @cached_property
    def boundary_loops(self) -> Int[ndarray, "loops"]:
        """Return one vertex of each boundary loop. Loops that touch at a vertex count separately."""
        border = np.flatnonzero((self.mesh.edge_face_count == 1)[self.mesh.halfedge_to_edge])
        following = np.where(border % 3 == 2, border - 2, border + 1)
        fans, ends = np.unique(self.cut_fans[np.stack([border, following])], return_inverse=True)
        tail, head = ends.reshape(2, -1)
        root, _, _ = _connect_signed(len(fans), tail, head, np.zeros(len(border), dtype=bool))
        return typed_array(self.mesh.faces.reshape(-1)[fans[np.unique(root)]])

    @cached_property
    def euler_characteristics(self) -> Int[ndarray, "pieces"]:
        """Return V - E + F of each piece, counting fans as vertices and cutting along non-manifold edges."""
        orientation = self.orientation
        first, _ = numbered(self.cut_fans)
        vertices = np.bincount(orientation.piece[first // 3], minlength=orientation.num_pieces)
        sides = np.where(self.mesh.edge_face_count == 2, 0.5, 1.0)[self.mesh.halfedge_to_edge]
        edges = orientation.per_piece(sides.reshape(-1, 3).sum(axis=1))
        faces = np.bincount(orientation.piece, minlength=orientation.num_pieces)
        return typed_array((vertices - edges + faces).round().astype(np.int64))

    @cached_property
    def closed(self) -> Bool[ndarray, "pieces"]:
        """Return which pieces have no border, that is, every edge has exactly two faces."""
        open_sides = (self.mesh.edge_face_count != 2)[self.mesh.halfedge_to_edge].reshape(-1, 3).any(axis=1)
        return typed_array(self.orientation.per_piece(open_sides) == 0)

    @cached_property
    def signed_volumes(self) -> Float[ndarray, "pieces"]:
        """Return the volume enclosed by each piece once its `flipped` faces are flipped.

        The volume is positive if normals point outside.

        It is zero where it has no meaning: for pieces with a border, not orientable, or flat to rounding.
        """
        orientation = self.orientation
        first = self.mesh.faces[orientation.first_faces, 0]
        origin = self.mesh.vertices[first][orientation.piece]
        a, b, c = self.mesh.vertices[self.mesh.faces].swapaxes(0, 1) - origin
        volume = np.einsum("ij,ij->i", a, np.cross(b, c)) / 6
        total = orientation.per_piece(np.where(orientation.flipped, -volume, volume))
        rounding = 1e-12 * orientation.per_piece(np.abs(volume))
        total[~(self.closed & orientation.orientable & (np.abs(total) > rounding))] = 0.0
        return total

    @cached_property
    def orientation(self) -> Orientation:
        one, other = self.two_sided_pairs
        root, flipped, conflict = _connect_signed(self.mesh.num_faces, one // 3, other // 3, self.aligned)
        first, piece = numbered(root)
        return Orientation(piece, flipped, ~conflict[first])


# The union-find loops are compiled, because every join changes what the next one sees.
@njit(cache=True, borrowed=True)
def _root(parent: ndarray, i: int) -> int:
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@njit(cache=True, borrowed=True)
def _join(parent: ndarray, i: int, j: int) -> None:
    i, j = _root(parent, i), _root(parent, j)
    if i < j:
        parent[j] = i
    else:
        parent[i] = j


@njit(cache=True, borrowed=True)
def _connect_corners(parent: ndarray, one: ndarray, other: ndarray, aligned: ndarray) -> None:
    """Join the corners at both ends of each pair of halfedges. The label of a set is its smallest corner.

    At first every corner is its own `parent`; then its label is.
    """
    for k in range(len(one)):
        i, j = one[k], other[k]
        i_next = i - 2 if i % 3 == 2 else i + 1
        j_next = j - 2 if j % 3 == 2 else j + 1
        _join(parent, i, j if aligned[k] else j_next)
        _join(parent, i_next, j_next if aligned[k] else j)
    for i in range(len(parent)):
        parent[i] = _root(parent, i)


@njit(cache=True, borrowed=True)
def _signed_root(parent: ndarray, sign: ndarray, i: int) -> tuple[int, bool]:
    """Return the root of `i` and the sign of `i` relative to it, halving the path."""
    total = False
    while parent[i] != i:
        sign[i] ^= sign[parent[i]]
        parent[i] = parent[parent[i]]
        total ^= sign[i]
        i = parent[i]
    return i, total


def _connect_signed(num_faces: int, one: ndarray, other: ndarray, opposed: ndarray) -> tuple[ndarray, ndarray, ndarray]:
    """Join faces across edges with their relative sign. A set with contradictory signs is flagged at its root."""
    parent, sign, conflict = np.arange(num_faces), np.zeros(num_faces, dtype=bool), np.zeros(num_faces, dtype=bool)
    _join_signed(parent, sign, conflict, one, other, opposed)
    return parent, sign, conflict


@njit(cache=True, borrowed=True)
def _join_signed(
    parent: ndarray, sign: ndarray, conflict: ndarray, one: ndarray, other: ndarray, opposed: ndarray
) -> None:
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
    for i in range(len(parent)):
        root, relative = _signed_root(parent, sign, i)
        parent[i] = root
        sign[i] = relative

"""Triangle meshes of implicit surfaces: marching tetrahedra near the surface, and meshing by clusters."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from gaugenet._typing import typed_array
from gaugenet.geometry.mesh.mesh import TriangleMesh

Distance = Callable[[Float[ndarray, "n 3"]], Float[ndarray, "n"]]
"""A function that is negative inside the surface, with a slope of at most about 1."""

_CORNERS = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)])
# Six tetrahedra around the diagonal 0-7 of a cell, so neighboring cells have the same diagonals on common faces.
_TETRAHEDRA = np.array([[0, 4, 6, 7], [0, 6, 2, 7], [0, 2, 3, 7], [0, 3, 1, 7], [0, 1, 5, 7], [0, 5, 4, 7]])
_HALVINGS = 3
_LLOYD = 20


def marching_tetrahedra(
    distance: Distance, low: Float[ndarray, "3"], high: Float[ndarray, "3"], spacing: float
) -> TriangleMesh:
    """Return the zero set of a function as a mesh, oriented towards positive values.

    Only cells near the surface are visited: boxes are halved while the function is smaller than their radius. Triangles
    may be thin; see `cluster_mesh`.

    Args:
        distance: signed distance, or a function with a slope of at most 1.2.
        low: corner of the box that is searched.
        high: the opposite corner.
        spacing: edge length of a cell.

    Raises:
        ValueError: If the function has one sign in the whole box.

    Example:
        >>> import numpy as np
        >>> from gaugenet.data.physics.implicit_surface import euler_characteristic, marching_tetrahedra
        >>> sphere = lambda p: np.linalg.norm(p, axis=-1) - 1.0
        >>> mesh = marching_tetrahedra(sphere, np.full(3, -1.5), np.full(3, 1.5), 0.2)
        >>> euler_characteristic(mesh)
        2
    """
    cells = _cells_near(distance, low, high, spacing)
    if not len(cells):
        raise ValueError("Expected a function with both signs in the box, got one sign near all of its points.")
    corners = cells[:, None] + _CORNERS
    shape = tuple(corners.reshape(-1, 3).max(axis=0) + 1)
    keys, corner = np.unique(np.ravel_multi_index(tuple(corners.reshape(-1, 3).T), shape), return_inverse=True)
    points = low + spacing * np.stack(np.unravel_index(keys, shape), axis=1)
    values = distance(points)
    values = np.where(np.abs(values) < 1e-9 * spacing, 1e-9 * spacing, values)
    pairs = _crossed_edges(corner.reshape(-1, 8)[:, _TETRAHEDRA].reshape(-1, 4), values)
    if not len(pairs):
        raise ValueError("Expected a function with both signs in the box, and its zero set wider than `spacing`.")
    edges, faces = np.unique(pairs.reshape(-1, 2), axis=0, return_inverse=True)
    share = values[edges[:, 0]] / (values[edges[:, 0]] - values[edges[:, 1]])
    vertices = points[edges[:, 0]] + share[:, None] * (points[edges[:, 1]] - points[edges[:, 0]])
    return TriangleMesh(vertices, faces.reshape(-1, 3))


def _cells_near(distance: Distance, low: ndarray, high: ndarray, spacing: float) -> Int[ndarray, "cells 3"]:
    size = 2**_HALVINGS
    count = np.ceil((high - low) / (size * spacing)).astype(int)
    cells = size * np.stack(np.meshgrid(*[np.arange(n) for n in count], indexing="ij"), axis=-1).reshape(-1, 3)
    while True:
        centre = low + spacing * (cells + size / 2)
        cells = cells[np.abs(distance(centre)) < 1.2 * 3**0.5 / 2 * size * spacing]
        if size == 1:
            return typed_array(cells)
        size //= 2
        cells = (cells[:, None] + size * _CORNERS).reshape(-1, 3)


def _crossed_edges(tetrahedra: Int[ndarray, "n 4"], values: Float[ndarray, "points"]) -> Int[ndarray, "faces 3 2"]:
    """Return the edge (inside, outside) of each corner of each triangle; normals point outside."""
    inside = values[tetrahedra] < 0
    # Inside corners come first; the sign of the sorting permutation gives the orientation.
    order = np.argsort(~inside, axis=1, kind="stable")
    sorted_corners = np.take_along_axis(tetrahedra, order, axis=1)
    swaps = sum((order[:, a] > order[:, b]).astype(int) for a in range(4) for b in range(a + 1, 4))
    odd = np.asarray(swaps) % 2 == 1
    found = []
    for count in (1, 2, 3):
        chosen = inside.sum(axis=1) == count
        a, b, c, d = sorted_corners[chosen].T
        quads = {1: [((a, b), (a, c), (a, d))], 3: [((a, d), (b, d), (c, d))]}
        quads[2] = [((a, c), (a, d), (b, d)), ((a, c), (b, d), (b, c))]
        for triangle in quads[count]:
            faces = np.stack([np.stack(edge, axis=-1) for edge in triangle], axis=1)
            flipped = odd[chosen]
            faces[flipped] = faces[flipped][:, ::-1]
            found.append(faces)
    return typed_array(np.concatenate(found))


def cluster_mesh(mesh: TriangleMesh, count: int, *, seed: int) -> TriangleMesh:
    """Return a mesh with nearly equilateral triangles of a surface given by a much finer mesh.

    The vertices of the fine mesh are clustered by Lloyd's algorithm. Each cluster becomes a vertex, and each fine
    triangle with corners in three clusters becomes a triangle :cite:`valette2004approximated`. Vertices depend on the
    seed; the surface does not.

    Args:
        mesh: the fine mesh, with at least about 12 times `count` vertices.
        count: number of vertices of the result.
        seed: seed of the initial cluster centres.

    Raises:
        ValueError: If the clusters do not make a manifold of the same topology: use a finer mesh or another seed.
    """
    from scipy.spatial import cKDTree

    weight = mesh.vertex_areas
    rng = np.random.default_rng(seed)
    centres = mesh.vertices[rng.choice(mesh.num_vertices, count, replace=False, p=weight / weight.sum())]
    for _ in range(_LLOYD):
        cluster = cKDTree(centres).query(mesh.vertices)[1]
        total = np.maximum(np.bincount(cluster, weight, count), 1e-300)
        centres = np.stack([np.bincount(cluster, weight * x, count) for x in mesh.vertices.T], axis=1) / total[:, None]
    cluster = cKDTree(centres).query(mesh.vertices)[1]
    faces = cluster[mesh.faces]
    faces = faces[(faces != np.roll(faces, 1, axis=1)).all(axis=1)]
    faces = faces[np.unique(np.sort(faces, axis=1), axis=0, return_index=True)[1]]
    used, faces = np.unique(faces, return_inverse=True)
    result = TriangleMesh(centres[used], faces.reshape(-1, 3))
    if not is_manifold(result) or euler_characteristic(result) != euler_characteristic(mesh):
        raise ValueError(
            f"{count} clusters of {mesh.num_vertices} vertices are not a mesh of the same topology: use another seed "
            "or a finer mesh."
        )
    return result


def is_manifold(mesh: TriangleMesh) -> bool:
    """Return whether the mesh is a connected, oriented manifold: two faces at most at an edge, one fan at a vertex."""
    half = mesh.halfedges
    oriented = len(np.unique(half, axis=0)) == len(half)
    if not oriented or (mesh.edge_face_count > 2).any() or mesh.vertex_components.max() > 0:
        return False
    edges = np.bincount(mesh.edges.reshape(-1), minlength=mesh.num_vertices)
    fans = edges - np.bincount(mesh.faces.reshape(-1), minlength=mesh.num_vertices)
    return bool((fans == mesh.boundary_vertices).all())


def euler_characteristic(mesh: TriangleMesh) -> int:
    """Return vertices - edges + faces."""
    return mesh.num_vertices - len(mesh.edges) + mesh.num_faces


def project(points: Float[ndarray, "n 3"], distance: Distance, *, steps: int = 3, difference: float = 1e-4) -> ndarray:
    """Move points onto the zero set of a function by Newton steps along its gradient, from central differences."""
    for _ in range(steps):
        slope = np.stack(
            [(distance(points + e) - distance(points - e)) / (2 * difference) for e in difference * np.eye(3)], axis=1
        )
        points = points - (distance(points) / np.maximum((slope**2).sum(axis=1), 0.05))[:, None] * slope
    return points

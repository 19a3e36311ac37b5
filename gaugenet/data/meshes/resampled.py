"""Resampled meshes: the network's mesh where the given one is far denser or coarser than the training meshes."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from gaugenet.geometry.mesh.closest import closest_points
from gaugenet.geometry.mesh.decimate import decimate
from gaugenet.geometry.mesh.mesh import MeshError, TriangleMesh
from gaugenet.geometry.mesh.options import NeighborhoodOptions
from gaugenet.geometry.mesh.refine import even_spacing, refine

logger = logging.getLogger(__name__)

_DENSEST = 2.0  # times the number of points that the area requires
_COARSEST = 2 / 3
_UNRESOLVED = 1 / 3
_LONGEST = 2.0  # times the edge of an even triangulation of these points


@dataclass(frozen=True)
class Resampled:
    """A working mesh, and the places of the given mesh's vertices on it.

    Attributes:
        mesh: the working mesh.
        vertex_map, face_map: for each vertex and face of the working mesh the same or a near one of the given mesh.
        corner: for each vertex of the given mesh three vertices of the working mesh.
        weight: barycentric coordinates in their triangle.
    """

    mesh: TriangleMesh
    vertex_map: Int[ndarray, "vertices"]
    face_map: Int[ndarray, "faces"]
    corner: Int[ndarray, "given 3"]
    weight: Float[ndarray, "given 3"]


def resampled(mesh: TriangleMesh, options: NeighborhoodOptions, name: object = "the mesh") -> Resampled | None:
    """Return a working mesh, or `None` where the given mesh is near enough to the density of the training.

    With more than twice the points that the area requires (`NeighborhoodOptions.points_on`) the mesh is decimated
    to twice that number. With less than two thirds of it, edges are halved until none is longer than twice the edges
    of an even mesh. This keeps the shape, so it cannot restore parts that the mesh lacks. Below a third, the log warns.

    Args:
        mesh: a mesh that `require_usable` accepts.
        options: the density of the training; without one there is no working mesh.
        name: what the log calls the mesh.
    """
    points = options.points_on(mesh)
    if options.density is None or options.neighborhood != "geodesic" or not points:
        return None
    number = mesh.num_vertices
    if number > _DENSEST * points:
        logger.info("%s: %d vertices, decimated to %d for the network.", name, number, round(_DENSEST * points))
        return _coarser(mesh, int(np.ceil(_DENSEST * points)))
    if number < _UNRESOLVED * points:
        logger.warning(
            "%s has %d vertices, and the network was trained with about %d for such an area: %.1f within its radius "
            "(%.3g in the units of the mesh) instead of %.1f. Smaller parts are not resolved; use a finer mesh.",
            name, number, round(points), options.mean_neighbors_on(mesh), options.radius_on(mesh), options.density,
        )  # fmt: skip
    return _finer(mesh, points) if number < _COARSEST * points else None


def _coarser(mesh: TriangleMesh, count: int) -> Resampled | None:
    try:
        found = decimate(mesh, count)
    except MeshError as error:
        logger.info("Not decimated: %s", error)
        return None
    centers = found.mesh.vertices[found.mesh.faces].mean(axis=1)
    face_map = closest_points(mesh, centers, found.mesh.face_normals).face
    place = closest_points(found.mesh, mesh.vertices, mesh.vertex_normals)
    return Resampled(found.mesh, found.vertex_map, face_map, found.mesh.faces[place.face], place.weight)


def _finer(mesh: TriangleMesh, points: float) -> Resampled:
    found = refine(mesh, _LONGEST * even_spacing(mesh.area / points))
    own = np.repeat(np.arange(mesh.num_vertices)[:, None], 3, axis=1)
    return Resampled(found.mesh, found.vertex_map, found.face_map, own, np.eye(3)[np.zeros(len(own), int)])


__all__ = ["Resampled", "resampled"]

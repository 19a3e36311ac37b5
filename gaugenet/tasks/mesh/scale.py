"""The lengths of a network: fixed by the training meshes, and the same on meshes of any resolution."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from gaugenet.data import MeshSample
from gaugenet.data.meshes._prepare import in_parallel
from gaugenet.data.meshes.usable import Repair, usable_mesh
from gaugenet.geometry.mesh.mesh import TriangleMesh
from gaugenet.groups import group_from_name
from gaugenet.tasks.mesh.data_options import GeometryOptions

logger = logging.getLogger(__name__)


def fixed_lengths(
    geometry: GeometryOptions, meshes: Sequence[MeshSample], *, repair: Repair = "lossless", n_jobs: int = -1
) -> GeometryOptions:
    """Return options whose lengths no longer depend on how finely a mesh is triangulated.

    `mean_neighbors` becomes the relative radius whose disc holds that many vertices on the median training mesh.
    If the user gave a radius, `density` becomes the median number of vertices in its disc.

    Args:
        geometry: options as the user wrote them.
        meshes: the training meshes; meshes that cannot be used are left out.
        repair: as in `DataOptions`.
        n_jobs: threads that read the meshes.
    """
    if geometry.density is not None or geometry.neighborhood == "one_ring":
        return geometry
    found = in_parallel([partial(_sizes, meshes, k, geometry, repair) for k in range(len(meshes))], n_jobs)
    sizes = np.array([pair for pair in found if pair is not None])
    if not len(sizes):
        return geometry  # the preparation of the meshes reports their errors
    radius, density = (float(f"{value:.6g}") for value in np.median(sizes, axis=0))
    if geometry.mean_neighbors is None:
        return replace(geometry, density=density)
    logger.info("Radius of the neighbourhoods: %g times the square root of the area of a mesh.", radius)
    return replace(geometry, mean_neighbors=None, relative_radius=radius, density=geometry.mean_neighbors)


def without_lengths(geometry: GeometryOptions) -> GeometryOptions:
    """Return options without the numbers that depend on the training meshes, so that several runs can be compared."""
    if geometry.density is None:
        return geometry
    mean = None if geometry.relative_radius is None else geometry.density
    return replace(geometry, relative_radius=None, density=None, mean_neighbors=mean)


def _sizes(
    meshes: Sequence[MeshSample], index: int, geometry: GeometryOptions, repair: Repair
) -> tuple[float, float] | None:
    """Return the radius over the square root of the area, and the mean number of vertices within it."""
    try:
        mesh: TriangleMesh = usable_mesh(meshes[index].mesh, group_from_name(geometry.group), repair).mesh
    except (ValueError, OSError):
        return None
    if not mesh.area:
        return None
    return geometry.radius_on(mesh) / np.sqrt(mesh.area), geometry.mean_neighbors_on(mesh)


__all__ = ["fixed_lengths", "without_lengths"]

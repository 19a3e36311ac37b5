"""Meshes that networks can use: unchanged, or repaired with maps to the original mesh."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from gaugenet.geometry.mesh.mesh import MeshError, TriangleMesh
from gaugenet.groups import StructureGroup

logger = logging.getLogger(__name__)

Repair = Literal["never", "lossless", "always"]


@dataclass(frozen=True)
class UsableMesh:
    """A mesh on which geometry is defined.

    Attributes:
        mesh: the mesh.
        vertex_map, face_map: original vertex and face of each vertex and face; `labels[face_map]` transfers labels.
        repairs: descriptions of the repairs; empty if there were none.
    """

    mesh: TriangleMesh
    vertex_map: Int[ndarray, "vertices"]
    face_map: Int[ndarray, "faces"]
    repairs: tuple[str, ...] = ()


def usable_mesh(mesh: TriangleMesh, group: StructureGroup, repair: Repair = "lossless") -> UsableMesh:
    """Return the mesh unchanged if geometry is defined on it, else after the allowed repairs.

    Meshes whose size or position exceeds single precision are scaled by a power of two and moved to the origin. Closed
    components with inward normals are flipped, unless they bound a cavity.

    Args:
        mesh: the mesh of the file.
        group: the structure group, which decides whether the surface must be oriented.
        repair: `"never"`; `"lossless"`, which keeps every face (it splits vertices where separate fans of faces touch,
            flips faces, and merges equal points); or `"always"`.

    Raises:
        MeshError: If the mesh is unusable after the allowed repairs.

    Example:
        >>> from gaugenet.data import usable_mesh
        >>> from gaugenet.geometry import TriangleMesh
        >>> from gaugenet.groups import SO2
        >>> flipped = TriangleMesh([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], [[0, 1, 2], [0, 3, 2]])
        >>> usable = usable_mesh(flipped, SO2())
        >>> usable.mesh.num_faces, len(usable.repairs) > 0
        (2, True)
    """
    if repair not in ("never", "lossless", "always"):
        raise ValueError(f"Expected `repair` 'never', 'lossless' or 'always', got {repair!r}.")
    from gaugenet.geometry.mesh.defects import require_usable
    from gaugenet.geometry.mesh.repair import outward, repair_mesh
    from gaugenet.geometry.mesh.units import placed

    oriented = group.orientation_preserving
    mesh, done = placed(mesh)
    try:
        require_usable(mesh, oriented=oriented)
        turned, count = outward(mesh)
        if count and repair == "never":
            logger.warning("%d faces of closed parts point inside: networks are trained on outward normals.", count)
        elif count:
            mesh, done = turned, (*done, f"inside-out faces turned: {count}")
        return UsableMesh(mesh, np.arange(mesh.num_vertices), np.arange(mesh.num_faces), done)
    except MeshError:
        if repair == "never":
            raise
        result = repair_mesh(mesh)
        if repair == "lossless" and len(result.face_map) < mesh.num_faces:
            raise
        require_usable(result.mesh, oriented=oriented)
        return UsableMesh(result.mesh, result.vertex_map, result.face_map, (*done, *map(str, result.actions)))

"""The mesh itself where a network can use it as it is, else a repaired one with the way back."""

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
        vertex_map, face_map: for each of its vertices and faces the one of the original mesh that it comes from, so
            that `labels[face_map]` transfers labels.
        repairs: what was done, in words; empty for a mesh that was fine.
    """

    mesh: TriangleMesh
    vertex_map: Int[ndarray, "vertices"]
    face_map: Int[ndarray, "faces"]
    repairs: tuple[str, ...] = ()


def usable_mesh(mesh: TriangleMesh, group: StructureGroup, repair: Repair = "lossless") -> UsableMesh:
    """The mesh as it is if geometry is defined on it, else what a permitted repair makes of it.

    Meshes whose size or place single precision cannot hold are scaled by a power of two and moved to the origin. Closed
    parts whose normals point inside are rotated, unless they bound a cavity.

    Args:
        mesh: as it was read.
        group: its elements say whether the surface must be oriented.
        repair: `"never"`; `"lossless"`, where every face is kept (splitting vertices at which separate fans of faces
            touch, flipping faces, merging equal points); or `"always"`.

    Raises:
        MeshError: the mesh is unusable, and the permitted repair does not help.
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
            logger.warning("%d faces of closed parts point inside: networks are trained on outward ones.", count)
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

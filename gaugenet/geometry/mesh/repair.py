"""Mesh repair: from a triangle soup to a surface on which logarithmic maps are defined, with maps back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int
from numpy import ndarray

from gaugenet.files import atomic_path, check_outputs, write_npz
from gaugenet.geometry.mesh.mesh import TriangleMesh
from gaugenet.geometry.mesh.topology import (
    Topology,
    coincident_vertices,
    degenerate_faces,
    duplicate_faces,
    finite_vertices,
    numbered,
    referenced_vertices,
)


@dataclass(frozen=True)
class RepairAction:
    """A repair, and the number of items."""

    name: str
    count: int

    def __str__(self) -> str:
        return f"{self.name.replace('_', ' ').replace('non ', 'non-')}: {self.count}"


@dataclass(frozen=True)
class RepairResult:
    """A repaired mesh, with maps to the original mesh.

    Attributes:
        mesh: the repaired mesh.
        vertex_map: old vertex of each new vertex; `labels[vertex_map]` transfers labels. It is the first of merged
            vertices, and the same vertex for copies made by cutting.
        new_vertex: new vertex of each old vertex (the first copy), or -1 if it was dropped.
        face_map: old face of each new face, increasing. A flipped face has another order of corners.
        actions: the repairs; empty if there were none.
        non_orientable: number of components without a consistent orientation, since they are not orientable.
    """

    mesh: TriangleMesh
    vertex_map: Int[ndarray, "vertices"]
    new_vertex: Int[ndarray, "old_vertices"]
    face_map: Int[ndarray, "faces"]
    actions: tuple[RepairAction, ...]
    non_orientable: int

    def save(self, path: str | Path) -> None:
        """Write the mesh as binary PLY, and `vertex_map` and `face_map` as `.npz` of the same name.

        Coordinates are written as doubles (trimesh would round them to float32, which can make vertices coincide
        again). Both files are complete or absent. Missing folders are created.
        """
        path = Path(path)
        check_outputs([path, maps_file(path)], overwrite=True)
        write_npz(maps_file(path), {"vertex_map": self.vertex_map, "face_map": self.face_map})
        with atomic_path(path) as temporary:
            temporary.write_bytes(_ply(self.mesh))

    def __str__(self) -> str:
        lines = [str(action) for action in self.actions] or ["nothing to repair"]
        if self.non_orientable:
            lines.append(f"left as they are, not orientable: {self.non_orientable} (use O(2), not SO(2))")
        return "\n".join(lines)


def maps_file(path: Path) -> Path:
    """Return the file with `vertex_map` and `face_map` next to a repaired mesh."""
    return path.with_suffix(".npz")


def repair_mesh(mesh: TriangleMesh, *, merge_tolerance: float | None = 0.0) -> RepairResult:
    """Return a repaired mesh that `require_usable` accepts, with maps to transfer labels.

    In this order: drop faces at non-finite vertices; merge coincident vertices; drop degenerate and duplicate faces;
    cut along edges with three faces or more and split vertices where separate fans touch; flip faces so that
    neighbours agree, with normals outside where a component is closed and with the majority elsewhere; drop vertices
    in no face. Valid parts are not moved, renumbered or dropped, and a second repair changes nothing.

    Args:
        mesh: any mesh.
        merge_tolerance: vertices linked by gaps up to this length, in the units of the mesh, become one. The default
            merges equal positions only; `None` merges nothing, which keeps seams.

    Raises:
        ValueError: If the tolerance is negative or NaN.

    Example:
        >>> from gaugenet.geometry import TriangleMesh, repair_mesh
        >>> flipped = TriangleMesh([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], [[0, 1, 2], [0, 3, 2]])
        >>> result = repair_mesh(flipped)
        >>> result.face_map.tolist(), len(result.actions)
        ([0, 1], 1)
    """
    if merge_tolerance is not None and not 0 <= merge_tolerance < np.inf:
        raise ValueError(f"Expected `merge_tolerance` to be a length >= 0 or None, got {merge_tolerance}.")
    finite = finite_vertices(mesh)
    keep = finite[mesh.faces].all(axis=1)
    counts = {"dropped_faces_at_non_finite_vertices": int((~keep).sum())}

    merged = _merge(mesh, finite & referenced_vertices(mesh), merge_tolerance)
    degenerate = degenerate_faces(merged, finite) & keep
    keep &= ~degenerate
    face_map = np.flatnonzero(keep)
    duplicate = duplicate_faces(TriangleMesh(merged.vertices, merged.faces[face_map]))
    face_map = face_map[~duplicate]
    counts["dropped_degenerate_faces"] = int(degenerate.sum())
    counts["dropped_duplicate_faces"] = int(duplicate.sum())

    surface = TriangleMesh(merged.vertices, merged.faces[face_map])
    old = mesh.faces[face_map]
    cut, vertex_map, new_vertex, cut_counts = _cut(surface, old)
    oriented, flipped, non_orientable = _orient(cut)
    counts |= cut_counts
    counts["turned_faces"] = flipped
    counts["dropped_non_finite_vertices"] = int((~finite).sum())
    counts["dropped_unreferenced_vertices"] = int((finite & (new_vertex < 0)).sum())
    actions = tuple(RepairAction(name, count) for name, count in counts.items() if count)
    return RepairResult(oriented, vertex_map, new_vertex, face_map, actions, non_orientable)


def _merge(mesh: TriangleMesh, usable: Bool[ndarray, "vertices"], tolerance: float | None) -> TriangleMesh:
    """The mesh with its faces on the first of coincident vertices."""
    if tolerance is None:
        return mesh
    first = coincident_vertices(mesh, usable, tolerance=tolerance)
    return TriangleMesh(mesh.vertices, first[mesh.faces])


def _cut(
    surface: TriangleMesh, old: Int[ndarray, "faces 3"]
) -> tuple[TriangleMesh, Int[ndarray, "vertices"], Int[ndarray, "old_vertices"], dict[str, int]]:
    """Give every fan of faces, connected across two-sided edges only, a vertex of its own.

    No edge keeps three faces: a fan is a path or a cycle of corners, so only its two end faces can have an edge
    with more than two faces at the vertex. Vertices merged before and separated here count as neither.

    Args:
        surface: mesh of proper faces, with vertices merged.
        old: the vertices of these faces before merging.

    Returns:
        The mesh, ordered by old vertices; the old vertex of each new one; the first new vertex of each old one, or
        -1; what was done.
    """
    topology = Topology(surface, proper=np.ones(surface.num_faces, dtype=bool))
    corner_old = old.reshape(-1)
    first, fan = numbered(topology.cut_fans)
    fan_old = np.full(len(first), np.iinfo(np.int64).max)
    np.minimum.at(fan_old, fan, corner_old)
    order = np.lexsort((first, fan_old))
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    faces = rank[fan].reshape(-1, 3)
    position = surface.vertices[surface.faces.reshape(-1)[first[order]]]

    num_old = surface.num_vertices
    in_fan, of_old = np.divmod(np.unique(fan * max(num_old, 1) + corner_old), max(num_old, 1))
    copies = np.bincount(of_old, minlength=num_old)
    new_vertex = np.full(num_old, len(order))
    np.minimum.at(new_vertex, of_old, rank[in_fan])
    new_vertex[copies == 0] = -1
    split = copies[corner_old] > 1
    at_split = np.zeros(surface.num_vertices, dtype=bool)
    at_split[surface.faces.reshape(-1)[split]] = True
    cut_edges = surface.edges[topology.non_manifold_edges]
    counts = {
        "merged_coincident_vertices": len(of_old) - len(first),
        "cut_non_manifold_edges": int(at_split[cut_edges].any(axis=1).sum()),
        "added_copies_of_split_vertices": len(of_old) - int((copies > 0).sum()),
    }
    return TriangleMesh(position, faces), fan_old[order], new_vertex, counts


def _orient(mesh: TriangleMesh) -> tuple[TriangleMesh, int, int]:
    """Flip faces so that neighbours agree; the number flipped and the number of pieces that cannot be oriented."""
    topology = Topology(mesh, proper=np.ones(mesh.num_faces, dtype=bool))
    orientation = topology.orientation
    volume = topology.signed_volumes[orientation.piece]
    flip = np.where(volume == 0, orientation.minority, orientation.flipped ^ (volume < 0))
    if not flip.any():
        return mesh, 0, int((~orientation.orientable).sum())
    faces = np.where(flip[:, None], mesh.faces[:, [0, 2, 1]], mesh.faces)
    return TriangleMesh(mesh.vertices, faces), int(flip.sum()), int((~orientation.orientable).sum())


def outward(mesh: TriangleMesh) -> tuple[TriangleMesh, int]:
    """Rotate the faces of closed parts whose normals point inside; return the mesh and the number of faces rotated.

    A part inside another one bounds a cavity of it, and keeps normals that point into the cavity. Parts are told apart
    by their signed volume, parts inside others by their bounding boxes. Vertices and faces keep their order.

    Args:
        mesh: a surface on which neighbours agree on their orientation.
    """
    topology = Topology(mesh)
    volume = topology.signed_volumes
    if not (volume < 0).any():
        return mesh, 0
    flipped = np.zeros(len(volume), dtype=bool)
    if volume.sum() < 0:  # as a whole inside out, cavities included
        flipped, volume = volume != 0, -volume
    piece = topology.orientation.piece
    corners = mesh.vertices[mesh.faces]
    low, high = np.full((len(volume), 3), np.inf), np.full((len(volume), 3), -np.inf)
    np.minimum.at(low, piece, corners.min(axis=1))
    np.maximum.at(high, piece, corners.max(axis=1))
    solid = np.flatnonzero(volume > 0)
    for part in np.flatnonzero(volume < 0):
        flipped[part] ^= not ((low[solid] < low[part]) & (high[solid] > high[part])).all(axis=1).any()
    flip = flipped[piece]
    faces = np.where(flip[:, None], mesh.faces[:, [0, 2, 1]], mesh.faces)
    return TriangleMesh(mesh.vertices, faces), int(flip.sum())


def _ply(mesh: TriangleMesh) -> bytes:
    header = (
        "ply\nformat binary_little_endian 1.0\n"
        f"element vertex {mesh.num_vertices}\nproperty double x\nproperty double y\nproperty double z\n"
        f"element face {mesh.num_faces}\nproperty list uchar int vertex_indices\nend_header\n"
    )
    faces = np.empty(mesh.num_faces, dtype=[("count", "u1"), ("index", "<i4", 3)])
    faces["count"] = 3
    faces["index"] = mesh.faces
    return header.encode("ascii") + mesh.vertices.astype("<f8").tobytes() + faces.tobytes()

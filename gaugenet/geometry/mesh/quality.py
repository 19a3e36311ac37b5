"""Mesh quality: inspect a mesh or mesh files, report all problems, and repair on request."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Int
from numpy import ndarray

from gaugenet._typing import typed_array
from gaugenet.files import check_outputs
from gaugenet.geometry.mesh.defects import (
    PROBLEMS,
    Problem,
    find_defects,
    find_orientation_defects,
    problem,
    require_usable,
)
from gaugenet.geometry.mesh.mesh import MeshError, TriangleMesh
from gaugenet.geometry.mesh.repair import RepairAction, RepairResult, maps_file, repair_mesh
from gaugenet.geometry.mesh.report import QualityReport, describe
from gaugenet.geometry.mesh.topology import (
    Topology,
    coincident_vertices,
    degenerate_faces,
    finite_vertices,
    referenced_vertices,
)

__all__ = [
    "PROBLEMS",
    "Problem",
    "QualityReport",
    "RepairAction",
    "RepairResult",
    "describe",
    "inspect_files",
    "inspect_mesh",
    "repair_mesh",
    "require_usable",
]

logger = logging.getLogger(__name__)

_SEVERITIES = ("error", "warning", "info")
_DEFAULT_NEIGHBORS = 32.0
_MAX_LISTED = 100
_MAX_COUNTED = 4096


def inspect_mesh(
    mesh: TriangleMesh,
    *,
    radius: float | None = None,
    mean_neighbors: float | None = None,
    max_neighbors: int = 256,
    sliver_angle: float = 1.0,
) -> QualityReport:
    """Return the problems and measures of a mesh of any quality.

    Args:
        mesh: any mesh.
        radius: geodesic radius of neighbourhoods, in the units of the mesh.
        mean_neighbors: instead of `radius`, the mean number of neighbours; 32 by default.
        max_neighbors: vertices with more neighbours are reported. Neighbours are counted by Euclidean distance, which
            is an upper bound of their number.
        sliver_angle: faces with a smaller angle are reported, in degrees.

    Raises:
        ValueError: If both `radius` and `mean_neighbors` are given, or one is not positive.

    Example:
        >>> from gaugenet.geometry import TriangleMesh, inspect_mesh
        >>> flipped = TriangleMesh([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], [[0, 1, 2], [0, 3, 2]])
        >>> report = inspect_mesh(flipped)
        >>> report.ok
        False
    """
    if radius is not None and mean_neighbors is not None:
        raise ValueError(f"Expected one of `radius` ({radius}) and `mean_neighbors` ({mean_neighbors}), got both.")
    for name, value in (("radius", radius), ("mean_neighbors", mean_neighbors)):
        if value is not None and not 0 < value < np.inf:
            raise ValueError(f"Expected `{name}` > 0, got {value}.")
    finite = finite_vertices(mesh)
    # With numbers in place of NaN, every measure below is defined; faces at such vertices are left out of it.
    tame = mesh if finite.all() else TriangleMesh(np.where(finite[:, None], mesh.vertices, 0.0), mesh.faces)
    topology = Topology(tame)
    degenerate = degenerate_faces(tame, finite)
    sound = finite[topology.mesh.faces].all(axis=1)
    measured = topology.mesh if sound.all() else TriangleMesh(tame.vertices, topology.mesh.faces[sound])
    if radius is None:
        num_used = max(int(referenced_vertices(measured).sum()), 1)
        radius = float(np.sqrt((mean_neighbors or _DEFAULT_NEIGHBORS) * measured.area / (np.pi * num_used)))
    found = [
        *find_defects(tame, topology, finite, degenerate),
        *find_orientation_defects(topology),
        *_find_remarks(tame, topology, finite, degenerate),
        problem("slivers", _slivers(measured, topology.face_index[sound], degenerate, sliver_angle)),
        _runaway(measured, radius, max_neighbors),
    ]
    order = list(PROBLEMS)
    found.sort(key=lambda p: (_SEVERITIES.index(p.severity), order.index(p.name)))
    facts = _facts(mesh, topology, measured, radius)
    return QualityReport(tuple(p for p in found if p.count), facts)


def _find_remarks(
    mesh: TriangleMesh, topology: Topology, finite: Bool[ndarray, "vertices"], degenerate: Bool[ndarray, "faces"]
) -> Iterator[Problem]:
    """Yield the problems that are not defects of a single face, edge or orientation."""
    used = referenced_vertices(mesh)
    with_shape = np.zeros(mesh.num_vertices, dtype=bool)
    with_shape[mesh.faces[~degenerate].reshape(-1)] = True
    if not mesh.num_faces:
        yield Problem("empty", 1)
    yield problem("zero_area_stars", np.flatnonzero(used & finite & ~with_shape))
    yield problem("coincident_vertices", _seams(mesh, used & finite))
    yield problem("unreferenced_vertices", np.flatnonzero(finite & ~used))
    yield problem("inward_orientation", topology.face_index[_inward(topology, finite)])
    components = _component_vertices(topology.mesh)
    yield problem("components", components if len(components) > 1 else components[:0])
    yield problem("boundary_loops", topology.boundary_loops)


def _seams(mesh: TriangleMesh, usable: Bool[ndarray, "vertices"]) -> Int[ndarray, "coincident"]:
    """Vertices that a repair would merge; where the surface merely touches itself, merging would be undone."""
    itself = np.arange(mesh.num_vertices)
    if (coincident_vertices(mesh, usable) == itself).all():
        return itself[:0]
    result = repair_mesh(TriangleMesh(mesh.vertices, mesh.faces[usable[mesh.faces].all(axis=1)]))
    keep = np.flatnonzero(result.new_vertex >= 0)
    return typed_array(keep[result.vertex_map[result.new_vertex[keep]] != keep])


def _inward(topology: Topology, finite: Bool[ndarray, "vertices"]) -> Int[ndarray, "pieces"]:
    """First face of each closed piece most of whose normals point inside."""
    orientation = topology.orientation
    flipped = orientation.minority[orientation.first_faces]  # most faces run against the first one
    volume = np.where(flipped, -1.0, 1.0) * topology.signed_volumes
    sound = orientation.per_piece(~finite[topology.mesh.faces].all(axis=1)) == 0
    return typed_array(orientation.first_faces[sound & (volume < 0)])


def _component_vertices(mesh: TriangleMesh) -> Int[ndarray, "components"]:
    """The first vertex of each connected component that has a face."""
    used = np.flatnonzero(referenced_vertices(mesh))
    _, first = np.unique(mesh.vertex_components[used], return_index=True)
    return np.sort(used[first])


def _slivers(
    measured: TriangleMesh, face_index: Int[ndarray, "faces"], degenerate: Bool[ndarray, "all_faces"], angle: float
) -> Int[ndarray, "slivers"]:
    thin = np.rad2deg(measured.corner_angles.min(axis=1, initial=np.pi)) < angle
    return typed_array(face_index[thin & ~degenerate[face_index]])


def _runaway(mesh: TriangleMesh, radius: float, max_neighbors: int) -> Problem:
    """Vertices with more than `max_neighbors` others within the radius, counted on a sample if they are many."""
    from scipy.spatial import cKDTree

    candidates = _crowded(mesh, radius, max_neighbors)
    if not len(candidates):
        return Problem("runaway_neighborhoods", 0)
    sample = candidates[:: -(-len(candidates) // _MAX_COUNTED)]
    tree = cKDTree(mesh.vertices[referenced_vertices(mesh)])
    # The vertex itself is one of those found, so this is the neighbour number `max_neighbors + 1`.
    distance, _ = tree.query(mesh.vertices[sample], k=[max_neighbors + 2], distance_upper_bound=radius)
    found = problem("runaway_neighborhoods", sample[np.isfinite(distance[:, 0])])
    return Problem(found.name, round(found.count * len(candidates) / len(sample)), found.places)


def _crowded(mesh: TriangleMesh, radius: float, max_neighbors: int) -> Int[ndarray, "vertices"]:
    """Vertices whose 3 x 3 x 3 block of cells as wide as the radius holds more than `max_neighbors` vertices.

    The ball of that radius lies in the block, so that nobody with more neighbours is overlooked.
    """
    used = np.flatnonzero(referenced_vertices(mesh))
    x = mesh.vertices[used]
    if not len(used) or not radius > 0 or np.ptp(x, axis=0).max() > 1e5 * radius:
        return used
    cell = ((x - x.min(axis=0)) / radius).astype(np.int64) + 1
    width = cell.max(axis=0) + 2
    stride = np.array([width[1] * width[2], width[2], 1])
    keys, of_vertex, count = np.unique(cell @ stride, return_inverse=True, return_counts=True)
    total = np.zeros(len(keys), dtype=np.int64)
    for step in np.ndindex(3, 3, 3):
        wanted = keys + (np.array(step) - 1) @ stride
        at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        total += np.where(keys[at] == wanted, count[at], 0)
    return used[total[of_vertex.reshape(-1)] > max_neighbors + 1]


def _facts(mesh: TriangleMesh, topology: Topology, measured: TriangleMesh, radius: float) -> dict[str, Any]:
    used = measured.vertices[referenced_vertices(measured)]
    orientation, proper = topology.orientation, topology.mesh
    closed = topology.closed & orientation.orientable
    genus = (2 - topology.euler_characteristics[closed]) // 2
    num_vertices = int(referenced_vertices(proper).sum())
    return {
        "vertices": mesh.num_vertices,
        "faces": mesh.num_faces,
        "edges": len(proper.edges),
        "area": measured.area,
        "bounding_box": [used.min(axis=0).tolist(), used.max(axis=0).tolist()] if len(used) else None,
        "euler_characteristic": num_vertices - len(proper.edges) + proper.num_faces,
        "components": len(_component_vertices(proper)),
        "genus": genus[:_MAX_LISTED].tolist(),
        "boundary_loops": len(topology.boundary_loops),
        "edge_length": _quantiles(measured.edge_lengths),
        "min_angle": _quantiles(np.rad2deg(measured.corner_angles.min(axis=1, initial=np.pi))),
        "radius": radius,
    }


def _quantiles(values: ndarray) -> dict[str, float] | None:
    if not len(values):
        return None
    names = {"min": 0.0, "5%": 0.05, "median": 0.5, "95%": 0.95, "max": 1.0}
    return dict(zip(names, np.quantile(values, list(names.values())).tolist(), strict=True))


def inspect_files(
    paths: Iterable[str | Path], *, repair_to: str | Path | None = None, overwrite: bool = False
) -> list[dict[str, Any]]:
    """Inspect mesh files, and write repaired ones on request. One dictionary a file, ready for JSON.

    Args:
        paths: mesh files.
        repair_to: folder for the repaired meshes, `NAME.ply` with `vertex_map` and `face_map` in `NAME.npz`; names
            that are taken by another input get a number. Files elsewhere are never touched.
        overwrite: replace repaired meshes that exist. Inputs are never replaced.

    Returns:
        For each file `file` and the contents of `QualityReport.to_dict`, plus `repaired` (`file`, `actions`,
        `non_orientable` and the `report` afterwards) on request; or `file`, `ok: False` and `error`, if the file
        cannot be read. Each can be shown by `describe`.

    Raises:
        OSError: the folder cannot be written. OutputError: an output that exists.
    """
    files = [Path(path) for path in paths]
    targets = [] if repair_to is None else _free_names(Path(repair_to), files)
    check_outputs([t for path in targets for t in (path, maps_file(path))], inputs=files, overwrite=overwrite)
    entries = []
    for k, path in enumerate(files):
        entry: dict[str, Any] = {"file": str(path)}
        try:
            mesh = TriangleMesh.load(path)
        except (MeshError, OSError) as error:
            entries.append(entry | {"ok": False, "error": str(error)})
            continue
        entry |= inspect_mesh(mesh).to_dict()
        if repair_to is not None:
            entry["repaired"] = _repair_to(targets[k], mesh)
        entries.append(entry)
    return entries


def _free_names(folder: Path, files: Sequence[Path]) -> list[Path]:
    """A name for each repaired mesh that no input and no other repaired mesh has."""
    taken = {path.resolve() for path in files}
    names = []
    for path in files:
        numbers = ["", *(f"-{k}" for k in range(2, len(taken) + 3))]
        candidates = (folder / f"{path.stem}{number}.ply" for number in numbers)
        names.append(next(c for c in candidates if c.resolve() not in taken))
        taken.add(names[-1].resolve())
    return names


def _repair_to(target: Path, mesh: TriangleMesh) -> dict[str, Any]:
    result = repair_mesh(mesh)
    result.save(target)
    return {
        "file": str(target),
        "actions": [{"name": action.name, "count": action.count} for action in result.actions],
        "non_orientable": result.non_orientable,
        "report": inspect_mesh(result.mesh).to_dict(),
    }

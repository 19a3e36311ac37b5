"""Mesh files: vertices and faces as the file has them, in its order, or a clear error."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from gaugenet.geometry.mesh._gltf import check_gltf
from gaugenet.geometry.mesh._hdf5 import HDF5_SUFFIXES, is_hdf5_group, read_hdf5_mesh
from gaugenet.geometry.mesh._obj import parse_obj
from gaugenet.geometry.mesh._off import parse_off
from gaugenet.geometry.mesh._ply import parse_ply
from gaugenet.geometry.mesh._stl import parse_stl
from gaugenet.geometry.mesh._vtk import VTK_SUFFIXES, read_vtk
from gaugenet.geometry.mesh._words import text_of
from gaugenet.geometry.mesh.mesh import MeshError, TriangleMesh
from gaugenet.geometry.mesh.polygons import Polygons
from gaugenet.geometry.mesh.topology import coincident_vertices


def read_mesh(path: str | Path) -> TriangleMesh:
    """Read a mesh file: OBJ, OFF, PLY, STL and VTK in their order, others as trimesh does; see `TriangleMesh.load`.

    `FILE.hdf5/GROUP` is the mesh in a group of an HDF5 file, with the data sets `pos` and `face`.

    Raises:
        FileNotFoundError: If there is no such file.
        MeshError: If the file is truncated, empty, not a mesh, or a point cloud.
    """
    path = Path(path)
    grouped = is_hdf5_group(path)
    if not grouped and path.suffix.lower() in HDF5_SUFFIXES and path.is_file():
        raise MeshError(f"{path} holds meshes in groups: name one as {path}/GROUP, or pass the file as a data set.")
    if not grouped and not path.is_file():
        raise FileNotFoundError(f"No mesh file at {path}.")
    polygons = read_hdf5_mesh(path) if grouped else _read(path)
    faces, polygon = polygons.triangles()
    if faces.size == 0:
        raise MeshError(f"{path} holds no triangles: it is empty, truncated or a point cloud.")
    try:
        mesh = TriangleMesh(polygons.vertices, faces)
    except MeshError as error:
        raise MeshError(f"{path}: {error}") from error
    if path.suffix.lower() == ".stl":
        mesh = _joined(mesh)
    mesh.polygon_of_face = polygon
    return mesh


def _read(path: Path) -> Polygons:
    suffix = path.suffix.lower()
    if suffix not in _PARSERS and suffix not in VTK_SUFFIXES:
        return _with_trimesh(path)
    try:
        polygons = read_vtk(path).polygons if suffix in VTK_SUFFIXES else _PARSERS[suffix](path.read_bytes())
        return _with_corners(polygons)
    except MeshError as error:
        raise MeshError(f"Could not read {path} as a mesh: {error}") from error


def _with_corners(polygons: Polygons) -> Polygons:
    """Return polygons if all have triangles: without, labels of the file would not fit."""
    short = polygons.sizes < 3
    if short.any():
        first = int(short.argmax())
        raise MeshError(f"face {first} has {polygons.sizes[first]} corners: expected at least 3.")
    return polygons


_PARSERS: dict[str, Callable[[bytes], Polygons]] = {
    ".obj": lambda content: parse_obj(text_of(content)),
    ".off": lambda content: parse_off(text_of(content)),
    ".ply": parse_ply,
    ".stl": parse_stl,
}


def _with_trimesh(path: Path) -> Polygons:
    import trimesh

    try:
        if path.suffix.lower() in (".glb", ".gltf"):
            check_gltf(path.read_bytes())
        loaded = trimesh.load(path, process=False, force="mesh")
    except ImportError as error:
        name = error.name or next(iter(re.findall(r"'(\w+)", str(error))), "")
        raise MeshError(
            f"Could not read {path}: its format needs the package {name}: `pip install {name}`, or the extra "
            "`gaugenet[formats]`."
        ) from error
    except MemoryError:
        raise
    except Exception as error:  # any reader may fail in its own way on a broken file
        reason = " ".join(str(error).split())[:300].rstrip(".") or type(error).__name__
        raise MeshError(f"Could not read {path} as a mesh: {reason}.") from error
    vertices = np.asarray(getattr(loaded, "vertices", np.zeros((0, 3))))
    faces = np.asarray(getattr(loaded, "faces", np.zeros((0, 3), dtype=np.int64)))
    return Polygons(vertices, faces.reshape(-1), np.full(len(faces), 3))


def _joined(mesh: TriangleMesh) -> TriangleMesh:
    """Equal positions as one vertex, in the order of their first."""
    first = coincident_vertices(mesh, np.ones(mesh.num_vertices, dtype=bool))
    keep, index = np.unique(first, return_inverse=True)
    return TriangleMesh(mesh.vertices[keep], index.reshape(-1)[mesh.faces])

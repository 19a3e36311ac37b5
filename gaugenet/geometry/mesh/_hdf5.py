"""Meshes in groups of an HDF5 file: the path `database.hdf5/sample_0` names one of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from gaugenet.geometry.mesh.mesh import MeshError
from gaugenet.geometry.mesh.polygons import Polygons

HDF5_SUFFIXES = frozenset({".h5", ".hdf5"})
POSITIONS, FACES = "pos", "face"
"""Names of the data sets with the vertices `(V, 3)` and the triangles `(F, 3)` of a group."""


def is_hdf5_group(path: Path) -> bool:
    """Return whether a path consists of an existing HDF5 file and the name of a group in it."""
    return path.parent.suffix.lower() in HDF5_SUFFIXES and path.parent.is_file()


def open_hdf5(file: Path) -> Any:
    """Open an HDF5 file for reading.

    Raises:
        MeshError: If h5py is not installed, or the file cannot be read.
    """
    try:
        import h5py
    except ImportError as error:
        raise MeshError(f"{file}: HDF5 needs the package h5py: pip install 'gaugenet[fields]'.") from error
    try:
        return h5py.File(file, "r")
    except OSError as error:
        raise MeshError(f"{file} cannot be read as HDF5 ({error}).") from error


def hdf5_meshes(file: Path) -> tuple[Path, ...]:
    """Return the paths of all groups of a file that hold a mesh, sorted by name; empty if there are none.

    Raises:
        MeshError: If the file cannot be read.
    """
    with open_hdf5(file) as content:
        held = [name for name, entry in content.items() if hasattr(entry, "keys") and {POSITIONS, FACES} <= {*entry}]
    return tuple(file / name for name in sorted(held))


def read_hdf5_mesh(path: Path) -> Polygons:
    """Return the mesh of a group.

    Raises:
        FileNotFoundError: If the file has no group of this name.
        MeshError: If the group has no mesh, or arrays of other shapes.
    """
    with open_hdf5(path.parent) as content:
        if path.name not in content:
            raise FileNotFoundError(f"{path.parent} has no group {path.name!r}.")
        group = content[path.name]
        missing = [
            name
            for name in (POSITIONS, FACES)
            if not hasattr(group, "keys") or name not in group or not hasattr(group[name], "shape")
        ]
        if missing:
            raise MeshError(
                f"{path} is not a mesh: expected the data sets pos and face, {' and '.join(missing)} missing."
            )
        vertices, faces = np.asarray(group[POSITIONS][()]), np.asarray(group[FACES][()])
    for name, array in ((POSITIONS, vertices), (FACES, faces)):
        if array.ndim != 2 or array.shape[1] != 3:
            remedy = ": store its transpose" if array.ndim == 2 and array.shape[0] == 3 else ""
            raise MeshError(f"{path}: expected {name!r} of shape (n, 3), got {array.shape}{remedy}.")
    if vertices.dtype.kind not in "iuf":
        raise MeshError(f"{path}: expected numbers in 'pos', got {vertices.dtype}.")
    if not np.issubdtype(faces.dtype, np.integer):
        raise MeshError(f"{path}: expected indices in 'face', got {faces.dtype}.")
    return Polygons(vertices.astype(np.float64), faces.astype(np.int64).reshape(-1), np.full(len(faces), 3))

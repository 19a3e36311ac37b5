"""Mesh files: vertices and faces as the file has them, in its order, or a clear error."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
from numpy import ndarray

from gaugenet.geometry.mesh.mesh import MeshError, TriangleMesh
from gaugenet.geometry.mesh.topology import coincident_vertices


def read_mesh(path: str | Path) -> TriangleMesh:
    """The mesh of any file that trimesh reads; see `TriangleMesh.load`.

    Raises:
        FileNotFoundError: no such file.
        MeshError: the file is truncated, empty, not a mesh, or a point cloud.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"No mesh file at {path}.")
    vertices, faces = _read(path)
    if faces.size == 0:
        raise MeshError(f"{path} holds no triangles: it is empty, truncated or a point cloud.")
    _check_declared(path, len(vertices), len(faces))
    try:
        mesh = TriangleMesh(vertices, faces)
    except MeshError as error:
        raise MeshError(f"{path}: {error}") from error
    return _joined(mesh) if path.suffix.lower() == ".stl" else mesh


def _read(path: Path) -> tuple[ndarray, ndarray]:
    import trimesh

    try:
        if path.suffix.lower() == ".obj":
            text = io.StringIO(_obj_geometry(path.read_text(encoding="utf-8", errors="replace")))
            loaded = trimesh.load(text, file_type="obj", process=False, force="mesh", maintain_order=True)
        else:
            loaded = trimesh.load(path, process=False, force="mesh")
    except Exception as error:  # any reader may fail in its own way on a broken file
        raise MeshError(f"Could not read {path} as a mesh: {error or type(error).__name__}.") from error
    return np.asarray(getattr(loaded, "vertices", ())), np.asarray(getattr(loaded, "faces", ()))


def _obj_geometry(text: str) -> str:
    """The `v` and `f` lines of an OBJ file: trimesh would split vertices at texture, normal and material seams."""
    lines = re.findall(r"^[ \t]*[vf][ \t].*$", text.replace("\\\n", " "), flags=re.MULTILINE)
    return re.sub(r"/\S*", "", "\n".join(lines)) + "\n"


def _check_declared(path: Path, num_vertices: int, num_faces: int) -> None:
    """Compare with the numbers in the header: a text file cut short is otherwise read as far as it goes."""
    with path.open("rb") as file:
        header = file.read(4096).decode("ascii", errors="replace")
    if path.suffix.lower() == ".off":
        found = re.match(r"\s*(?:[A-Z]*OFF)?\s*(\d+)\s+(\d+)\s", re.sub(r"#.*", "", header))
    elif path.suffix.lower() == ".ply":
        found = re.search(r"element vertex (\d+).*element face (\d+)", header, flags=re.DOTALL)
    else:
        return
    # Polygons are cut into several triangles: more faces than declared are fine.
    if found and (num_vertices < int(found[1]) or num_faces < int(found[2])):
        raise MeshError(
            f"{path} is truncated: its header declares {found[1]} vertices and {found[2]} faces, "
            f"but it holds {num_vertices} and {num_faces}."
        )


def _joined(mesh: TriangleMesh) -> TriangleMesh:
    """Equal positions as one vertex, in the order of their first."""
    first = coincident_vertices(mesh, np.ones(mesh.num_vertices, dtype=bool))
    keep, index = np.unique(first, return_inverse=True)
    return TriangleMesh(mesh.vertices[keep], index.reshape(-1)[mesh.faces])

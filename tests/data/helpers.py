"""Small meshes, and writers of labelled mesh files."""

from __future__ import annotations

from pathlib import Path

import trimesh

from gaugenet.geometry.mesh import TriangleMesh


def icosphere(level: int = 2) -> TriangleMesh:
    mesh = trimesh.creation.icosphere(subdivisions=level)
    return TriangleMesh(mesh.vertices, mesh.faces)


def write_obj(path: Path, mesh: TriangleMesh) -> None:
    lines = [f"v {x} {y} {z}" for x, y, z in mesh.vertices]
    lines += [f"f {a} {b} {c}" for a, b, c in mesh.faces + 1]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def write_ply(path: Path, mesh: TriangleMesh, *, vertex_labels=None, face_labels=None) -> None:
    """An ASCII PLY with the property `label` on vertices or faces."""
    header = ["ply", "format ascii 1.0", f"element vertex {mesh.num_vertices}"]
    header += [f"property float {axis}" for axis in "xyz"]
    header += ["property int label"] * (vertex_labels is not None)
    header += [f"element face {mesh.num_faces}", "property list uchar int vertex_indices"]
    header += ["property int label"] * (face_labels is not None)
    rows = []
    for i, v in enumerate(mesh.vertices):
        rows.append(" ".join(map(str, v)) + ("" if vertex_labels is None else f" {vertex_labels[i]}"))
    for i, f in enumerate(mesh.faces):
        rows.append("3 " + " ".join(map(str, f)) + ("" if face_labels is None else f" {face_labels[i]}"))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*header, "end_header", *rows]) + "\n")

"""Small meshes, and writers of labelled mesh files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import trimesh

from gaugenet.geometry.mesh.mesh import TriangleMesh


def icosphere(level: int = 2) -> TriangleMesh:
    mesh = trimesh.creation.icosphere(subdivisions=level)
    return TriangleMesh(mesh.vertices, mesh.faces)


def grid(columns: int, rows: int, *, jitter: float = 0.0, rng: np.random.Generator | None = None) -> TriangleMesh:
    """A flat rectangle of unit squares cut into triangles; inner vertices jittered within the plane."""
    x, y = np.meshgrid(np.arange(columns), np.arange(rows), indexing="ij")
    vertices = np.stack([x, y, 0 * x], axis=-1).reshape(-1, 3).astype(float)
    inner = (x > 0) & (x < columns - 1) & (y > 0) & (y < rows - 1)
    if rng is not None:
        vertices[:, :2] += jitter * rng.uniform(-1, 1, (len(vertices), 2)) * inner.reshape(-1, 1)
    corner = (x * rows + y)[:-1, :-1].reshape(-1)
    lower = np.stack([corner, corner + rows, corner + rows + 1], axis=-1)
    upper = np.stack([corner, corner + rows + 1, corner + 1], axis=-1)
    return TriangleMesh(vertices, np.concatenate([lower, upper]))


def torus(around: int, across: int, *, major: float = 1.0, minor: float = 0.5) -> TriangleMesh:
    """A torus about the z axis, normals outward."""
    i, j = np.meshgrid(np.arange(around), np.arange(across), indexing="ij")
    u, v = 2 * np.pi * i / around, 2 * np.pi * j / across
    distance = major + minor * np.cos(v)
    vertices = np.stack([distance * np.cos(u), distance * np.sin(u), minor * np.sin(v)], axis=-1).reshape(-1, 3)

    def index(a, b):
        return ((a % around) * across + b % across).reshape(-1)

    a, b, c, d = index(i, j), index(i + 1, j), index(i + 1, j + 1), index(i, j + 1)
    return TriangleMesh(vertices, np.concatenate([np.stack([a, b, c], -1), np.stack([a, c, d], -1)]))


def tangent_frames(mesh: TriangleMesh) -> np.ndarray:
    """Orthonormal frames `(V, 3, 2)`, first vector x second vector = normal."""
    normal = mesh.vertex_normals
    axis = np.eye(3)[np.abs(normal).argmin(axis=1)]
    first = axis - (axis * normal).sum(-1, keepdims=True) * normal
    first /= np.linalg.norm(first, axis=-1, keepdims=True)
    return np.stack([first, np.cross(normal, first)], axis=-1)


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

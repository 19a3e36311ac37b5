"""Binary PLY with an integer `label` at every face."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .surface import LabelledMesh

_VERTEX = np.dtype([("x", "<f4"), ("y", "<f4"), ("z", "<f4")])
_FACE = np.dtype([("count", "u1"), ("corners", "<i4", (3,)), ("label", "u1")])
_HEADER = """ply
format binary_little_endian 1.0
comment {comment}
element vertex {vertices}
property float x
property float y
property float z
element face {faces}
property list uchar int vertex_indices
property uchar label
end_header
"""


def ply_bytes(mesh: LabelledMesh, comment: str) -> bytes:
    """The file's content: float32 positions, 32-bit corners, 8-bit labels."""
    vertices = np.empty(len(mesh.vertices), _VERTEX)
    for k, name in enumerate("xyz"):
        vertices[name] = mesh.vertices[:, k]
    faces = np.empty(len(mesh.faces), _FACE)
    faces["count"], faces["corners"], faces["label"] = 3, mesh.faces, mesh.labels
    header = _HEADER.format(comment=comment, vertices=len(vertices), faces=len(faces))
    return header.encode("ascii") + vertices.tobytes() + faces.tobytes()


def read_ply(path: str | Path) -> LabelledMesh:
    """Read back what `ply_bytes` made, and nothing else.

    Raises:
        ValueError: the header or the length is not what `ply_bytes` writes.
    """
    data = Path(path).read_bytes()
    header, found, body = data.partition(b"end_header\n")
    counts = {
        words[1]: int(words[2])
        for words in (line.split() for line in header.decode("ascii", "replace").splitlines())
        if words[:1] == ["element"]
    }
    num_vertices, num_faces = counts.get("vertex", 0), counts.get("face", 0)
    expected = num_vertices * _VERTEX.itemsize + num_faces * _FACE.itemsize
    if not found or len(body) != expected:
        raise ValueError(f"{path}: expected {expected} bytes after the header, got {len(body)}: write the file anew.")
    vertices = np.frombuffer(body, _VERTEX, num_vertices)
    faces = np.frombuffer(body, _FACE, num_faces, offset=num_vertices * _VERTEX.itemsize)
    positions = np.stack([vertices[name] for name in "xyz"], axis=-1).astype(np.float64)
    return LabelledMesh(positions, faces["corners"].astype(np.int64), faces["label"].astype(np.int64))

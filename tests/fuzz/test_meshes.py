"""Damaged mesh files: read, or refused by name; what is read can be inspected."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
import trimesh
from hypothesis import given
from hypothesis import strategies as st

from gaugenet.geometry import TriangleMesh, inspect_mesh
from tests.fuzz.mutations import damaged, fuzz, longer, reads_or_refuses

SOLID = trimesh.creation.box()
OBJ = (
    b"# box\nmtllib a.mtl\nv 0 0 0\nv 1 0 0 # corner\nv 1 1 0\nv 0 1 0.5\nvt 0 0\nf 1/1 2/1 3/1 4/1\nf -4 -3 \\\n -1\n"
)
OFF = b"OFF\n4 2 0\n0 0 0\n1 0 0\n1 1 0\n0 1 0.5\n4 0 1 2 3\n3 0 1 3 255 0 0\n"
STRIP = (
    b"ply\nformat ascii 1.0\ncomment x\nelement vertex 4\nproperty float x\nproperty float y\nproperty float z\n"
    b"element tristrips 1\nproperty list int int vertex_indices\nend_header\n0 0 0\n1 0 0\n0 1 0\n1 1 0\n5 0 1 2 -1 3\n"
)


def _exported(kind: str, **options) -> bytes:
    content = SOLID.export(file_type=kind, **options)
    return content if isinstance(content, bytes) else content.encode()


def _quads() -> bytes:
    """Binary polygons with texture coordinates."""
    head = (
        "ply\nformat binary_little_endian 1.0\nelement vertex 4\nproperty float x\nproperty float y\nproperty float z\n"
        "element face 2\nproperty list uchar int vertex_indices\nproperty list uchar float texcoord\nend_header\n"
    )
    body = np.arange(12, dtype="<f4").tobytes()
    for corners in ((0, 1, 2, 3), (0, 1, 2)):
        body += struct.pack(f"<B{len(corners)}iB2f", len(corners), *corners, 2, 0.5, 0.5)
    return head.encode() + body


def _glb(mode: int) -> bytes:
    scene = io.BytesIO(SOLID.export(file_type="glb")).getvalue()
    return scene.replace(b'"mode":4', f'"mode":{mode}'.encode())


FILES = {
    "obj": [OBJ, _exported("obj")],
    "off": [OFF, _exported("off")],
    "ply": [STRIP, _quads(), _exported("ply"), _exported("ply", encoding="ascii")],
    "stl": [_exported("stl"), trimesh.exchange.stl.export_stl_ascii(SOLID).encode()],
    "glb": [_glb(4), _glb(5), _glb(6)],
}


def _inspected(path):
    mesh = TriangleMesh.load(path)
    assert mesh.num_faces == len(mesh.polygon_of_face) > 0
    return inspect_mesh(mesh)


def _check(tmp_path, suffix: str, content: bytes) -> None:
    reads_or_refuses(_inspected, tmp_path / f"damaged.{suffix}", content)


@pytest.mark.parametrize("suffix", FILES)
def test_control_the_files_are_whole(tmp_path, suffix):
    for content in FILES[suffix][:2]:
        reads_or_refuses(_inspected, tmp_path / f"whole.{suffix}", content).to_dict()


@pytest.mark.parametrize("suffix", FILES)
@fuzz
@given(data=st.data())
def test_damaged_meshes(tmp_path, suffix, data):
    _check(tmp_path, suffix, data.draw(damaged(FILES[suffix])))


@pytest.mark.parametrize("suffix", FILES)
@longer
@given(data=st.data())
def test_many_damaged_meshes(tmp_path, suffix, data):
    _check(tmp_path, suffix, data.draw(damaged(FILES[suffix])))

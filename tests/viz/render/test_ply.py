from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh

from gaugenet.geometry.mesh.mesh import TriangleMesh
from gaugenet.viz import label_colors, write_ply


@pytest.mark.parametrize("site", ["face", "vertex"])
def test_trimesh_reads_back_what_was_written(sphere: trimesh.Trimesh, tmp_path: Path, site: str) -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(-1, 6, size=320 if site == "face" else 162)
    vertices = sphere.vertices + rng.normal(size=sphere.vertices.shape)
    path = tmp_path / "new folder" / "labelled.ply"
    write_ply(path, vertices, sphere.faces, labels, class_names=["head", "leg\nend_header", "arm", "tail", "é", "f"])

    read = trimesh.load(path, process=False)
    np.testing.assert_array_equal(read.vertices, vertices)  # float64, bit for bit
    np.testing.assert_array_equal(read.faces, sphere.faces)
    assert read.visual.kind == site
    colors = read.visual.face_colors if site == "face" else read.visual.vertex_colors
    np.testing.assert_array_equal(colors[:, :3], label_colors(labels))
    assert (colors[:, 3] == 255).all()
    np.testing.assert_array_equal(read.metadata["_ply_raw"][site]["data"]["label"], labels)
    assert TriangleMesh.load(path).num_faces == 320


def test_the_header_names_the_classes_and_nothing_else(sphere: trimesh.Trimesh, tmp_path: Path) -> None:
    path = tmp_path / "a.ply"
    write_ply(path, sphere.vertices, sphere.faces, np.zeros(320, dtype=int), class_names=["x\nelement vertex 1"])
    header = path.read_bytes().split(b"end_header\n")[0].decode("ascii").splitlines()
    assert header[:2] == ["ply", "format binary_little_endian 1.0"]
    assert any(line.startswith("comment class 0 x_element_vertex_1 color 63 127 214") for line in header)
    assert [line for line in header if line.startswith("element")] == ["element vertex 162", "element face 320"]


def test_a_mesh_without_labels(sphere: trimesh.Trimesh, tmp_path: Path) -> None:
    write_ply(tmp_path / "a.ply", sphere.vertices, sphere.faces)
    assert b"label" not in (tmp_path / "a.ply").read_bytes().split(b"end_header")[0]
    assert len(trimesh.load(tmp_path / "a.ply", process=False).faces) == 320


def test_a_failure_leaves_the_older_file_and_no_debris(
    sphere: trimesh.Trimesh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.ply"
    path.write_bytes(b"older")
    with pytest.raises(ValueError, match="319"):
        write_ply(path, sphere.vertices, sphere.faces, np.zeros(319, dtype=int))

    def full_disk(*_: object, **__: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("gaugenet.viz.render.ply._header", full_disk)
    with pytest.raises(OSError, match="no space"):
        write_ply(path, sphere.vertices, sphere.faces)
    assert [p.name for p in tmp_path.iterdir()] == ["a.ply"]
    assert path.read_bytes() == b"older"

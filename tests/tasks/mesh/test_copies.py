"""Validation meshes that are copies of training meshes are named: their scores would be too good."""

from __future__ import annotations

import numpy as np

from gaugenet.data import InputFeatures, Positions
from gaugenet.data.meshes.sample import MeshSample
from gaugenet.geometry.mesh.mesh import TriangleMesh
from gaugenet.tasks.mesh.copies import find_copies, warn_of_copies
from gaugenet.tasks.mesh.data_options import DataOptions, GeometryOptions
from gaugenet.tasks.mesh.preparation import Preparation, Prepared, prepare_mesh
from gaugenet.tasks.mesh.train import train
from tests.tasks.mesh.meshes import ellipsoid, write_folder, write_obj

HOW = Preparation(InputFeatures([Positions()]), GeometryOptions(levels=1), n_jobs=1)


def prepared(name: str, vertices: np.ndarray, faces: np.ndarray) -> Prepared:
    return prepare_mesh(MeshSample(name, TriangleMesh(vertices, faces), face_labels=np.zeros(len(faces), int)), HOW)


def moved(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mesh rotated, mirrored, scaled, shifted and renumbered, in float32."""
    rng = np.random.default_rng(0)
    turn, order = np.linalg.qr(rng.normal(size=(3, 3)))[0], rng.permutation(len(vertices))
    return (2.5 * vertices @ turn + 7)[order].astype(np.float32), np.argsort(order)[faces]


def test_moved_and_renumbered_copies_are_found_and_other_poses_are_not():
    meshes = [ellipsoid(k)[:2] for k in range(4)]
    training = [prepared(str(k), *mesh).graph for k, mesh in enumerate(meshes[:3])]
    bent = meshes[1][0] * (1 + 0.02 * meshes[1][0][:, :1])  # the same triangles in another pose: 2 % off
    others = [prepared("a", *moved(*meshes[2])).graph, prepared("b", *meshes[3]).graph]
    others += [prepared("c", bent, meshes[1][1]).graph, prepared("d", *meshes[0]).graph]
    assert find_copies(training, others) == [(0, 2), (3, 0)]
    assert find_copies([], others) == find_copies(training, []) == []


def test_the_warning_names_them(caplog):
    first, second = ellipsoid(0)[:2], ellipsoid(1)[:2]
    warn_of_copies([prepared("cat", *first)], [prepared("dog", *second)])
    assert not caplog.text, "control"
    warn_of_copies([prepared("cat", *first)], [prepared("dog", *second), prepared("cat_2", *moved(*first))])
    assert "1 of 2 validation meshes are copies of training meshes (cat_2 of cat)" in caplog.text


def test_a_training_warns_and_counts_its_remeshed_copies_apart(tmp_path, caplog):
    root = write_folder(tmp_path / "data", train=2, val=1, test=1)
    write_obj(root / "val" / "twin.obj", *moved(*ellipsoid(1)[:2]))
    np.save(root / "val" / "twin.npy", ellipsoid(1)[2])
    with caplog.at_level("INFO"):
        train(
            "segmentation",
            tmp_path / "run",
            data=DataOptions(root=root, features="Positions()", remesh="Subdivision()", n_jobs=1),
            geometry=GeometryOptions(levels=1),
            model={"width": 2, "blocks": 1},
            trainer={"max_epochs": 1, "accelerator": "cpu"},
        )
    assert "2 training meshes and 2 remeshed copies of them (" in caplog.text
    assert "1 of 2 validation meshes are copies of training meshes (twin of body0)" in caplog.text

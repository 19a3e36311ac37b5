"""Preparation gives the same graphs wherever the work is done, and the way back to the mesh as given."""

from __future__ import annotations

import json
import os
import threading

import numpy as np
import pytest
import torch
from joblib import parallel_config

from gaugenet.cli import main
from gaugenet.data import DataError, InputFeatures, LabelledMeshFolder, MeshSample, Positions
from gaugenet.geometry.mesh.mesh import TriangleMesh
from gaugenet.tasks.mesh.data_options import DataOptions, GeometryOptions, open_dataset
from gaugenet.tasks.mesh.losses import IGNORE
from gaugenet.tasks.mesh.preparation import Preparation, prepare_all, prepare_mesh
from tests.tasks.mesh.meshes import ellipsoid, write_folder


class _Whereabouts(Positions):
    """A feature that notes where it was computed."""

    intrinsic = True

    def compute(self, graph):
        place = float(os.getpid()), float(threading.get_ident() % 2**20)
        return torch.tensor(place).expand(len(graph.pos), 2).contiguous()

    fields = (("0", 2),)


def _how(**options) -> Preparation:
    return Preparation(InputFeatures([Positions()]), GeometryOptions(levels=2), **options)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return LabelledMeshFolder(write_folder(tmp_path_factory.mktemp("set"), train=4, val=1, test=1), "train")


def _same(a, b) -> bool:
    return set(a.keys()) == set(b.keys()) and all(  # PyG returns keys in the order of a set of text
        torch.equal(a[k], b[k]) if isinstance(a[k], torch.Tensor) else a[k] == b[k]
        for k in a.keys()  # noqa: SIM118
    )


@pytest.mark.parametrize("backend", ["sequential", "threading", "loky"])
def test_any_joblib_backend_prepares_the_same_graphs(folder, backend):
    here = prepare_all(folder, _how(n_jobs=1))
    with parallel_config(backend=backend):
        there = prepare_all(folder, _how(n_jobs=2))
    assert all(_same(a.graph, b.graph) for a, b in zip(here, there, strict=True))


def test_a_backend_that_the_user_names_is_used(folder):
    how = Preparation(InputFeatures([_Whereabouts()]), GeometryOptions(levels=1), n_jobs=2)
    positions = {}
    for backend in ("threading", "loky"):
        with parallel_config(backend=backend):
            graphs = [p.graph for p in prepare_all(folder, how)]
        positions[backend] = {how.features(g).x[0, 0].item() for g in graphs}
    own = torch.tensor(float(os.getpid())).item()
    assert positions["threading"] == {own}
    assert own not in positions["loky"]


def test_a_second_preparation_reads_the_cache(folder, tmp_path, monkeypatch):
    first = prepare_all(folder, _how(cache=tmp_path))
    monkeypatch.setattr("gaugenet.geometry.mesh._hierarchy.hierarchy", None)
    second = prepare_all(folder, _how(cache=tmp_path))
    assert all(_same(a.graph, b.graph) for a, b in zip(first, second, strict=True))
    parts = 2 + 2 * len(_how().features.intrinsic)  # geometry and surface; a spectrum and a signature
    assert len(list(tmp_path.iterdir())) <= parts * len(folder)


def test_all_unusable_meshes_are_named():
    def sample(name, spoil):
        vertices, faces, labels = ellipsoid(0)
        spoil(vertices)
        return MeshSample(name, TriangleMesh(vertices, faces), face_labels=labels)

    samples = [
        sample("good", lambda v: None),
        sample("holed", lambda v: v.__setitem__(3, np.nan)),
        sample("flat", lambda v: v.__setitem__((slice(None), 2), np.inf)),
    ]
    with pytest.raises(DataError, match=r"(?s)2 of 3 meshes cannot be used:.*holed: .*flat: "):
        prepare_all(samples, _how())


def test_values_come_back_to_the_mesh_as_given():
    """Two faces of a closed surface repeated and a vertex apart: what the repair drops takes its neighbour's value."""
    vertices, faces, labels = ellipsoid(2)
    labels[5] = IGNORE
    far = np.concatenate([vertices, [[100.0, 0.0, 0.0]]])
    doubled = np.concatenate([faces, faces[:2]])
    sample = MeshSample("m", TriangleMesh(far, doubled), face_labels=np.concatenate([labels, labels[:2]]))
    one = prepare_mesh(sample, _how(repair="always"), num_classes=3)
    assert one.repairs
    assert torch.equal(one.graph.y, torch.from_numpy(labels))
    centres = far[doubled].mean(axis=1)
    np.testing.assert_allclose(one.on_original(centres[one.face_map], "face"), centres, atol=1e-12)
    back = one.on_original(far[one.vertex_map], "vertex")
    np.testing.assert_allclose(back[:-1], vertices, atol=1e-12)
    nearest = vertices[np.linalg.norm(vertices - far[-1], axis=1).argmin()]
    np.testing.assert_allclose(back[-1], nearest)


def test_a_training_sees_other_meshes_of_its_surfaces(tmp_path, capsys):
    data = write_folder(tmp_path / "data", train=3, val=1, test=1)
    command = ["train", "segmentation", "--data", str(data), "--out", str(tmp_path / "run"), "--max_epochs=1"]
    command += ["--data.remesh=Subdivision(), Cut(0.2)", "--data.features=Positions()", "--geometry.levels=1"]
    assert main([*command, "--model.width=2", "--n_jobs=1", "--threads=1", "--trainer.logger=none"]) == 0
    assert "3 training meshes and 6 remeshed copies of them" in "".join(capsys.readouterr())
    assert json.loads((tmp_path / "run" / "run.json").read_text())["data"]["remesh"] == "Subdivision(), Cut(0.2)"
    assert len(list((tmp_path / "run" / "cache").iterdir())) == 2 * 10 + 6, "a graph and a surface each, and copies"


@pytest.mark.parametrize("more", [{}, {"held_out": ("train/body1.obj", "train/body4.obj")}], ids=["folder", "fold"])
def test_fewer_training_meshes_are_among_the_more_and_the_other_parts_stay(tmp_path, more):
    root = write_folder(tmp_path / "set", train=8, val=2, test=2)

    def names(split, **changes):
        return open_dataset("segmentation", DataOptions(root=root, **more, **changes), split).names

    whole, three, five = (names("train", train_size=n) for n in (0, 3, 5))
    assert (len(three), len(five)) == (3, 5)
    assert set(three) < set(five) < set(whole)
    assert five != names("train", train_size=5, split_seed=1)
    for split in ("val", "test"):
        assert names(split, train_size=3) == names(split)
    with pytest.raises(DataError, match=r"`data.train_size` is 11, but the training part has"):
        names("train", train_size=11)

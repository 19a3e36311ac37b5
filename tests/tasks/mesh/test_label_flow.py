"""Probabilities flow between faces: exactly, by lengths of the surface, less into folds, and never between parts."""

from __future__ import annotations

import json

import numpy as np
import pytest

from gaugenet.cli import main
from gaugenet.geometry import Icosphere, TriangleMesh
from gaugenet.geometry.mesh.refine import subdivide
from gaugenet.tasks import TaskError
from gaugenet.tasks.mesh.inference import Predictor
from gaugenet.tasks.mesh.label_flow import flow_of, flowed
from tests.tasks.mesh.meshes import ellipsoid, write_folder


def bumpy(seed: int) -> TriangleMesh:
    return TriangleMesh(*ellipsoid(seed)[:2])


def random_rows(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet([0.3] * 4, size=count)


def roof(angle: float) -> TriangleMesh:
    """Two unit squares with a common edge, the second one bent by an angle; negative is a valley."""
    up = np.sin(-angle)
    vertices = [[-1, 0, 0], [0, 0, 0], [0, 1, 0], [-1, 1, 0], [np.cos(angle), 0, up], [np.cos(angle), 1, up]]
    return TriangleMesh(np.array(vertices, dtype=float), [[0, 1, 2], [0, 2, 3], [1, 4, 5], [1, 5, 2]])


def equation(mesh: TriangleMesh, width: float) -> np.ndarray:
    """The matrix of the implicit step, from a loop over pairs of faces."""
    a, total = mesh.face_areas, mesh.area
    matrix = np.diag(a)
    centers = mesh.vertices[mesh.faces].mean(axis=1)
    for i in range(mesh.num_faces):
        for j in range(mesh.num_faces):
            common = set(mesh.faces[i].tolist()) & set(mesh.faces[j].tolist())
            if i == j or len(common) != 2:
                continue
            p, q = mesh.vertices[sorted(common)]
            length = np.linalg.norm(q - p)
            n, m = mesh.face_normals[i], mesh.face_normals[j]
            bend = np.arccos(np.clip(n @ m, -1, 1))
            concave = bend if (centers[j] - p) @ n > 0 else 0.0
            distance = sum(2 * a[k] / length / 3 for k in (i, j))  # centroids lie at a third of the height
            rate = width**2 * total / 4 * length / (distance + 0.08 * np.sqrt(total) * concave)
            matrix[i, i] += rate
            matrix[i, j] -= rate
    return matrix


def test_it_solves_the_equation():
    mesh = bumpy(3)
    p = random_rows(mesh.num_faces)
    expected = np.linalg.solve(equation(mesh, 0.1), mesh.face_areas[:, None] * p)
    found = flowed(p, mesh, width=0.1)
    assert np.abs(found - expected).max() < 1e-7  # the tolerance of the iteration
    assert np.abs(flowed(p, mesh, width=0.11) - expected).max() > 1e-3
    assert np.allclose(found.sum(axis=1), 1, atol=1e-7)
    assert np.allclose(mesh.face_areas @ found, mesh.face_areas @ p, atol=1e-7 * mesh.area)


def test_lengths_decide_not_triangles():
    sphere = Icosphere(3)
    mesh = TriangleMesh(sphere.pos, sphere.face.T)
    fine = subdivide(mesh)
    height = mesh.vertices[mesh.faces].mean(axis=1)[:, 2]
    p = np.stack([height > 0.3, height <= 0.3], axis=1).astype(float)
    of_parent = np.tile(np.arange(mesh.num_faces), 4)
    coarse = flowed(p, mesh, width=0.15)
    again = flowed(p[of_parent], fine, width=0.15)
    means = np.stack([np.bincount(of_parent, fine.face_areas * again[:, k]) for k in (0, 1)], axis=1)
    means /= np.bincount(of_parent, fine.face_areas)[:, None]
    assert np.abs(means - coarse).max() < 0.06
    assert np.abs(flowed(p, mesh, width=0.3) - coarse).max() > 0.1, "by the number of faces it would be half as wide"
    scaled = TriangleMesh(1000 * mesh.vertices + 5.0, mesh.faces)
    assert np.abs(flowed(p, scaled, width=0.15) - coarse).max() < 1e-6


def test_less_flows_into_a_valley_than_over_a_ridge():
    p = np.array([[1.0, 0.0]] * 2 + [[0.0, 1.0]] * 2)
    flat, ridge, valley = (flowed(p, roof(angle), width=0.4)[2:, 0].mean() for angle in (0.0, 1.0, -1.0))
    assert ridge == pytest.approx(flat, rel=1e-6)
    assert 0 < valley < 0.9 * flat


def test_parts_do_not_mix_and_the_numbering_is_irrelevant():
    one = bumpy(1)
    both = TriangleMesh(
        np.concatenate([one.vertices, one.vertices + 3.0]), np.concatenate([one.faces, one.faces + one.num_vertices])
    )
    p = np.repeat(np.eye(2), one.num_faces, axis=0)
    assert np.abs(flowed(p, both, width=0.3) - p).max() < 1e-7
    rng, q = np.random.default_rng(0), random_rows(one.num_faces)
    order, shuffled = rng.permutation(one.num_faces), rng.permutation(one.num_vertices)
    new = TriangleMesh(one.vertices[shuffled.argsort()], shuffled[one.faces[order]])
    assert np.abs(flowed(q[order], new, width=0.1) - flowed(q, one, width=0.1)[order]).max() < 1e-6


def test_bad_input():
    mesh = bumpy(1)
    with pytest.raises(ValueError, match="positive `width`"):
        flowed(random_rows(mesh.num_faces), mesh, width=0.0)
    with pytest.raises(ValueError, match=f"each of {mesh.num_faces} faces, got 5"):
        flowed(random_rows(5), mesh, width=0.1)
    with pytest.raises(TaskError, match="labels each vertex"):
        flow_of("vertex", 0.05)
    with pytest.raises(TaskError, match=r"in \[0, 1\)"):
        flow_of("face", 1.5)
    assert flow_of("vertex", 0.0) == 0.0


def test_a_run_keeps_its_flow_and_evaluations_change_it(tmp_path):
    data, run = write_folder(tmp_path / "data", train=4, val=1, test=2), tmp_path / "run"
    command = ["train", "segmentation", "--data", str(data), "--out", str(run), "--threads=1", "--n_jobs=1"]
    command += ["--data.features=HeatKernelSignature(8)", "--geometry.levels=1", "--model.width=2"]
    assert main([*command, "--max_epochs=1", "--optim.label_flow=0.15"]) == 0
    assert json.loads((run / "run.json").read_text())["label_flow"] == 0.15
    accuracy = {}
    for name, options in (("own", []), ("same", ["--label_flow=0.15"]), ("none", ["--label_flow=0"])):
        out = tmp_path / name
        evaluation = ["evaluate", str(run), "--data", str(data), "--out", str(out), "--n_jobs=1", *options]
        assert main(evaluation) == 0
        with np.load(out / "predictions_test.npz") as found:
            accuracy[name] = np.concatenate([found[key] for key in found if key.endswith("prediction")])
    assert np.array_equal(accuracy["own"], accuracy["same"])
    assert not np.array_equal(accuracy["own"], accuracy["none"])
    assert Predictor(run, label_flow=0.0).label_flow == 0.0
    wrong = ["predict", str(run), str(data / "test"), "--out", str(tmp_path / "wrong"), "--label_flow=-1"]
    assert main(wrong) == 1

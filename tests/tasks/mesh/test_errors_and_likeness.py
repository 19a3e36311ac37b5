"""Where errors are, and which meshes are unlike the training meshes."""

from __future__ import annotations

import json

import numpy as np
import pytest

from gaugenet.cli import main
from gaugenet.data import Curvatures, HeatKernelSignature, InputFeatures, Positions, ShapeOperator
from gaugenet.geometry import TriangleMesh
from gaugenet.groups import SO2
from gaugenet.tasks.mesh.errors import BoundaryErrors, boundary_items, costliest_confusions
from gaugenet.tasks.mesh.likeness import Likeness, summary_of
from tests.tasks.mesh.meshes import ellipsoid, write_folder, write_obj


def strip(squares: int) -> TriangleMesh:
    """Squares in a row, each of two triangles."""
    x = np.arange(squares + 1)
    vertices = np.array([(a, b, 0) for b in (0, 1) for a in x], dtype=float)
    up = squares + 1
    faces = [f for a in range(squares) for f in ((a, a + 1, up + a), (a + 1, up + a + 1, up + a))]
    return TriangleMesh(vertices, faces)


def test_faces_at_a_boundary_and_one_ring_further():
    labels = np.array([0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1])
    at, near = boundary_items(strip(6), "face", labels)
    assert np.flatnonzero(at).tolist() == [5, 6]
    assert np.flatnonzero(near).tolist() == [3, 4, 5, 6, 7, 8]
    labels[6] = -1
    assert not boundary_items(strip(6), "face", labels)[0].any(), "what is unknown has no boundary"


def test_vertices_at_a_boundary():
    labels = np.tile([0, 0, 0, 1, 1, 1, 1], 2)
    at, near = boundary_items(strip(6), "vertex", labels)
    assert np.flatnonzero(at).tolist() == [2, 3, 9, 10]
    assert np.flatnonzero(near).tolist() == [1, 2, 3, 4, 8, 9, 10, 11]
    with pytest.raises(ValueError, match="one label for each vertex, 14 in all, got 12"):
        boundary_items(strip(6), "vertex", labels[:12])


def test_shares_of_errors():
    truth = np.array([0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, -1])
    wrong = truth.copy()
    wrong[[0, 4, 5, 6, 11]] = [1, 1, 1, 0, 0]
    counts = BoundaryErrors.none()
    counts.add(strip(6), "face", truth, wrong)
    assert counts.as_dict() == {
        "items_at_boundary": 2 / 11, "errors_at_boundary": 0.5, "items_within_one_ring": 6 / 11,
        "errors_within_one_ring": 0.75,
    }  # fmt: skip
    assert BoundaryErrors.none().as_dict()["errors_at_boundary"] is None


def test_costliest_confusions_first():
    found = costliest_confusions([[9, 1, 0], [6, 9, 0], [3, 0, 9]], ["arm", "leg", "head"])
    assert [(f["truth"], f["predicted"], f["items"], f["share"]) for f in found] == [
        ("leg", "arm", 6, 0.6), ("head", "arm", 3, 0.3), ("arm", "leg", 1, 0.1)
    ]  # fmt: skip
    assert costliest_confusions([[4, 0], [0, 2]], ["a", "b"]) == []


FEATURES = InputFeatures([HeatKernelSignature(8), Curvatures(radius=0.2), ShapeOperator(), Positions()])


def summary(mesh: TriangleMesh) -> np.ndarray:
    graph = mesh.gauge_graph(SO2(), mean_neighbors=8)
    return summary_of(FEATURES.prepare(graph, mesh), FEATURES)


def shape(seed: int, stretch: float) -> TriangleMesh:
    vertices, faces, _ = ellipsoid(seed)
    return TriangleMesh(vertices * [1.0, 1.0, stretch], faces)


def test_the_distance_tells_other_shapes_and_no_poses():
    rng = np.random.default_rng(0)
    likeness = Likeness.of([summary(shape(k, s)) for k, s in enumerate(rng.uniform(0.9, 1.1, 12))])
    assert likeness is not None
    near, far = summary(shape(20, 1.0)), summary(shape(20, 4.0))
    assert likeness.distance(near) < likeness.usual < 0.2 * likeness.distance(far)
    q, _ = np.linalg.qr(rng.standard_normal((3, 3)))
    mesh = shape(20, 1.0)
    moved = TriangleMesh(7.0 * mesh.vertices @ (q * np.sign(np.linalg.det(q))).T + 3.0, mesh.faces)
    assert likeness.distance(summary(moved)) == pytest.approx(likeness.distance(near), rel=1e-3)
    again = Likeness.from_dict(json.loads(json.dumps(likeness.as_dict())))
    assert again is not None
    assert again.distance(far) == pytest.approx(likeness.distance(far), rel=1e-3)
    with pytest.raises(ValueError, match="quantiles"):
        likeness.distance(near[:-1])


def test_few_meshes_or_no_intrinsic_inputs_tell_nothing():
    assert Likeness.of([np.ones(3)] * 4) is None
    mesh, poses = shape(0, 1.0), InputFeatures([Positions()])
    graph = mesh.gauge_graph(SO2(), mean_neighbors=8)
    assert not len(summary_of(poses.prepare(graph, mesh), poses))
    assert Likeness.of([np.zeros(0)] * 8) is None
    assert Likeness.from_dict({}) is None


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("likeness")
    write_folder(folder / "data", train=6, val=1, test=2)
    assert main([*training(folder), "--out", str(folder / "run"), "--max_epochs=2"]) == 0
    return folder


def training(folder) -> list[str]:
    command = ["train", "segmentation", "--data", str(folder / "data"), "--threads=1", "--n_jobs=1"]
    return [*command, "--data.features=HeatKernelSignature(8)", "--geometry.levels=1", "--model.width=2"]


def test_remeshed_copies_of_the_training_meshes_are_no_other_shapes(run, tmp_path):
    """With them the distances would be shorter, and a mesh would be compared with copies of itself."""
    options = ["--data.remesh=Cut(0.2), Decimation(0.5)", "--max_epochs=1", "--out", str(tmp_path / "run")]
    assert main([*training(run), *options]) == 0
    found = [json.loads((folder / "run" / "run.json").read_text())["likeness"] for folder in (run, tmp_path)]
    assert found[0]["mean"]
    assert found[0] == found[1]


def test_predictions_name_the_mesh_that_is_unlike_the_training(run, tmp_path, capsys):
    vertices, faces, _ = ellipsoid(31)
    write_obj(tmp_path / "flat.obj", vertices * [1.0, 1.0, 0.05], faces)
    known = run / "data" / "train"
    capsys.readouterr()
    command = ["predict", str(run / "run"), str(known), str(tmp_path / "flat.obj"), "--out", str(tmp_path / "out")]
    assert main([*command, "--n_jobs=1"]) == 0
    lines = {line.split(":")[0]: line for line in capsys.readouterr().out.splitlines()}
    assert "unlike the training meshes" in lines["flat"]
    entries = json.loads((tmp_path / "out" / "predictions.json").read_text())["meshes"]
    ours = [e["distance"] for e in entries if e["name"] != "flat"]
    assert sum("unlike" in line for line in lines.values()) <= 2
    assert entries[-1]["distance"] > 3 * max(ours)


def test_an_evaluation_tells_where_the_errors_are(run, capsys):
    assert main(["evaluate", str(run / "run"), "--data", str(run / "data"), "--n_jobs=1", "--overwrite"]) == 0
    text = capsys.readouterr().out
    result = json.loads((run / "run" / "evaluation_test.json").read_text())
    wrong = sum(map(sum, result["confusion"])) - sum(row[k] for k, row in enumerate(result["confusion"]))
    assert wrong > 0, "a network of two epochs"
    assert "most frequent errors" in text
    assert "at a true boundary" in text
    first = result["confusions"][0]
    assert first["share"] == first["items"] / wrong
    assert 0 < result["boundary"]["items_at_boundary"] < result["boundary"]["items_within_one_ring"] < 1

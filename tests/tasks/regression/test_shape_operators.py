"""The demonstration of tensors: from files of smooth surfaces to a network whose tensors do not depend on frames."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from gaugenet.cli import main
from gaugenet.data import MeshSample
from gaugenet.geometry import TriangleMesh
from gaugenet.groups import SO3, group_from_name
from gaugenet.tasks.mesh.preparation import prepare_mesh
from gaugenet.tasks.regression.inference import FieldPredictor
from tests.tolerances import TOL

EXAMPLES = Path(__file__).parents[3] / "examples"
SMALL = ["--max_epochs", "12", "--model.width", "4", "--n_jobs", "1", "--threads", "1", "--data.batch_size", "1"]


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("shape_operators", EXAMPLES / "shape_operators.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def data(example, tmp_path_factory):
    root = tmp_path_factory.mktemp("shapes")
    for file, family, seed, noise in example.jobs(root, 1, 1):
        if file.parent.name != "test" or not file.parent.parent.name.startswith("noise"):
            example.write(file, family, seed, count=150, noise=noise)
    return root


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "run"
    config = ["--config", str(EXAMPLES / "shape_operators.yaml")]
    assert main(["train", "regression", *config, "--data", str(data), "--out", str(out), *SMALL]) == 0
    return out


def test_the_axes_are_learned_and_drawn(run, data, example, capsys):
    assert main(["evaluate", str(run), "--data", str(data), "--n_jobs", "1"]) == 0
    assert "axes [deg]" in capsys.readouterr().out
    scores = json.loads((run / "evaluation_test.json").read_text())["fields"]["shape_operator"]
    assert scores["axis_angle"] < 25, "random axes have 45 degrees"
    assert scores["relative_l2"] < 0.9
    example.draw(run)
    assert (run / "axes.png").stat().st_size > 20_000


def test_no_surface_is_in_two_parts(example, tmp_path):
    parts = {}
    for file, family, seed, _ in example.jobs(tmp_path, 4, 2):
        parts.setdefault(file.parent.relative_to(tmp_path).parts[-1], set()).add((family, seed))
    assert not parts["train"] & parts["val"]
    assert not (parts["train"] | parts["val"]) & parts["test"]
    assert {family for family, _ in parts["test"]} > {family for family, _ in parts["train"]}


def test_independent_gauges_change_no_tensor_and_rotations_rotate_it(run, data):
    predictor, path = FieldPredictor(run), sorted((data / "test").glob("torus*.ply"))[0]
    mesh, how = TriangleMesh.load(path), predictor.preparation(repair="never")
    (before,) = predictor(prepare_mesh(MeshSample("m", mesh), how))
    scale = np.abs(before.values).max()
    g = group_from_name("SO(2)").random_element(mesh.num_vertices, generator=torch.Generator().manual_seed(0))
    turned = prepare_mesh(MeshSample("m", mesh), how)
    for name in [key for key in turned.graph.to_dict() if key.startswith("feature_")]:
        del turned.graph[name]  # so that the features are computed in the new frames
    object.__setattr__(turned, "graph", turned.graph.gauge_transform(g.to(turned.graph.pos)))
    np.testing.assert_allclose(predictor(turned)[0].values, before.values, atol=TOL[torch.float32] * scale)
    turned.graph.frame = turned.graph.frame.flip(2)  # control: frames that the transporters do not know
    assert np.abs(predictor(turned)[0].values - before.values).max() > 0.1 * scale
    matrix = SO3().random_element(generator=torch.Generator().manual_seed(1)).numpy()
    rotated = TriangleMesh(mesh.vertices @ matrix.T, mesh.faces)
    (after,) = predictor(prepare_mesh(MeshSample("m", rotated), how))
    expected = matrix @ before.values @ matrix.T
    np.testing.assert_allclose(after.values, expected, atol=5 * TOL[torch.float32] * scale)
    assert np.abs(after.values - before.values).max() > 0.1 * scale

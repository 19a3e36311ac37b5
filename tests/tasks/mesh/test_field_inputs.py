"""A user's own fields and feature classes as inputs of every task on meshes, from the command line to the run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from gaugenet.cli import main
from gaugenet.geometry import TriangleMesh
from gaugenet.tasks.mesh.data_options import DataOptions
from gaugenet.tasks.training.options import TaskError
from gaugenet.tasks.training.own_classes import import_classes
from tests.tasks.mesh.meshes import write_folder

SMALL = ["--trainer.max_epochs", "1", "--geometry.levels", "1", "--model.width", "2", "--n_jobs", "1", "--threads", "1"]
SMALL += ["--geometry.mean_neighbors", "6"]
OWN = """
import torch
from gaugenet.data import InputFeature

class Height(InputFeature):
    fields = (("0", 1),)
    intrinsic = False

    def __init__(self, scale: float = 1.0):
        self.scale = scale

    def compute(self, graph):
        return self.scale * graph.pos[:, 2:]

    def __repr__(self):
        return f"Height(scale={self.scale})"

class Other:
    pass
"""


def write_heights(root: Path) -> None:
    for path in root.glob("*/*.obj"):
        mesh = TriangleMesh.load(path)
        np.savez(path.with_suffix(".npz"), height=1000 * mesh.vertices[:, 2], wall=mesh.vertex_normals)


@pytest.fixture(scope="module")
def bodies(tmp_path_factory):
    root = write_folder(tmp_path_factory.mktemp("bodies"), train=3, val=1, test=1)
    write_heights(root)
    return root


@pytest.fixture(scope="module")
def run(bodies, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "run"
    config = out.parent / "mine.yaml"
    config.write_text("data: {features: '', inputs: {height: {kind: scalar, unit: mm}, wall: vector}}\n")
    assert (
        main(["train", "segmentation", "--config", str(config), "--data", str(bodies), "--out", str(out), *SMALL]) == 0
    )
    return out


def test_inputs_are_normalized_on_the_training_part_and_kept_with_the_run(run, bodies):
    inputs = json.loads((run / "run.json").read_text())["data"]["inputs"]
    heights = [np.load(path)["height"] for path in sorted((bodies / "train").glob("*.npz"))]
    assert inputs["height"]["mean"] == pytest.approx(np.concatenate(heights).mean())
    assert inputs["height"]["scale"] == pytest.approx(np.concatenate(heights).std())
    assert inputs["wall"]["kind"] == "space_vector"
    assert json.loads((run / "run.json").read_text())["arguments"]["in_type"] == "2x0 + 1x1"


def test_predictions_read_the_inputs_in_any_unit(run, bodies, tmp_path, capsys):
    mesh = next((bodies / "test").glob("*.obj"))
    copy = tmp_path / mesh.name
    copy.write_bytes(mesh.read_bytes())
    arrays = dict(np.load(mesh.with_suffix(".npz")))

    def probabilities(scale, *options):
        np.savez(copy.with_suffix(".npz"), height=scale * arrays["height"], wall=arrays["wall"])
        arguments = ["predict", str(run), str(copy), "--out", str(tmp_path / "out"), "--overwrite", "--probabilities"]
        assert main([*arguments, *options, "--n_jobs", "1"]) == 0
        return np.load(tmp_path / "out" / f"{mesh.stem}.vertex_probabilities.npy")

    expected = probabilities(1.0)
    np.testing.assert_allclose(probabilities(0.001, "--unit", "height=m"), expected, rtol=1e-5)
    assert not np.allclose(probabilities(0.001), expected, rtol=1e-3), "control"
    copy.with_suffix(".npz").unlink()
    assert main(["predict", str(run), str(copy), "--out", str(tmp_path / "none")]) == 1
    assert "has no field 'height'" in capsys.readouterr().err
    assert main(["predict", str(run), str(copy), "--out", str(tmp_path / "other"), "--unit", "wall=m"]) == 1
    assert "trained without a unit" in capsys.readouterr().err


@pytest.mark.parametrize(("task", "layout"), [("classification", "shrec"), ("correspondence", "faust")])
def test_every_task_on_meshes_reads_inputs(task, layout, bodies, tmp_path):
    if layout == "shrec":
        for k, path in enumerate(sorted(bodies.glob("*/*.obj"))):
            for file in (path, path.with_suffix(".npz")):
                copy = tmp_path / f"class{k % 2}" / f"{path.parent.name}{file.name}"
                copy.parent.mkdir(exist_ok=True)
                copy.write_bytes(file.read_bytes())
        more = ["--data.train_per_class", "1"]
    else:
        path = next((bodies / "train").glob("*.obj"))
        mesh = TriangleMesh.load(path)
        for k in range(100):
            mesh_file = tmp_path / f"tr_reg_{k:03}.obj"
            mesh_file.write_bytes(path.read_bytes())
            np.savez(mesh_file.with_suffix(".npz"), height=mesh.vertices[:, 2])
        more = ["--trainer.limit_train_batches", "1"]
    options = ["--data.inputs", "{height: scalar}", "--data.features", "", "--data", str(tmp_path), *SMALL, *more]
    assert main(["train", task, "--out", str(tmp_path / "run"), *options]) == 0
    assert json.loads((tmp_path / "run" / "run.json").read_text())["data"]["inputs"]["height"]["scale"] > 0


def test_a_missing_input_names_every_mesh(bodies, tmp_path, capsys):
    options = ["--data.inputs", "{depth: scalar}", "--data", str(bodies), *SMALL]
    assert main(["train", "segmentation", "--out", str(tmp_path / "run"), *options]) == 1
    error = capsys.readouterr().err
    assert "3 of 3 training meshes lack usable inputs" in error
    assert error.count("has no field 'depth'") == 3
    assert not (tmp_path / "run").exists()


def test_a_feature_class_of_the_users_own_is_named_never_taken_from_a_run(bodies, tmp_path, monkeypatch, capsys):
    (tmp_path / "heights_of_mine.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    features = "heights_of_mine:Height(scale=0.5)"
    common = ["--data", str(bodies), *SMALL]
    assert main(["train", "segmentation", "--data.features", features, "--out", "run", *common]) == 0
    mesh = str(next((bodies / "test").glob("*.obj")))
    capsys.readouterr()
    for refused in (
        ["predict", "run", mesh, "--out", "out"],
        ["evaluate", "run", "--data", str(bodies)],
        ["train", "segmentation", "--out", "run", "--resume"],
    ):
        assert main(refused) == 1
        assert "of your own, and code is never taken from a run" in capsys.readouterr().err
    named = ["--feature", "heights_of_mine:Height"]
    assert main(["predict", "run", mesh, "--out", "out", *named]) == 0
    assert main(["evaluate", "run", "--data", str(bodies), *named]) == 0
    more = ["--trainer.max_epochs", "2", "--data.features", features]
    assert main(["train", "segmentation", "--out", "run", "--resume", *more]) == 0


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ("heights_of_mine.Height()", r"written with a colon, heights_of_mine:Height\(\)"),
        ("no_such_module_at_all:Height()", "Could not import 'no_such_module_at_all'"),
        ("json:Height()", "json:Height does not exist"),
        ("json:JSONDecoder()", "is not a subclass of InputFeature"),
        ("Positions(), Valenz()", "Unknown 'Valenz'"),
    ],
)
def test_features_that_cannot_be_used_are_refused_in_one_sentence(features, message):
    with pytest.raises(TaskError, match=message) as error:
        DataOptions(features=features).input_features()
    assert str(error.value).count("heights_of_mine.Height()") <= 1


def test_texts_with_colons_are_no_classes(tmp_path, monkeypatch):
    (tmp_path / "texts_of_mine.py").write_text(OWN.replace("scale: float = 1.0", "scale='a:b'"))
    monkeypatch.chdir(tmp_path)
    (feature,) = DataOptions(features="texts_of_mine:Height('json:Text')").input_features().features
    assert feature.scale == "json:Text"
    with pytest.raises(TaskError, match="Expected a class as module:Class"):
        import_classes(["Height"], object)

"""From files to predicted fields: what is learned, that it moves with the mesh, what is written, what is refused."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch

from gaugenet.cli import main
from gaugenet.data import MeshSample
from gaugenet.geometry import TriangleMesh
from gaugenet.geometry.mesh._ply import ply_columns
from gaugenet.geometry.mesh._vtk import read_vtk
from gaugenet.groups import SO3, group_from_name
from gaugenet.tasks.mesh.preparation import prepare_mesh
from gaugenet.tasks.regression.inference import FieldPredictor
from tests.tasks.regression.fields_of_surfaces import ellipsoid, fields, write_set
from tests.tolerances import TOL

TARGETS = (
    "{wss: vector, pressure: {kind: scalar, unit: Pa}, force: vector, stress: tensor, load: scalar, total: scalar}"
)
OPTIONS = ["--data.inputs", "{height: scalar}", "--geometry.levels", "2", "--model.width", "6", "--batch_size", "2"]
OPTIONS += [
    "--model.dropout",
    "0.05",
    "--lr",
    "1e-2",
    "--threads",
    "1",
    "--n_jobs",
    "1",
    "--geometry.mean_neighbors",
    "8",
]
KINDS = {"wss": "tangent_vector", "pressure": "scalar", "force": "space_vector", "stress": "tensor"}


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    return write_set(tmp_path_factory.mktemp("fields"))


@pytest.fixture(scope="session")
def run(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "run"
    arguments = ["--data", str(data), "--out", str(out), "--data.targets", TARGETS, *OPTIONS]
    assert main(["train", "regression", *arguments, "--max_epochs", "15"]) == 0
    return out


def test_the_run_keeps_what_was_fitted(run, data):
    description = json.loads((run / "run.json").read_text())
    targets = description["data"]["targets"]
    assert {name: targets[name]["kind"] for name in KINDS} == KINDS
    assert {name: targets[name]["on"] for name in targets} == {
        **dict.fromkeys(KINDS, "vertex"), "load": "face", "total": "mesh"
    }  # fmt: skip
    meshes = [TriangleMesh.load(path) for path in sorted((data / "train").glob("*.ply"))]
    pressure = np.concatenate([fields(mesh)["pressure"] for mesh in meshes])
    assert targets["pressure"]["mean"] == pytest.approx(pressure.mean())
    assert targets["pressure"]["scale"] == pytest.approx(pressure.std())
    wss = np.concatenate([fields(mesh)["wss"] for mesh in meshes])
    assert targets["wss"]["scale"] == pytest.approx(np.sqrt((wss**2).sum(1).mean() / 2))
    assert description["arguments"]["out_type"] == "1x1 + 1x0 + 1x0 + 1x1 + 1x0 + 1x2 + 1x0 + 1x0"


def test_fields_are_learned(run, data, tmp_path, capsys):
    assert main(["evaluate", str(run), "--data", str(data), "--out", str(tmp_path / "scores"), "--n_jobs", "1"]) == 0
    assert "cosine" in capsys.readouterr().out
    again = ["evaluate", str(run), "--data", str(data), "--out", str(tmp_path / "scores"), "--n_jobs", "1"]
    assert main(again) == 1
    assert "already exists" in capsys.readouterr().err, "an earlier evaluation is not replaced unasked"
    result = json.loads((tmp_path / "scores" / "evaluation_test.json").read_text())["fields"]
    assert result["wss"]["cosine"] > 0.9
    assert result["wss"]["relative_l2"] < 0.5
    assert result["pressure"]["nmae"] < 0.02
    with np.load(tmp_path / "scores" / "predictions_test.npz") as arrays:
        truth, found = arrays["body0/wss/truth"], arrays["body0/wss/prediction"]
    mesh = TriangleMesh.load(data / "test" / "body0.ply")
    np.testing.assert_allclose(truth, fields(mesh)["wss"], atol=1e-12)
    assert np.abs((found * mesh.vertex_normals).sum(1)).max() < 1e-6, "a tangent vector lies in the surface"
    names = {path.name for path in (tmp_path / "scores").iterdir()}
    assert {"parity_test.png", "errors_test.png", "maps_test.png"} <= names
    assert not (run / "evaluation_test.json").exists(), "nothing is written into the run"


def _predicted(predictor, mesh, height):
    prepared = prepare_mesh(MeshSample("m", mesh, fields={"height": height}), predictor.preparation(repair="never"))
    return {found.spec.name: found.values for found in predictor(prepared)}


def _moved(values, matrix):
    return {1: lambda: values, 2: lambda: values @ matrix.T, 3: lambda: matrix @ values @ matrix.T}[values.ndim]()


@pytest.mark.parametrize("seed", [0, 1])
def test_a_rotated_mesh_has_rotated_predictions(run, seed):
    """float32; the first edge gives the frames of both, so the test below draws frames."""
    predictor, mesh = FieldPredictor(run), ellipsoid(50 + seed, noise=0.01)
    height = fields(mesh)["height"]
    matrix = SO3().random_element(generator=torch.Generator().manual_seed(seed)).numpy()
    before = _predicted(predictor, mesh, height)
    after = _predicted(predictor, TriangleMesh(mesh.vertices @ matrix.T, mesh.faces), height)
    for name, values in before.items():
        scale = np.abs(values).max()
        np.testing.assert_allclose(after[name], _moved(values, matrix), atol=TOL[torch.float32] * scale)
        if values.ndim > 1:
            assert np.abs(after[name] - values).max() > 0.1 * scale, "control: they do move"


def test_predictions_in_space_do_not_depend_on_frames(run):
    predictor, mesh = FieldPredictor(run), ellipsoid(60)
    sample = MeshSample("m", mesh, fields={"height": fields(mesh)["height"]})
    prepared = prepare_mesh(sample, predictor.preparation(repair="never"))
    before = {found.spec.name: found.values for found in predictor(prepared)}
    g = group_from_name("SO(2)").random_element(mesh.num_vertices, generator=torch.Generator().manual_seed(0))
    turned = prepare_mesh(sample, predictor.preparation(repair="never"))
    object.__setattr__(turned, "graph", turned.graph.gauge_transform(g.to(turned.graph.pos)))
    for found in predictor(turned):
        values = before[found.spec.name]
        np.testing.assert_allclose(found.values, values, atol=TOL[torch.float32] * np.abs(values).max())
    frame = turned.graph.frame.clone()
    turned.graph.frame = frame.flip(2)  # control: frames that the graph's transporters do not know
    other = {found.spec.name: found.values for found in predictor(turned)}["wss"]
    assert np.abs(other - before["wss"]).max() > 0.1 * np.abs(before["wss"]).max()


def test_predictions_are_written_with_all_that_the_input_holds(run, data, tmp_path):
    arguments = ["predict", str(run), str(data / "test"), "--out", str(tmp_path), "--samples", "3", "--n_jobs", "1"]
    assert main(arguments) == 0
    source, written = (
        ply_columns(p.read_bytes()) for p in (data / "test" / "body1.ply", tmp_path / "body1.fields.ply")
    )
    for element, columns in source.items():
        for name, values in columns.items():
            for before, after in zip(*(v if isinstance(v, tuple) else (v,) for v in (values, written[element][name]))):
                np.testing.assert_array_equal(after, before)
    with np.load(tmp_path / "body1.fields.npz") as arrays:
        found = dict(arrays)
    np.testing.assert_allclose(written["vertex"]["wss_predicted_y"], found["wss"][:, 1])
    np.testing.assert_allclose(written["face"]["load"], found["load"])
    np.testing.assert_allclose(written["vertex"]["stress_xy"], found["stress"][:, 0, 1])
    assert found["wss_std"].min() >= 0
    assert found["wss_std"].max() > 0
    surface = read_vtk(tmp_path / "body1.fields.vtp")
    np.testing.assert_allclose(surface.arrays["point"]["wss_predicted"], found["wss"])
    np.testing.assert_array_equal(surface.arrays["point"]["red"], source["vertex"]["red"])
    np.testing.assert_allclose(surface.arrays["cell"]["load"], found["load"])
    np.testing.assert_allclose(surface.arrays["field"]["total"], found["total"])
    assert surface.data.GetPointData().GetVectors().GetName() == "wss_predicted", "what Glyph draws as arrows"
    assert (
        TriangleMesh.load(tmp_path / "body1.fields.ply").num_faces
        == TriangleMesh.load(tmp_path / "body1.fields.vtp").num_faces
    )
    summary = json.loads((tmp_path / "predictions.json").read_text())
    assert summary["networks"] == 3
    assert summary["meshes"][1]["fields"]["total"]["value"] == pytest.approx(found["total"][0])
    assert main([*arguments, "--overwrite"]) == 0
    with np.load(tmp_path / "body1.fields.npz") as arrays:
        np.testing.assert_array_equal(arrays["wss_std"], found["wss_std"])


def test_an_ensemble_is_the_mean_of_its_runs(run, data, tmp_path, capsys):
    other = tmp_path / "other"
    arguments = ["--data", str(data), "--data.targets", TARGETS, *OPTIONS, "--max_epochs", "1"]
    assert main(["train", "regression", "--out", str(other), "--seed", "1", *arguments]) == 0
    mesh = ellipsoid(70)
    height = fields(mesh)["height"]
    one, two = (_predicted(FieldPredictor(path), mesh, height)["wss"] for path in (run, other))
    both = FieldPredictor(run, ensemble=[other])
    prepared = prepare_mesh(MeshSample("m", mesh, fields={"height": height}), both.preparation(repair="never"))
    found = both(prepared)[0]
    np.testing.assert_allclose(found.values, (one + two) / 2, atol=1e-6)
    np.testing.assert_allclose(found.deviation, np.linalg.norm(one - two, axis=1) / 2, atol=1e-6)
    assert main(["train", "regression", "--out", str(tmp_path / "third"), *arguments, "--geometry.levels", "1"]) == 0
    capsys.readouterr()
    wrong = ["evaluate", str(run), "--data", str(data), "--ensemble", str(tmp_path / "third")]
    assert main(wrong) == 1
    assert "differ in geometry" in capsys.readouterr().err


def test_a_training_goes_on_where_it_was_left(data, tmp_path):
    few = [
        "--data",
        str(data),
        "--data.targets",
        "{wss: vector}",
        *OPTIONS,
        "--optim.schedule",
        "constant",
        "--optim.warmup",
        "0",
    ]
    assert main(["train", "regression", "--out", str(tmp_path / "whole"), *few, "--max_epochs", "3"]) == 0
    assert main(["train", "regression", "--out", str(tmp_path / "part"), *few, "--max_epochs", "2"]) == 0
    assert main(["train", "regression", "--out", str(tmp_path / "part"), "--resume", "--max_epochs", "3"]) == 0
    whole, part = (
        json.loads((tmp_path / name / "run.json").read_text())["metrics"]["last"] for name in ("whole", "part")
    )
    assert part["val_loss"] == pytest.approx(whole["val_loss"], rel=1e-6)


def test_a_run_is_shown_as_maps(run, data, tmp_path, capsys):
    copy = shutil.copytree(run, tmp_path / "run")
    assert main(["view", str(copy), "--out", str(tmp_path / "page.html")]) == 1
    assert "was not evaluated" in capsys.readouterr().err
    assert main(["evaluate", str(copy), "--data", str(data), "--n_jobs", "1"]) == 0
    arguments = ["--png", str(tmp_path / "page.png"), "--limit", "1", "--png-limit", "1"]
    assert main(["view", str(copy), "--out", str(tmp_path / "page.html"), *arguments]) == 0
    assert (tmp_path / "page.png").stat().st_size > 10_000


def _refusal(data, tmp_path, capsys, *options):
    capsys.readouterr()
    assert main(["train", "regression", "--data", str(data), "--out", str(tmp_path / "r"), *OPTIONS, *options]) in (
        1,
        2,
    )
    assert not (tmp_path / "r").exists(), "nothing is written"
    error = capsys.readouterr().err
    assert "Traceback" not in error
    return error


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (None, "No targets: name the fields to predict"),
        ("{wss: scalar}", "'wss' was declared as a scalar"),
        ("{pressure: vector}", "'pressure' was declared as a vector"),
        ("{shear: vector}", "4 of 4 training meshes lack usable targets"),
        ("{wss: {kind: vector, unit: foo}}", "Unknown unit 'foo'"),
        ("{height: scalar}", "height are inputs and targets"),
        ("{total: tensor}", "declared as a tensor"),
    ],
)
def test_targets_that_cannot_be_are_refused(data, tmp_path, capsys, targets, message):
    options = [] if targets is None else ["--data.targets", targets]
    assert message in _refusal(data, tmp_path, capsys, *options)


def test_weights_of_unknown_targets_are_refused(data, tmp_path, capsys):
    options = ["--data.targets", "{wss: vector}", "--loss.weights", "{pressure: 2.0}"]
    assert "names pressure, but the targets are wss" in _refusal(data, tmp_path, capsys, *options)


def test_missing_targets_are_named_before_anything_is_written(data, run, tmp_path, capsys):
    copy = shutil.copytree(data, tmp_path / "data")
    (copy / "train" / "body2.npz").unlink()
    error = _refusal(copy, tmp_path, capsys, "--data.targets", "{load: scalar}")
    assert "1 of 4 training meshes lack usable targets" in error
    assert "body2.ply has no field 'load'" in error
    (copy / "test" / "body1.npz").unlink()
    assert main(["evaluate", str(run), "--data", str(copy), "--out", str(tmp_path / "out")]) == 1
    assert "body1.ply has no field" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    shutil.copy(copy / "train" / "body1.ply", copy / "train" / "body1.vtp")
    assert "several mesh files" in _refusal(copy, tmp_path, capsys, "--data.targets", "{wss: vector}")


def test_missing_values_are_counted_and_do_not_matter(data, tmp_path, capsys):
    """Whatever stands where a target is missing or masked, the training is the same."""
    losses = []
    for k, hole in enumerate((np.nan, 1e6)):
        copy = shutil.copytree(data, tmp_path / f"data{k}")
        for path in copy.glob("*/*.ply"):
            wss = fields(TriangleMesh.load(path))["wss"]
            mask = (np.arange(len(wss)) % 3 > 0).astype(float)
            wss[mask == 0] = hole
            np.savez(path.with_suffix(".npz"), shear=wss, inner=mask)
        target = "shear: {kind: vector}" if k == 0 else "shear: {kind: vector, mask: inner}"
        out = tmp_path / f"run{k}"
        arguments = ["--data", str(copy), "--out", str(out), "--data.targets", f"{{{target}}}", *OPTIONS]
        assert main(["train", "regression", *arguments, "--max_epochs", "1"]) == 0
        losses.append(json.loads((out / "run.json").read_text())["metrics"]["best"]["val_loss"])
        told = capsys.readouterr().err
        assert ("are missing (NaN) and ignored" in told) == (k == 0)
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


@pytest.mark.slow
def test_fields_of_a_file_are_drawn(data, tmp_path, capsys):
    body = data / "test" / "body0.ply"
    page, picture = tmp_path / "page.html", tmp_path / "picture.png"
    command = ["view", str(body), "--out", str(page), "--png", str(picture), "--show"]
    assert main([*command, "wss", "load", "--drawn", "both"]) == 0
    assert '"wss"' in page.read_text()
    assert '"load"' in page.read_text()
    assert picture.read_bytes().startswith(b"\x89PNG")
    for name, words in (
        ("stress", "is a tensor"),
        ("total", "one value of the whole mesh"),
        ("shear", "no field 'shear'"),
    ):
        assert main([*command, name, "--overwrite"]) == 1
        assert words in capsys.readouterr().err
    assert main(["view", str(data), "--show", "wss", "--out", str(tmp_path / "x.png")]) == 1
    assert "is a folder" in capsys.readouterr().err


@pytest.mark.slow
def test_a_much_finer_mesh_is_seen_at_the_density_of_the_training(run):
    """On 16 times the vertices: other fields than on the coarse mesh would show that values land at wrong places."""
    predictor = FieldPredictor(run)
    how = predictor.preparation(repair="lossless", n_jobs=1)
    scores = {}
    for subdivisions in (2, 4):
        mesh = ellipsoid(8, subdivisions)
        truth = fields(mesh)
        one = prepare_mesh(MeshSample("m", mesh, fields={"height": truth["height"]}), how)
        assert (one.given is not None) == (subdivisions == 4)
        assert int(one.graph.num_nodes) < 700
        found = {field.spec.name: field.values for field in predictor(one)}
        assert np.abs((found["wss"] * mesh.vertex_normals).sum(1)).max() < 1e-6, "tangent to the mesh as given"
        scores[subdivisions] = {
            name: np.linalg.norm(found[name] - truth[name]) / np.linalg.norm(truth[name] - truth[name].mean(0))
            for name in ("wss", "pressure", "force", "load")
        } | {"total": np.abs(found["total"] / truth["total"] - 1).max()}
        assert found["stress"].shape == (mesh.num_vertices, 3, 3)
    for name, error in scores[4].items():
        assert error < 1.5 * scores[2][name] + 0.05, (name, scores)
    assert scores[4]["wss"] < 0.5

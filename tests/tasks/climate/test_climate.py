"""Climate files as inputs of a network in any pose of the globe, and the climate task from NetCDF to NetCDF."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from safetensors.torch import load_file
from scipy.spatial.transform import Rotation

from gaugenet.cli import main
from gaugenet.data.climate.dataset import ClimateFiles
from gaugenet.data.climate.regrid import SphereRegridder
from gaugenet.data.climate.sampling import GridLocations, PointLocations
from gaugenet.data.normalization import Normalization
from gaugenet.geometry import Icosphere
from gaugenet.models import IcosahedralUNet
from gaugenet.tasks import OptimOptions, train_climate
from gaugenet.tasks.climate.calibration import Calibration
from gaugenet.tasks.climate.inference import ClimatePredictor, tta_poses
from gaugenet.tasks.climate.inputs import SphereFields, SphereInputs, random_pose
from gaugenet.tasks.climate.options import ClimateData
from gaugenet.tasks.climate.report import headline
from gaugenet.tasks.climate.samples import SphereDataset
from gaugenet.tasks.climate.scores import AreaHistogram
from tests.tasks.climate.climate_files import GRID, write_weather
from tests.tolerances import TOL, relative
from tests.viz.render.test_html import scene_of

MIRROR = np.diag([1.0, 1.0, -1.0])


@pytest.fixture(scope="session")
def weather(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("weather")
    write_weather(folder / "train.nc")
    write_weather(folder / "val.nc", first=20, steps=2)
    return folder


# --- inputs ----------------------------------------------------------------------------------------------------------


def icosahedral_rotations(sphere: Icosphere) -> list[np.ndarray]:
    """Rotations that map the vertices to vertices, found from the corners alone."""
    corners = sphere.pos[sphere.corners].numpy()
    first, second = corners[0], corners[np.argsort(corners @ corners[0])[-2]]
    start = np.stack([first, second, np.cross(first, second)])
    found = []
    for a in corners:
        for b in corners[np.isclose(corners @ a, first @ second)]:
            found.append(np.linalg.solve(start, np.stack([a, b, np.cross(a, b)])).T)
    return found


def globe_on_vertices(sphere: Icosphere, seed: int = 0) -> SphereFields:
    """Fields given at the vertices themselves: nothing is interpolated when vertices look at vertices."""
    draw = np.random.default_rng(seed)
    points = sphere.pos.numpy()
    vectors = np.cross(draw.normal(size=points.shape), points).T[None].astype(np.float32)
    return SphereFields(draw.normal(size=(1, len(points))).astype(np.float32), vectors, None)


def permutation(sphere: Icosphere, pose: np.ndarray) -> np.ndarray:
    nearness = (sphere.pos.numpy() @ pose.T) @ sphere.pos.numpy().T
    assert nearness.max(axis=1).min() > 1 - 1e-9
    return nearness.argmax(axis=1)


@pytest.fixture(scope="module")
def sphere() -> Icosphere:
    return Icosphere(2)


@pytest.fixture(scope="module")
def inputs(sphere) -> SphereInputs:
    return SphereInputs(sphere, PointLocations(sphere.pos.numpy()), scalars=1, pairs=1)


def network(inputs: SphereInputs, group: str) -> IcosahedralUNet:
    torch.manual_seed(0)
    net = IcosahedralUNet(inputs.in_type, 2, group=group, width=2, levels=2)
    net.train()
    with torch.no_grad():
        net(torch.randn(4, net.in_type.size, inputs.sphere.num_vertices), inputs.sphere)  # statistics of the norms
    return net.eval()


def answers(net: IcosahedralUNet, inputs: SphereInputs, fields: SphereFields, pose: np.ndarray | None) -> torch.Tensor:
    with torch.no_grad():
        return net(inputs.read(fields, pose=pose)[0][None], inputs.sphere)[0]


def test_a_turned_globe_has_turned_answers(inputs, sphere):
    """All 60 rotations; a rotation that is none of them, and the winds as two scalars, are the controls."""
    fields, net = globe_on_vertices(sphere), network(inputs, "C_6")
    upright = answers(net, inputs, fields, None)
    rotations = icosahedral_rotations(sphere)
    assert len(rotations) == 60
    for pose in rotations:
        rotated = answers(net, inputs, fields, pose)
        assert relative(rotated, upright[:, permutation(sphere, pose)]) < 10 * TOL[torch.float32]
    other = Rotation.from_rotvec([0.3, 0.2, 0.1]).as_matrix()
    nearest = (sphere.pos.numpy() @ other.T @ sphere.pos.numpy().T).argmax(axis=1)
    assert relative(answers(net, inputs, fields, other), upright[:, nearest]) > 0.1
    pose = rotations[7]
    scalars = inputs.read(fields)[0][:, permutation(sphere, pose)]
    assert relative(inputs.read(fields, pose=pose)[0], scalars) > 0.1, "as scalars the winds would not turn"


def test_mirror_images_have_the_same_answers_under_d6_and_others_under_c6(inputs, sphere):
    fields = globe_on_vertices(sphere)
    pose = -np.eye(3)  # the inversion, which maps vertices to vertices
    for group, same in (("D_6", True), ("C_6", False)):
        net = network(inputs, group)
        error = relative(
            answers(net, inputs, fields, pose), answers(net, inputs, fields, None)[:, permutation(sphere, pose)]
        )
        assert (error < 10 * TOL[torch.float32]) == same


def test_a_storm_of_the_south_is_the_mirror_image_of_one_of_the_north():
    """The globe mirrored in the file, by exchanging its hemispheres, equals the globe mirrored by the pose."""
    sphere, locations = Icosphere(3), GridLocations(GRID)
    inputs = SphereInputs(sphere, locations, scalars=0, pairs=1)
    u, v = np.random.default_rng(0).normal(size=(2, *GRID.shape)).astype(np.float32)
    u[[0, -1]], v[[0, -1]] = 0, 0

    def globe(u: np.ndarray, v: np.ndarray) -> SphereFields:
        vectors = locations.vectors(np.stack([u, v])[None]).astype(np.float32)
        return SphereFields(
            locations.extended(np.zeros((0, *GRID.shape), dtype=np.float32)), locations.extended(vectors), None
        )

    by_file = inputs.read(globe(u[::-1], -v[::-1]))[0]
    by_pose = inputs.read(globe(u, v), pose=MIRROR)[0]
    assert relative(by_pose, by_file) < 1e-5
    assert relative(inputs.read(globe(u[::-1], v[::-1]))[0], by_file) > 0.1, "control: the meridional wind turns over"


def test_the_turned_wind_converges_in_cyclones_of_both_hemispheres():
    sphere, locations = Icosphere(4), GridLocations(GRID)
    inputs = SphereInputs(sphere, locations, scalars=0, pairs=1)
    for lat in (30.0, -30.0):
        center = np.array([np.cos(np.radians(lat)), 0, np.sin(np.radians(lat))])
        distance = np.arccos(np.clip(locations.points @ center, -1, 1))
        swirl = np.sign(lat) * np.exp(-20 * distance**2)[..., None] * np.cross(center, locations.points)
        extended = locations.extended(np.moveaxis(swirl, -1, 0)[None]).astype(np.float32)
        empty = locations.extended(np.zeros((0, *GRID.shape), dtype=np.float32))
        x = inputs.read(SphereFields(empty, extended, None))[0].double()
        rotated = torch.einsum("vdc,cv->vd", sphere.frame, x[1:].unflatten(0, (2, 2))[:, 1])
        inward = (rotated.numpy() * (center - sphere.pos.numpy())).sum(axis=1)
        near = sphere.pos.numpy() @ center > np.cos(0.3)
        assert (inward[near] > -1e-9).all()
        assert inward[near].max() > 0.01


def test_the_round_trip_error_is_that_of_the_regridder():
    locations, draw = GridLocations(GRID), np.random.default_rng(0)
    field = np.cos(6 * locations.points @ draw.normal(size=3))
    empty = locations.extended(np.zeros((0, 3, *GRID.shape), dtype=np.float32))
    for level in (2, 3):
        inputs = SphereInputs(Icosphere(level), locations, scalars=1, pairs=0)
        regrid = SphereRegridder(GRID, inputs.points, inputs.sphere.face.numpy().T)
        found = inputs.round_trip(SphereFields(locations.extended(field[None]), empty, None))
        assert found == pytest.approx(float(regrid.round_trip(field)), rel=1e-9)
    assert 0 < found < 0.2


def test_latitude_turns_with_the_globe(inputs):
    pose = Rotation.random(random_state=1).as_matrix() @ MIRROR
    seen = inputs.points @ pose.T
    np.testing.assert_allclose(inputs.sine_of_latitude(pose), -seen[:, 2], atol=1e-12)
    np.testing.assert_allclose(
        inputs.read(globe_on_vertices(inputs.sphere), pose=pose)[0][1], abs(seen[:, 2]), atol=1e-6
    )


def test_random_poses_are_orthogonal_and_mirror_every_other_time():
    poses = [random_pose(np.random.default_rng(k), rotate=True, mirror=True) for k in range(200)]
    for pose in poses:
        np.testing.assert_allclose(pose @ pose.T, np.eye(3), atol=1e-12)
    mirrored = np.mean([np.linalg.det(p) < 0 for p in poses])
    assert 0.35 < mirrored < 0.65
    assert np.abs(np.mean(poses, axis=0)).max() < 0.2, "no direction is preferred"
    assert random_pose(np.random.default_rng(0), rotate=False, mirror=False) is None
    assert len(tta_poses(5)) == 5
    assert tta_poses(0) == [None]


def test_the_same_key_gives_the_same_globe_and_memory_changes_nothing(weather):
    files = ClimateFiles(weather / "train.nc")
    inputs = SphereInputs(Icosphere(2), GridLocations(files.grid), scalars=1, pairs=1)
    made = Normalization.of(files, files.grid.area)
    cached, read = (SphereDataset(files, inputs, made, augment=ClimateData(), seed=1, memory=m) for m in (1e9, 0))
    for key in ((0, 0), (3, 2), (3, 2)):
        for name in ("x", "y"):
            assert torch.equal(cached[key][name], read[key][name])
    assert not torch.equal(cached[0, 0]["x"], cached[1, 0]["x"])
    assert len(cached._cached) == 2
    assert not read._cached


# --- the command line ------------------------------------------------------------------------------------------------

SMALL = ["--level=3", "--model.width=2", "--model.levels=3", "--batch_size=3", "--accelerator=cpu", "--threads=1"]


def train(weather: Path, out: Path, *options: str, epochs: int = 2) -> int:
    files = ["--data", str(weather / "train.nc"), "--val", str(weather / "val.nc")]
    return main(["train", "climate", *files, "--out", str(out), *SMALL, f"--max_epochs={epochs}", *options])


@pytest.fixture(scope="session")
def trained(weather, tmp_path_factory) -> Path:
    run = tmp_path_factory.mktemp("runs") / "run"
    assert train(weather, run, "--lr=1e-2", "--data.rotate=false", "--optim.ema=0.8", epochs=10) == 0
    return run


@pytest.fixture
def run(trained, tmp_path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "run"))


def test_training_learns_and_evaluation_agrees_with_the_file(run, weather, capsys):
    options = ["--data", str(weather / "val.nc"), "--rotations", "2", "--icosahedral"]
    assert main(["evaluate", str(run), *options]) == 0
    text = capsys.readouterr().out
    assert "60 rotations of the icosahedron" in text
    assert "vortex" in text
    assert "2 random rotations" in text
    result = json.loads((run / "evaluation_val.json").read_text())
    for name in ("ap", "iou"):
        rotated, freely = result["icosahedral"][name], result["rotations"][name]
        assert (rotated["count"], freely["count"]) == (60, 2)
        assert max(abs(rotated[k] - result[f"mean_{name}"]) for k in ("min", "max")) < 1e-3
        assert abs(freely["mean"] - result[f"mean_{name}"]) > 2e-3, "control: other rotations move the vertices"
    vortex = result["classes"]["vortex"]
    assert vortex["ap"] > 2 * vortex["area_share"], "better than chance"
    share = sum(result["classes"][c]["area_share"] for c in result["classes"])
    assert share == pytest.approx(1)
    label = xr.open_dataset(weather / "val.nc").label.values
    area = np.broadcast_to(GRID.area, label.shape)
    assert vortex["area_share"] == pytest.approx(area[label == 1].sum() / area.sum(), rel=1e-6)
    for name in ("map.png", "globe.html", "curves.png", "run.json", "model.safetensors"):
        assert (run / name).is_file()
    assert main(["view", str(run), "--out", str(run / "page.html"), "--png", str(run / "page.png")]) == 0
    assert "vortex" in (run / "page.html").read_text()
    assert (run / "page.png").read_bytes() == (run / "map.png").read_bytes()
    words = f"mean IoU of patterns {100 * result['mean_iou']:.2f} %"
    assert words in text
    scene = scene_of((run / "globe.html").read_text())
    assert words in scene["title"]
    assert "lowest IoU" in scene["title"]
    first, *_ = scene["meshes"][0]["fields"]
    assert (first["name"], first["unit"]) == ("u10, v10", "m s-1")
    assert "arrows" in first
    assert "lines" in scene["meshes"][0]


def test_coastlines_can_be_left_out_on_other_planets(run, weather):
    command = ["evaluate", str(run), "--data", str(weather / "val.nc")]
    assert main(command) == 0
    with_coast = (run / "map.png").read_bytes()
    assert main([*command, "--coastlines", "false", "--overwrite"]) == 0
    assert "lines" not in scene_of((run / "globe.html").read_text())["meshes"][0]
    assert (run / "map.png").read_bytes() != with_coast


def test_the_headline_names_patterns_that_are_never_found():
    """Calm is 98 % of the area, and all of it is labelled calm."""
    classes = {"calm": {"iou": 0.98}, "storm": {"iou": 0.0}, "river": {"iou": 0.3}, "absent": {"iou": None}}
    words = headline({"mean_iou": 0.15, "classes": classes})
    assert words == "mean IoU of patterns 15.00 %, 1 of 3 classes not found at all (IoU 0): storm"
    assert "no patterns" in headline({"mean_iou": None, "classes": {"calm": {"iou": 1.0}}})


def test_the_calibration_belongs_to_the_labels_of_the_file(run, weather, tmp_path):
    """Scores and calibration of the validation are those of `gaugenet evaluate --calibrate` on the same file; at the
    vertices, the control, they are others."""
    description = json.loads((run / "run.json").read_text())
    best = description["metrics"]["best"]
    run = shutil.copytree(run, tmp_path / "copy")
    (run / "run.json").write_text(json.dumps(description | {"metrics": {}}))  # not calibrated
    command = ["evaluate", str(run), "--data", str(weather / "val.nc"), "--overwrite"]
    assert main(command) == 0
    assert best["val_ap"] == pytest.approx(json.loads((run / "evaluation_val.json").read_text())["mean_ap"], abs=1e-4)
    assert main([*command, "--calibrate"]) == 0
    bin_width = float(np.diff(AreaHistogram().centers)[0])
    predictor = ClimatePredictor(run, [str(weather / "val.nc")])
    classes = list(json.loads((run / "evaluation_val.json").read_text())["classes"].values())[1:]
    for scores, scale in zip(classes, predictor.calibration.scale[1:], strict=True):
        chosen, best_one = (np.log(p / (1 - p)) for p in (scores["threshold"], scores["best_threshold"]))
        assert abs(chosen - best_one) < 1.01 * scale * bin_width, "a bin of scores before their calibration"
    for name, value in predictor.calibration.as_metrics().items():
        assert value == pytest.approx(best[name], rel=1e-3, abs=1e-3), name
    predictor.calibration = Calibration.of_metrics({}, len(predictor.classes))
    at_vertices = [AreaHistogram() for _ in predictor.classes]
    for index in range(len(predictor.files)):
        fields = predictor.fields(index)[1]
        label = predictor.inputs.read(fields)[1].numpy()
        for k, values in enumerate(predictor.on_sphere(fields)):
            at_vertices[k].add(values, label == k, predictor.inputs.sphere.mass.numpy())
    others = Calibration.fit(at_vertices).as_metrics()
    assert max(abs(others[name] - best[name]) for name in others) > 1e-2


def test_a_training_from_python_is_that_of_the_command_line(weather, tmp_path):
    assert train(weather, tmp_path / "a", epochs=1) == 0
    torch.set_num_threads(1)
    files = {"files": [str(weather / "train.nc")], "val": [str(weather / "val.nc")]}
    train_climate(
        tmp_path / "b",
        data=ClimateData(**files, level=3, batch_size=3),
        model={"group": "D_6", "growth": 1.5, "dropout": 0.1, "width": 2, "levels": 3},
        optim=OptimOptions(lr=4e-3, ema=0.99),
        trainer={"max_epochs": 1, "accelerator": "cpu"},
    )
    a, b = (load_file(tmp_path / name / "last.safetensors") for name in "ab")
    assert all(torch.equal(a[k], b[k]) for k in a)
    a, b = (json.loads((tmp_path / name / "run.json").read_text()) for name in "ab")
    assert a == b


def test_predictions_overwrite_neither_the_input_nor_each_other(run, weather, tmp_path, capsys):
    source = Path(shutil.copy(weather / "val.nc", tmp_path / "in.nc"))
    before, out = source.read_bytes(), tmp_path / "out.nc"
    predict = ["predict", str(run), str(source), "--out"]
    for outputs in ([source], [out, "--icosphere", source], [out, "--icosphere", tmp_path / "." / "out.nc"]):
        assert main([*predict, *map(str, outputs), "--overwrite"]) == 1
        assert "choose another name" in capsys.readouterr().err
    assert source.read_bytes() == before
    assert not out.exists()
    out.write_bytes(b"mine")
    assert main([*predict, str(out)]) == 1
    assert "--overwrite" in capsys.readouterr().err
    assert out.read_bytes() == b"mine"
    assert main([*predict, str(out), "--overwrite"]) == 0
    assert xr.open_dataset(out).label.shape[1:] == GRID.shape


def test_a_run_that_was_not_evaluated_has_no_pictures(run, tmp_path, capsys):
    assert main(["view", str(run), "--out", str(tmp_path / "page.html")]) == 1
    assert "was not evaluated yet" in capsys.readouterr().err


def test_prediction_from_netcdf_to_netcdf(run, weather, tmp_path, capsys):
    """On the input's own grid, whatever its order; labels are those that the evaluation counts."""
    source = xr.open_dataset(weather / "val.nc")
    rotated = (
        source.drop_vars("label").isel(lat=slice(None, None, -1)).assign_coords(lon=(source.lon + 180) % 360 - 180)
    )
    rotated.sortby("lon").to_netcdf(tmp_path / "in.nc")
    for name, file in (("a", weather / "val.nc"), ("b", tmp_path / "in.nc")):
        assert main(["predict", str(run), str(file), "--out", str(tmp_path / f"{name}.nc")]) == 0
    assert "2 time steps" in capsys.readouterr().out
    a, b = (xr.open_dataset(tmp_path / f"{n}.nc") for n in ("a", "b"))
    np.testing.assert_array_equal(a.time, source.time)
    np.testing.assert_array_equal(b.lat, source.lat[::-1])
    total = sum(a[f"probability_{c}"] for c in ("background", "vortex", "filament"))
    np.testing.assert_allclose(total, 1, atol=1e-5)
    back = b.assign_coords(lon=b.lon % 360).sortby("lon").isel(lat=slice(None, None, -1))
    np.testing.assert_allclose(back.probability_vortex, a.probability_vortex, atol=1e-4)
    cells = xr.open_dataset(tmp_path / "a.icosphere.nc")
    assert cells.sizes == {"time": 2, "cell": 642}
    assert float(cells.cell_area.sum()) == pytest.approx(4 * np.pi)
    predictor = ClimatePredictor(run, [str(weather / "val.nc")])
    fields = predictor.fields(1)[1]
    np.testing.assert_allclose(predictor(fields)[1].reshape(GRID.shape), a.probability_vortex[1], atol=1e-6)


def test_poses_averaged_are_the_mean_over_poses(run, weather):
    predictor = ClimatePredictor(run, [str(weather / "val.nc")], tta=3)
    fields, calibration = predictor.fields(0)[1], predictor.calibration
    calibrated, predictor.calibration = predictor(fields), Calibration.of_metrics({}, len(predictor.classes))
    each = [predictor.at_locations(predictor.on_sphere(fields, p), p) for p in tta_poses(3)]
    np.testing.assert_allclose(predictor(fields), np.mean(each, axis=0), atol=1e-6)
    np.testing.assert_allclose(calibrated, calibration(np.mean(each, axis=0)), atol=1e-4)


def test_globes_together_are_globes_alone_and_low_precision_is_near(run, weather):
    options = [str(weather / "val.nc")]
    predictor, low = ClimatePredictor(run, options), ClimatePredictor(run, options, precision="bfloat16")
    spheres, pose = [predictor.fields(k)[1] for k in range(2)], tta_poses(3)[2]
    together = predictor.together(spheres, pose)
    for found, fields in zip(together, spheres):
        np.testing.assert_allclose(found, predictor(fields, pose), atol=1e-5)
    error = np.abs(low.together(spheres, pose) - together).max()
    assert 1e-4 < error < 0.1, "control: the precision does change something"
    assert not np.allclose(together[0], together[1], atol=1e-3)


@pytest.mark.slow
def test_a_resumed_training_is_the_uninterrupted_one(weather, tmp_path):
    steady = ["--optim.schedule=constant", "--optim.warmup=0", "--model.dropout=0.2"]
    assert train(weather, tmp_path / "cut", *steady, epochs=1) == 0
    before = load_file(tmp_path / "cut" / "last.safetensors")
    assert main(["train", "climate", "--out", str(tmp_path / "cut"), "--resume", "--max_epochs=2"]) == 0
    assert train(weather, tmp_path / "whole", *steady, epochs=2) == 0
    cut, whole = (load_file(tmp_path / name / "last.safetensors") for name in ("cut", "whole"))
    assert all(torch.equal(cut[k], whole[k]) for k in whole)
    assert not all(torch.equal(cut[k], before[k]) for k in whole), "control: the second epoch moved the weights"
    assert len((tmp_path / "cut" / "metrics.csv").read_text().splitlines()) == 3


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d.drop_vars("tmq"), "no variable 'tmq'"),
        (lambda d: d.assign(tmq=d.tmq.assign_attrs(units="K")), "expected 'tmq' in 'kg m-2', got 'K'"),
        (lambda d: d.isel(lat=slice(0, 9)), "global grid"),
        (lambda d: d.assign(u10=d.u10.where(d.u10 < d.u10.max())), "not finite"),
    ],
)
def test_unusable_inputs_of_a_prediction_are_refused_and_nothing_is_written(
    run, weather, tmp_path, capsys, change, words
):
    change(xr.open_dataset(weather / "val.nc")).to_netcdf(tmp_path / "bad.nc")
    assert main(["predict", str(run), str(tmp_path / "bad.nc"), "--out", str(tmp_path / "out.nc")]) == 1
    message = capsys.readouterr().err
    assert words in message
    assert "Traceback" not in message
    assert not (tmp_path / "out.nc").exists()


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        (["--out", "x"], 1, "No data"),
        (["--data", "nothing.nc", "--out", "x"], 1, "No file nothing.nc"),
        (["--data", "{train}", "--val", "{train}", "--out", "x"], 1, "less than 72 h from a training step"),
        (["--data", "{train}", "--out", "x"], 1, "leave no steps"),
        (["--data", "{train}", "--out", "x", "--data.label", "truth"], 1, "no label variable 'truth'"),
        (["--data", "{train}", "--out", "x", "--loss.terms", "hinge"], 1, "loss.terms"),
        (["--data", "{train}", "--out", "x", "--data.levle", "3"], 2, "levle"),
    ],
)
def test_unusable_options_are_refused(weather, tmp_path, monkeypatch, capsys, options, status, words):
    monkeypatch.chdir(tmp_path)
    filled = [o.format(train=weather / "train.nc") for o in options]
    assert main(["train", "climate", *filled, "--accelerator=cpu"]) in (status, 1)
    message = capsys.readouterr().err
    assert words in message
    assert "Traceback" not in message


def test_inference_loads_no_trainer():
    """Labelling files needs the network, the run and the files, and neither the trainer nor Lightning."""

    def loaded(module: str) -> set[str]:
        program = f"import sys, gaugenet.tasks.climate.{module}; print(*sys.modules)"
        return set(
            subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
        )

    trainer = {"gaugenet.tasks.climate.setup", "gaugenet.tasks.training.fit", "gaugenet.tasks.training.module"}
    assert not loaded("prediction") & {*trainer, "lightning"}
    assert loaded("setup") >= {"gaugenet.tasks.climate.setup", "gaugenet.tasks.climate.files", "lightning"}, (
        "control: modules are seen"
    )

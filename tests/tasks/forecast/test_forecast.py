"""Forecasts from NetCDF to NetCDF through the command line: levels, winds, static fields, resume, bad input."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from safetensors.torch import load_file

from gaugenet.cli import main
from gaugenet.tasks import RunDescription
from gaugenet.tasks.forecast.inference import Forecaster
from gaugenet.tasks.forecast.prediction import predict_forecast
from tests.tasks.forecast.planet_files import GRID, planet, written
from tests.viz.render.test_html import scene_of

SMALL = ["--level=2", "--model.levels=2", "--model.width=3", "--accelerator=cpu", "--batch_size=4", "--lr=0.03"]


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("planet")
    data = planet(24)
    return {
        "train": str(written(data.isel(time=slice(0, 14)), folder / "a.nc")),
        "more": str(written(data.isel(time=slice(14, 24)), folder / "b.nc")),
        "val": str(written(planet(8, first=200), folder / "val.nc")),
        "test": str(written(planet(9, first=400), folder / "test.nc")),
    }


def arguments(files: dict[str, str], out: Path, *more: str) -> list[str]:
    base = ["train", "forecast", "--data", files["train"], files["more"], "--val", files["val"], "--out", str(out)]
    return [*base, "--data.levels=all", "--data.val_rollout=2", *SMALL, *more]


@pytest.fixture(scope="module")
def run(files, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "run"
    assert main(arguments(files, out, "--max_epochs=12")) == 0
    return out


def test_a_network_learns_to_forecast_levels_and_winds_better_than_persistence(run):
    description = RunDescription.load(run)
    assert description.classes == ["z@500", "z@850", "u@500, v@500", "u@850, v@850"]
    assert description.data["step_hours"] == 6.0
    assert description.data["static"] == {"scalars": 1, "pairs": 0}
    best = description.metrics["best"]
    assert best["val_rmse"] < 0.85 * best["val_persistence"]
    assert description.arguments["out_type"] == "2x0 + 2x1"


def test_evaluation_tells_errors_by_lead_time_against_persistence_and_climatology(run, files, capsys):
    command = ["evaluate", str(run), "--data", files["test"], "--steps=4", "--icosahedral", "--rotations=1"]
    assert main([*command, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["starts"] == 5
    ratios = []
    for name in result["fields"]:
        rmse = result["fields"][name]["rmse"]
        ratios += [a / b for a, b in zip(rmse["forecast"], rmse["persistence"])]
        assert rmse["persistence"] == sorted(rmse["persistence"])
        assert result["fields"][name]["acc"][0] > 0.7
        assert len(result["fields"][name]["rotated_rmse"][0]) == 4
    assert np.mean(ratios) < 0.95, "better than persistence"
    assert result["rotation_error"] < 1e-4, "a rotated planet has the rotated forecast"
    for name in ("evaluation_test.json", "scores.png", "map.png", "globe.html"):
        assert (run / name).is_file()
    (globe,) = scene_of((run / "globe.html").read_text())["meshes"]
    parts = {field["name"].rsplit(", ", 1)[1] for field in globe["fields"]}
    assert parts == {"truth", "prediction", "error"}
    assert all(len(field["times"]) == 5 for field in globe["fields"]), "the start and four steps"
    assert any("arrows" in field for field in globe["fields"]), "winds"
    assert main(command) == 1
    assert "already exists" in capsys.readouterr().err, "an earlier evaluation is not replaced unasked"
    assert main([*command, "--overwrite"]) == 0
    text = capsys.readouterr().out
    assert "persistence" in text
    assert "60 rotations" in text
    assert main(["view", str(run), "--out", str(run / "copy.png")]) == 0


def test_results_go_to_another_folder(run, files, tmp_path):
    before = {path: path.read_bytes() for path in run.iterdir() if path.is_file()}
    out = tmp_path / "scores"
    command = ["evaluate", str(run), "--data", files["test"], "--steps=2", "--stride=3", "--out", str(out)]
    assert main(command) == 0
    assert {p.name for p in out.iterdir()} == {"evaluation_test.json", "scores.png", "map.png", "globe.html"}
    assert {path: path.read_bytes() for path in run.iterdir() if path.is_file()} == before
    assert main(command) == 1


def test_a_forecast_is_written_on_the_dimensions_of_its_input(run, files, tmp_path):
    """Another order and names of dimensions give the same fields, in that order and with these names."""
    data = planet(9, first=400, order=("lon", "level", "time", "lat"))
    other = data.rename(time="valid_time", lat="latitude", lon="longitude").isel(latitude=slice(None, None, -1))
    paths = {"plain": files["test"], "other": str(written(other, tmp_path / "other.nc"))}
    for name, path in paths.items():
        out = str(tmp_path / f"{name}_out.nc")
        assert main(["predict", str(run), path, "--out", out, "--steps=3", "--start=2001-06-10T12"]) == 0
    plain, found = (xr.open_dataset(tmp_path / f"{name}_out.nc") for name in paths)
    assert plain.z.dims == ("time", "level", "lat", "lon")
    assert plain.time.values[0] == np.datetime64("2001-06-10T18")
    assert plain.level.values.tolist() == [500, 850]
    assert plain.z.attrs["units"] == "m2 s-2"
    assert found.z.dims == ("longitude", "level", "valid_time", "latitude")
    assert found.latitude.values[0] == -90
    back = found.rename(valid_time="time", latitude="lat", longitude="lon").sel(lat=plain.lat)
    for name in ("z", "u", "v"):
        expected = plain[name].transpose("time", "level", "lat", "lon")
        assert np.abs(back[name].transpose(*expected.dims) - expected).max() < 1e-3 * np.abs(expected).max()
    assert "orography" not in plain, "what is static is not forecast"


def test_outputs_and_inputs_are_never_overwritten(run, files, tmp_path, capsys):
    out = tmp_path / "out.nc"
    command = ["predict", str(run), files["test"], "--steps=1", "--out"]
    assert main([*command, str(out)]) == 0
    before = out.read_bytes()
    assert main([*command, str(out)]) == 1
    assert "already exists" in capsys.readouterr().err
    assert out.read_bytes() == before
    assert main([*command, files["test"], "--overwrite"]) == 1
    assert "would overwrite the input" in capsys.readouterr().err
    assert main([*command, str(out), "--overwrite", "--start=1999"]) == 1
    assert "from 2001-06-09T00:00 to 2001-06-11T00:00" in capsys.readouterr().err


def test_the_first_step_of_a_prediction_is_that_of_python_and_of_the_units_of_the_file(run, files, tmp_path):
    """Winds in knots are read in the units of the training."""
    data = planet(9, first=400)
    for name in ("u", "v"):
        data[name] = data[name] * (3600 / 1852)
        data[name].attrs["units"] = "kt"
    knots = str(written(data, tmp_path / "knots.nc"))
    for name, path in (("a", files["test"]), ("b", knots)):
        predict_forecast(run, [path], tmp_path / f"{name}.nc", steps=1, start="first")
    a, b = (xr.open_dataset(tmp_path / f"{name}.nc") for name in "ab")
    assert np.abs(a.u - b.u).max() < 1e-3
    assert b.u.attrs["units"] == "m s-1"
    forecaster = Forecaster(run, [files["test"]])
    (fields,) = forecaster.forecast(0, 1)
    assert np.abs(fields[0][0] - a.z.sel(level=500).isel(time=0).values).max() < 1e-2
    assert len(fields[2]) == 2
    assert fields[2][0].shape == GRID.shape


def test_a_resumed_training_is_the_one_that_was_not_interrupted(files, tmp_path):
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    options = ("--optim.schedule=constant", "--optim.warmup=0", "--rollout=2")
    assert main(arguments(files, whole, "--max_epochs=2", *options)) == 0
    assert main(arguments(files, halves, "--max_epochs=1", *options)) == 0
    assert main(["train", "forecast", "--out", str(halves), "--resume", "--max_epochs=2"]) == 0
    a, b = (load_file(folder / "last.safetensors") for folder in (whole, halves))
    assert all(np.array_equal(a[name], b[name]) for name in a)
    assert any(a[name].abs().max() > 0 for name in a if name.startswith("head"))


def test_static_fields_come_from_files_of_their_own_on_another_grid(files, tmp_path):
    ground = planet(1)[["orography"]].isel(lon=slice(None, None, 2))
    data = planet(10).drop_vars("orography").sel(level=500)
    moving, still = written(data, tmp_path / "moving.nc"), written(ground, tmp_path / "ground.nc")
    base = ["train", "forecast", "--data", str(moving), "--data.val_fraction=0", *SMALL, "--max_epochs=1"]
    assert main([*base, "--data.static", str(still), "--data.rotate=true", "--out", str(tmp_path / "with")]) == 0
    assert main([*base, "--data.clock=false", "--loss.kind=l1", "--out", str(tmp_path / "without")]) == 0
    types = [RunDescription.load(tmp_path / name).arguments["in_type"] for name in ("with", "without")]
    assert types == ["6x0 + 3x1", "2x0 + 2x1"], "z, orography, |latitude| and three of the clock; wind twice, and sun"


@pytest.mark.parametrize(
    ("change", "more", "words"),
    [
        ("", [], "'z' has the further dimension 'level' of size 2 (500, 850): choose, e.g. `z@500`"),
        ("", ["--data.scalars=z@700"], "names '700', which is not in the dimension 'level'"),
        ("one level", ["--data.step_hours=4"], "`data.step_hours` of a multiple of 6 h"),
        ("one level", ["--data.step_hours=9"], "a multiple of 6 h"),
        ("no v", [], "'u' is one component of a vector"),
        ("gaps", ["--rollout=3"], "expected 4 time steps that follow each other by 6 h, found none"),
        ("no time", [], "a time"),
        ("twice", [], "occurs twice"),
        ("still", [], "'z' does not change in time"),
        ("one level", ["--data.val_fraction=0.3"], "--data.gap_hours"),
        ("one level", ["--rollout=0"], "at least 1"),
        ("one level", ["--loss.weights=q:2"], "names 'q'"),
        ("one level", ["--loss.weights=z"], "NAME:FACTOR"),
        ("one level", ["--level=1", "--model.levels=3"], "icosphere of level 2 or more for 3 levels, got level 1"),
    ],
)
def test_what_cannot_be_forecast_is_refused_in_one_sentence(tmp_path, capsys, change, more, words):
    data = planet(8)
    data = data if change == "" else data.sel(level=500)
    if change == "no v":
        data = data.drop_vars("v")
    if change == "gaps":
        data = data.isel(time=[0, 1, 2, 4, 5, 7])
    if change == "no time":
        data = data.isel(time=0)
    if change == "twice":
        data = data.isel(time=[0, 1, 1, 2])
    if change == "still":
        data["z"].values[:] = data["z"].values[:1]
    path = written(data, tmp_path / "a.nc")
    defaults = [] if any("val_fraction" in text for text in more) else ["--data.val_fraction=0"]
    command = ["train", "forecast", "--data", str(path), "--out", str(tmp_path / "run"), *SMALL, *defaults, *more]
    assert main(command) in (1, 2)
    error = capsys.readouterr().err
    assert words in error
    assert "Traceback" not in error
    assert not (tmp_path / "run").exists()


def test_gaps_are_skipped_and_told(tmp_path, capsys):
    data = planet(12).sel(level=500).isel(time=[0, 1, 2, 3, 5, 6, 7, 8, 9, 11])
    path = written(data, tmp_path / "a.nc")
    command = ["train", "forecast", "--data", str(path), "--out", str(tmp_path / "run"), *SMALL, "--max_epochs=1"]
    assert main([*command, "--data.val_fraction=0"]) == 0
    assert "7 forecasts of 1 x 6 h; 2 starts are left out, where times are missing" in capsys.readouterr().err

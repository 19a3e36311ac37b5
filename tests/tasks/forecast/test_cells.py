"""Forecasts and labels for unstructured and HEALPix files: from cells in, on the same cells out."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr

from gaugenet.cli import main
from gaugenet.tasks.forecast.inference import Forecaster
from tests.data.climate.cell_files import KINDS, centres, weather

SMALL = ["--level=2", "--model.levels=2", "--model.width=2", "--accelerator=cpu", "--threads=1", "--lr=0.03"]
FIELDS = ["--data.scalars=t", "--data.vectors=u:v"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_forecast_has_the_cells_the_names_and_the_order_of_the_input(kind, tmp_path, capsys):
    train, test = weather(kind, 16), weather(kind, 5, first=100)
    for name, data in (("train", train), ("test", test)):
        data.to_netcdf(tmp_path / f"{name}.nc")
    run, out = tmp_path / "run", tmp_path / "out.nc"
    command = ["train", "forecast", "--data", str(tmp_path / "train.nc"), "--out", str(run), "--max_epochs=6"]
    assert main([*command, "--data.scalars=t,orography", "--data.vectors=u:v", "--data.val_fraction=0", *SMALL]) == 0
    capsys.readouterr()
    assert main(["evaluate", str(run), "--data", str(tmp_path / "test.nc"), "--steps=2", "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)["fields"]
    for name in ("t", "u, v"):
        assert scores[name]["rmse"]["forecast"][0] < scores[name]["rmse"]["persistence"][0]
        assert scores[name]["spectrum"] == {"forecast": [], "truth": []}
    assert main(["predict", str(run), str(tmp_path / "test.nc"), "--steps=3", "--start=first", "--out", str(out)]) == 0
    found = xr.open_dataset(out)
    for name in ("t", "u", "v"):
        assert found[name].dims == test[name].dims
        assert np.isfinite(found[name].values).all()
        error, before = (np.sqrt(np.mean((a - test[name].isel(time=1)) ** 2)) for a in (
            found[name].isel(time=0), test[name].isel(time=0)))  # fmt: skip
        assert error < before, "better than persistence, cell by cell"
    assert list(found.time.values) == list(test.time.values[1:4])
    again = Forecaster(run, [str(out)])
    np.testing.assert_allclose(again.files.grid.points, centres(kind), atol=1e-9)
    assert again.files.grid.area == pytest.approx(Forecaster(run, [str(tmp_path / "test.nc")]).files.grid.area)


def test_winds_near_the_poles_are_forecast_in_the_frame_of_the_file(tmp_path):
    """MPAS has a cell at each pole; its east is the one of its longitude in the file."""
    data = weather("mpas", 16)
    lon = data["lonCell"].values.copy()
    poles = np.flatnonzero(np.abs(np.sin(data["latCell"].values)) > 1 - 1e-12)
    assert len(poles) == 2
    turned = data.copy(deep=True)
    turned["lonCell"][poles] = lon[poles] + np.pi / 2
    for pole in poles:  # the same wind in the other frame: counter-clockwise seen from outside at the north
        sign = np.sign(data["latCell"].values[pole])
        u, v = data["u"].values[pole].copy(), data["v"].values[pole].copy()
        turned["u"].values[pole], turned["v"].values[pole] = sign * v, -sign * u
    data.to_netcdf(tmp_path / "a.nc")
    turned.to_netcdf(tmp_path / "b.nc")
    run = tmp_path / "run"
    command = ["train", "forecast", "--data", str(tmp_path / "a.nc"), "--out", str(run), "--max_epochs=1"]
    assert main([*command, *FIELDS, "--data.val_fraction=0", *SMALL]) == 0
    one, two = (Forecaster(run, [str(tmp_path / name)]) for name in ("a.nc", "b.nc"))
    np.testing.assert_allclose(one.state(one.frame(0)), two.state(two.frame(0)), atol=1e-5)
    before, after = (next(iter(f.forecast(0, 1)))[1] for f in (one, two))
    rest = np.setdiff1d(np.arange(before.shape[1]), poles)
    np.testing.assert_allclose(after[:, rest], before[:, rest], atol=1e-4)
    sign = np.sign(np.sin(data["latCell"].values[poles]))
    expected = np.stack([sign * before[1, poles], -sign * before[0, poles]])
    np.testing.assert_allclose(after[:, poles], expected, atol=1e-4)
    assert np.abs(after[:, poles] - before[:, poles]).max() > 1, "control: the components do change"


@pytest.mark.parametrize("kind", ["icon", "healpix"])
def test_labels_are_written_on_the_cells_of_the_input(kind, tmp_path):
    for name, first in (("train", 0), ("test", 100)):
        weather(kind, 6, first=first, label=True).to_netcdf(tmp_path / f"{name}.nc")
    run, out = tmp_path / "run", tmp_path / "out.nc"
    command = ["train", "climate", "--data", str(tmp_path / "train.nc"), "--val", str(tmp_path / "test.nc")]
    small = ["--level=2", "--model.levels=2", "--model.width=2", "--accelerator=cpu", "--threads=1", "--batch_size=3"]
    fields = ["--data.scalars=t", "--data.vectors=u:v", "--max_epochs=8", "--lr=0.03"]
    assert main([*command, "--out", str(run), *small, *fields]) == 0
    assert main(["evaluate", str(run), "--data", str(tmp_path / "test.nc")]) == 0
    result = json.loads((run / "evaluation_test.json").read_text())
    assert result["mean_iou"] > 0.5
    assert main(["predict", str(run), str(tmp_path / "test.nc"), "--out", str(out)]) == 0
    found, data = xr.open_dataset(out), xr.open_dataset(tmp_path / "test.nc")
    assert found.label.dims == data.label.dims
    agree = (found.label.values == data.label.values).mean()
    assert agree > 0.75
    assert found.probability_warm.dims == data.label.dims
    kept = {"icon": {"clat", "clon", "cell_area"}, "healpix": {"crs"}}[kind]
    assert kept <= set(found.variables)
    named = {"icon": ("coordinates", "clat clon"), "healpix": ("grid_mapping", "crs")}[kind]
    assert {**found.label.attrs, **found.label.encoding}[named[0]] == named[1]

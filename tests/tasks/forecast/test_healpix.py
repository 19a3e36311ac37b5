"""Forecasts on HEALPix and reduced Gaussian files, through every command, to the same pixels out."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from gaugenet.cli import main
from gaugenet.data import ClimateFiles, ShallowWaterWeather
from gaugenet.data.climate.sampling import GridLocations
from gaugenet.geometry import HEALPix, ReducedGaussian
from gaugenet.tasks.forecast.inference import Forecaster, fields_of

SMALL = ["--level=3", "--model.levels=2", "--model.width=2", "--accelerator=cpu", "--threads=1", "--lr=0.02"]


def sky(source: Path, grid, **attributes) -> xr.Dataset:
    """The fields of a latitude-longitude file at the points of a grid, on (time, healpix); winds as vectors."""
    data = xr.open_dataset(source)
    cells = GridLocations(ClimateFiles(source).grid)
    there = cells.interpolation(grid.pos.numpy())
    frame = grid.frame.numpy()

    def scalar(name: str) -> np.ndarray:
        return there.fields(cells.extended(data[name].values.astype(np.float64))).astype(np.float32)

    winds = there.fields(cells.extended(cells.vectors(np.stack([data["u"].values, data["v"].values], 1))))
    east, north = np.einsum("nik,tin->ktn", frame, winds).astype(np.float32)
    dims, wind = ("time", "healpix"), {"units": "m s-1"}
    return xr.Dataset(
        {
            "h": (dims, scalar("h"), {"units": "m"}),
            "u": (dims, east, {**wind, "standard_name": "eastward_wind"}),
            "v": (dims, north, {**wind, "standard_name": "northward_wind"}),
            "orography": (dims[1:], scalar("orography"), {"units": "m"}),
        },
        coords={"time": data["time"]},
        attrs=attributes,
    )


@pytest.fixture(scope="module")
def planet(tmp_path_factory) -> Path:
    """Files of two runs in ring order (NetCDF) and of the second one in nested order (Zarr)."""
    root = tmp_path_factory.mktemp("sky")
    weather = ShallowWaterWeather(truncation=10, spin_up_days=0.5)
    for seed, name in enumerate(("train", "test")):
        source = weather.write(root / f"{name}_latlon.nc", days=4 if seed == 0 else 2, seed=seed, first=2400.0 * seed)
        sky(source, HEALPix(8, order="ring"), order="ring").to_netcdf(root / f"{name}.nc")
        if seed:
            sky(source, HEALPix(8), order="nested").to_zarr(root / "test.zarr", zarr_format=2)
    command = ["train", "forecast", "--data", str(root / "train.nc"), "--out", str(root / "run"), "--max_epochs=8"]
    assert main([*command, "--data.val_fraction=0", *SMALL]) == 0
    return root


def test_pixels_are_inspected(planet, capsys):
    assert main(["inspect", str(planet / "train.nc"), str(planet / "test.zarr")]) == 0
    text = capsys.readouterr().out
    assert "HEALPix, nside 8, ring order, 768 pixels: usable" in text
    assert "HEALPix, nside 8, nested order, 768 pixels: usable" in text
    assert "17 time steps" in text
    assert "every 6 h" in text
    assert "vectors: u:v (m s-1)" in text
    assert "static: orography" in text


def test_a_network_of_pixels_beats_persistence(planet, capsys):
    assert main(["evaluate", str(planet / "run"), "--data", str(planet / "test.nc"), "--steps=2", "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)["fields"]
    for name in ("h", "u, v"):
        rmse = scores[name]["rmse"]
        assert all(a < b for a, b in zip(rmse["forecast"], rmse["persistence"])), (name, rmse)


def test_ring_and_nested_files_have_the_same_forecast(planet):
    """The order of the pixels is a permutation; the control reads the ring file as nested."""
    number = HEALPix(8, order="ring").indices("nested").numpy()
    ring, nested = (Forecaster(planet / "run", [str(planet / name)]) for name in ("test.nc", "test.zarr"))
    one, other = (list(f.forecast(0, 2))[-1] for f in (ring, nested))
    for a, b in zip(one, other):
        np.testing.assert_allclose(a, b[:, number], atol=2e-5 * np.abs(a).max())
    swapped = xr.open_dataset(planet / "test.nc").assign_attrs(order="nested")
    swapped.to_netcdf(planet / "swapped.nc")
    wrong = Forecaster(planet / "run", [str(planet / "swapped.nc")])
    change = np.abs(one[0] - fields_of(ring.frame(0))[0]).max()
    found = list(wrong.forecast(0, 2))[-1][0]
    assert np.abs(found - one[0]).max() > 0.5 * change, "control: the order matters"


@pytest.mark.parametrize(("file", "order"), [("test.nc", "ring"), ("test.zarr", "nested")])
def test_hindcasts_keep_dimensions_order_and_pixels(planet, tmp_path, file, order):
    out = tmp_path / "out.nc"
    command = ["predict", str(planet / "run"), str(planet / file), "--steps=2", "--out", str(out)]
    assert main([*command, "--start=every 3"]) == 0
    found = xr.open_dataset(out)
    assert found.h.dims == ("forecast_reference_time", "lead_time", "healpix")
    assert found.h.shape == (3, 2, 768)
    assert main([*command, "--start=first", "--overwrite"]) == 0
    again = ClimateFiles(out)
    assert again.grid.size == 768, "the output is read again, with its order"
    np.testing.assert_allclose(again.grid.points, HEALPix(8, order=order).pos.numpy(), atol=1e-12)
    np.testing.assert_array_equal(xr.open_dataset(out).u[1], found.u[0, 1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.assign_attrs(order=""), "'nested' or 'ring' as the order"),
        (lambda d: d.drop_attrs(deep=False), "'nested' or 'ring' as the order of the HEALPix pixels.* got none"),
        (lambda d: d.isel(healpix=slice(1, None)), "12 nside.2 pixels.* got 'healpix' of 767"),
        (lambda d: d.assign_attrs(nside=16), "nside 16 has 3072 pixels, but the dimension 'healpix' has 768"),
        (lambda d: d.assign(h=d.h.where(d.h.healpix != 5)), "'h' has 1 values that are not finite"),
    ],
)
def test_bad_pixels_are_named_by_training_and_by_inspect(planet, tmp_path, capsys, change, message):
    data = xr.open_dataset(planet / "train.nc").load()
    change(data).to_netcdf(tmp_path / "bad.nc")
    command = ["train", "forecast", "--data", str(tmp_path / "bad.nc"), "--out", str(tmp_path / "run")]
    assert main([*command, "--data.val_fraction=0", "--max_epochs=1", *SMALL]) == 1
    assert re.search(message, capsys.readouterr().err)
    assert main(["inspect", str(tmp_path / "bad.nc")]) == 1
    found = capsys.readouterr().out
    assert re.search(message, found) or "h: 17 values that are not finite in 17 of 17 time steps" in found
    assert main(["inspect", str(planet / "train.nc")]) == 0, "control"


def test_a_reduced_gaussian_file_is_forecast_on_its_rows(planet, tmp_path):
    grid = ReducedGaussian("O8")
    for name in ("train", "test"):
        data = sky(planet / f"{name}_latlon.nc", grid).rename(healpix="values")
        degrees = {"lat": "degrees_north", "lon": "degrees_east"}
        places = {n: ("values", getattr(grid, n).numpy(), {"units": unit}) for n, unit in degrees.items()}
        data.assign_coords(places).transpose("values", "time").to_netcdf(tmp_path / f"{name}.nc")
    run, out = tmp_path / "run", tmp_path / "out.nc"
    command = ["train", "forecast", "--data", str(tmp_path / "train.nc"), "--out", str(run), "--max_epochs=8"]
    assert main([*command, "--data.val_fraction=0", *SMALL]) == 0
    command = ["predict", str(run), str(tmp_path / "test.nc"), "--steps=1", "--start=first", "--out", str(out)]
    assert main(command) == 0
    found, truth = xr.open_dataset(out), xr.open_dataset(tmp_path / "test.nc")
    assert found.h.dims == ("values", "time")
    error, kept = (float(((a - truth.h[:, 1]) ** 2).mean()) for a in (found.h[:, 0].values, truth.h[:, 0].values))
    assert error < kept, "better than persistence"

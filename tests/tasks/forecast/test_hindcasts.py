"""Forecasts from many starts: the same as one by one, in chunks of one field, in memory that does not grow."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from gaugenet.cli import main
from gaugenet.geometry import HEALPix
from gaugenet.tasks.forecast.prediction import predict_forecast
from tests.data.climate.cell_files import weather
from tests.tasks.forecast.planet_files import planet, written

SMALL = ["--level=2", "--model.levels=2", "--model.width=2", "--accelerator=cpu", "--threads=1", "--max_epochs=1"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("hindcasts")
    for k in range(4):
        written(planet(6, first=6 * k, order=("lon", "time", "level", "lat")), root / f"{k}.nc")
    run = ["train", "forecast", "--data", *(str(root / f"{k}.nc") for k in range(2)), "--out", str(root / "run")]
    assert main([*run, "--data.levels=all", "--data.val_fraction=0", *SMALL]) == 0
    return root


def test_forecasts_from_many_starts_are_those_from_each(folder, tmp_path):
    files, out = [str(folder / f"{k}.nc") for k in range(2)], tmp_path / "all.nc"
    command = ["predict", str(folder / "run"), *files, "--steps=2"]
    assert main([*command, "--start", "every 5", "--out", str(out)]) == 0
    found = xr.open_dataset(out, chunks={})
    assert found.z.dims == ("lon", "forecast_reference_time", "lead_time", "level", "lat")
    assert found.z.shape[1:3] == (3, 2)
    sizes = dict(zip(found.z.dims, found.z.data.chunksize))
    assert (sizes["forecast_reference_time"], sizes["lead_time"], sizes["level"]) == (1, 1, 1)
    assert (sizes["lon"], sizes["lat"]) == (found.sizes["lon"], found.sizes["lat"])
    assert list(xr.open_dataset(out, decode_timedelta=False).lead_time.values) == [6, 12]
    given = xr.open_mfdataset(files, combine="by_coords").time.values
    assert list(found.forecast_reference_time.values) == list(given[[0, 5, 10]])
    for index, start in enumerate(given[[0, 5, 10]]):
        one = tmp_path / f"{index}.nc"
        assert main([*command, f"--start={np.datetime_as_string(start, unit='h')}", "--out", str(one)]) == 0
        alone = xr.open_dataset(one)
        for name in ("z", "u", "v"):
            together = found[name].isel(forecast_reference_time=index).values
            np.testing.assert_array_equal(together, alone[name].values)
    assert float(abs(found.z.isel(lead_time=1) - found.z.isel(lead_time=0)).max()) > 0, "control: it moves"


@pytest.mark.long
def test_memory_does_not_grow_with_the_number_of_starts(tmp_path):
    """5.9 MB in and 11.8 MB out before compression, in the memory of a few fields."""
    points, steps = HEALPix(32).pos.numpy(), 40
    spin = np.radians(12.0 * np.arange(steps))[:, None]
    t = (280 + 10 * (np.cos(spin) * points[:, 0] + np.sin(spin) * points[:, 1])).astype(np.float32)
    data = xr.Dataset({name: (("time", "cell"), t, {"units": "K"}) for name in ("t", "s", "r")})
    data["time"] = np.datetime64("2001-03-01", "ns") + np.arange(steps) * np.timedelta64(6, "h")
    data["crs"] = ((), 0, {"grid_mapping_name": "healpix", "healpix_nside": 32, "healpix_order": "nest"})
    chunks = {name: {"chunksizes": (1, t.shape[1])} for name in ("t", "s", "r")}
    data.isel(time=slice(0, 4)).to_netcdf(tmp_path / "few.nc")
    data.to_netcdf(tmp_path / "all.nc", encoding=chunks)
    run, files = tmp_path / "run", [str(tmp_path / "all.nc")]
    command = ["train", "forecast", "--data", str(tmp_path / "few.nc"), "--out", str(run), "--data.val_fraction=0"]
    assert main([*command, *SMALL]) == 0

    def peak(start: str) -> int:
        tracemalloc.start()
        predict_forecast(run, files, tmp_path / "out.nc", steps=2, start=start, overwrite=True)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak("every 20")  # what is computed once
    few, many = peak("every 10"), peak("all")
    assert xr.open_dataset(tmp_path / "out.nc").t.shape == (steps, 2, len(points))
    assert abs(many - few) < 0.05 * data.nbytes, (few, many, data.nbytes)


def test_forecasts_on_cells_have_the_cells_of_the_input(tmp_path):
    weather("icon", 8).to_netcdf(tmp_path / "icon.nc")
    run, fields = tmp_path / "run", ["--data.scalars=t", "--data.vectors=u:v", "--data.val_fraction=0"]
    assert main(["train", "forecast", "--data", str(tmp_path / "icon.nc"), "--out", str(run), *fields, *SMALL]) == 0
    out = predict_forecast(run, [str(tmp_path / "icon.nc")], tmp_path / "out.nc", steps=2, start="all")
    assert out["starts"] == 8
    found = xr.open_dataset(tmp_path / "out.nc")
    assert found.t.dims == ("forecast_reference_time", "lead_time", "ncells")
    np.testing.assert_allclose(found.clat, xr.open_dataset(tmp_path / "icon.nc").clat)


def test_a_start_that_is_none_is_refused(folder, tmp_path, capsys):
    command = ["predict", str(folder / "run"), str(folder / "0.nc"), "--out", str(tmp_path / "x.nc")]
    assert main([*command, "--start", "every 0"]) == 1
    assert "positive integer" in capsys.readouterr().err
    assert main([*command, "--start", "sometimes"]) == 1
    assert "every N" in capsys.readouterr().err


def test_an_empty_start_is_not_the_first_time(folder, tmp_path, capsys):
    command = ["predict", str(folder / "run"), str(folder / "0.nc"), "--out", str(tmp_path / "x.nc")]
    assert main([*command, "--start", ""]) == 1
    assert "a time of the files" in capsys.readouterr().err
    assert not (tmp_path / "x.nc").exists()


def test_a_hindcast_of_a_hindcast_is_refused_by_name(folder, tmp_path, capsys):
    """Its dimension lead_time would be needed twice."""
    first = tmp_path / "first.nc"
    command = ["predict", str(folder / "run"), "--steps=1"]
    assert main([*command, str(folder / "0.nc"), "--start=all", "--out", str(first)]) == 0
    capsys.readouterr()
    assert main([*command, str(first), "--start=all", "--out", str(tmp_path / "second.nc")]) == 1
    message = capsys.readouterr().err
    assert "'lead_time'" in message
    assert "rename it" in message
    assert "--debug" not in message
    assert main([*command, str(first), "--start=first", "--out", str(tmp_path / "one.nc")]) == 0

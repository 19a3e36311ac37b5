"""Levels and ensemble members as channels: `z@500`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from gaugenet.data import ClimateFiles, DataError
from gaugenet.data.climate.field_output import field_file, layouts_of
from gaugenet.data.climate.latlon import LatLonGrid

GRID = LatLonGrid.regular(7, 12, poles=True)


def dataset(order: tuple[str, ...] = ("time", "level", "lat", "lon"), *, members: int = 1) -> xr.Dataset:
    """Two times, three levels, and where asked for members of an ensemble; every value is different."""
    sizes = {"time": 2, "level": 3, "number": members, "lat": 7, "lon": 12}
    dims = tuple(d for d in order if d != "number" or members > 1)
    values = np.arange(np.prod([sizes[d] for d in dims]), dtype=np.float32).reshape([sizes[d] for d in dims])
    fields = {name: (dims, values + k * 1e4, {"units": unit}) for k, (name, unit) in enumerate(
        {"z": "m2 s-2", "u": "m s-1", "v": "m s-1"}.items())}  # fmt: skip
    coordinates = {
        "time": ("time", np.array(["2000-01-01T00", "2000-01-01T06"], dtype="datetime64[ns]")),
        "level": ("level", np.array([250, 500, 850], dtype=np.int32), {"units": "hPa"}),
        "lat": ("lat", GRID.lat, {"units": "degrees_north"}),
        "lon": ("lon", GRID.lon, {"units": "degrees_east"}),
    }
    return xr.Dataset(fields, coords=coordinates)


def written(data: xr.Dataset, path: Path) -> Path:
    data.to_netcdf(path)
    return path


@pytest.mark.parametrize("order", [("time", "level", "lat", "lon"), ("lon", "level", "time", "lat")])
def test_a_channel_is_its_variable_at_a_level(tmp_path, order):
    data = dataset(order)
    files = ClimateFiles(written(data, tmp_path / "a.nc"), scalars="z@500,z@level=850", vectors="u@250:v@250")
    frame = files[1]
    for k, level in enumerate((500, 850)):
        expected = data.z.sel(level=level).isel(time=1).transpose("lat", "lon").values
        assert np.array_equal(frame.scalars[k], expected)
    assert np.array_equal(frame.vectors[0, 1], data.v.sel(level=250).isel(time=1).transpose("lat", "lon").values)
    assert files.variables.units["z@500"] == "m2 s-2"


def test_all_levels_and_some_levels_become_channels(tmp_path):
    path = written(dataset(), tmp_path / "a.nc")
    assert ClimateFiles(path, levels="all").variables.scalars == ("z@250", "z@500", "z@850")
    some = ClimateFiles(path, levels="850, 500").variables
    assert (some.scalars, some.vectors) == (("z@850", "z@500"), (("u@850", "v@850"), ("u@500", "v@500")))
    assert ClimateFiles(path, scalars="z@250", vectors="", levels="500").variables.scalars == ("z@250",)


def test_members_of_an_ensemble_are_channels_by_their_index(tmp_path):
    data = dataset(("number", "time", "level", "lat", "lon"), members=2)
    path = written(data, tmp_path / "a.nc")
    files = ClimateFiles(path, scalars="z@1@500,z@level=850@number=0", vectors="")
    assert np.array_equal(files[0].scalars[0], data.z.sel(level=500).isel(number=1, time=0).values)
    assert np.array_equal(files[0].scalars[1], data.z.sel(level=850).isel(number=0, time=0).values)
    assert len(ClimateFiles(path, levels="all").variables.scalars) == 6


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, r"'z' has the further dimension 'level' of size 3 \(250, 500, 850\): choose, e.g. `z@250`"),
        ({"scalars": "z@300"}, r"'z@300' names '300', which is not in the dimension 'level': it holds 250, 500, 850"),
        (
            {"scalars": "z@height=250"},
            r"'z@height=250' names a level, but the further dimensions of 'z' are \['level'\]",
        ),
        ({"scalars": "z@250@500"}, "names a level"),
        ({"scalars": "q@500"}, "no variable 'q'"),
        ({"levels": "300"}, "none of the levels 300"),
        ({"scalars": "z@500", "vectors": "u@250:v@500"}, "not at the same levels"),
    ],
)
def test_levels_that_are_not_chosen_or_not_there_are_refused(tmp_path, options, words):
    path = written(dataset(), tmp_path / "a.nc")
    with pytest.raises(DataError, match=words):
        ClimateFiles(path, **options)


def test_fields_are_written_back_with_names_order_and_levels_of_the_file(tmp_path):
    data = dataset(("lon", "level", "time", "lat"))
    data = data.roll(lon=5, roll_coords=True).rename(lon="longitude", time="valid_time")
    path = written(data, tmp_path / "in.nc")
    files = ClimateFiles(path, scalars="z@850,z@250", vectors="u@250:v@250")
    store = xr.open_dataset(path)
    layouts, levels = layouts_of(store, files.variables.names, files.variables.units, path)
    times, coding = files.coded_times
    out = tmp_path / "out.nc"
    with field_file(out, files.axes, layouts, coordinates=levels, time=coding) as file:
        for step in range(2):
            frame = files[step]
            fields = [*frame.scalars, *frame.vectors.reshape(-1, *GRID.shape)]
            file.write(step, times[step], dict(zip(files.variables.names, fields)))
    back = xr.open_dataset(out)
    assert back.z.dims == data.z.dims
    assert back.level.values.tolist() == [250, 850]
    assert back.level.attrs == {"units": "hPa"}
    assert np.array_equal(back.longitude, data.longitude)
    assert np.array_equal(back.valid_time, data.valid_time)
    assert np.array_equal(back.z, data.z.sel(level=[250, 850]))
    assert np.array_equal(back.u.sel(level=250), data.u.sel(level=250))
    assert np.isnan(back.u.sel(level=850)).all(), "a level that was not a channel stays missing"

"""Climate files as others write them: read like the tidy file, bit for bit, or refused by name."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr

from gaugenet.data.climate.dataset import ClimateFiles
from gaugenet.data.climate.latlon import LatLonGrid
from gaugenet.data.climate.layout import FileAxes, FileLayout
from gaugenet.data.climate.output import grid_file
from gaugenet.data.meshes.sample import DataError

LAT, LON = np.arange(85.0, -90, -10), np.arange(0.0, 360, 10)


def globe(steps: int = 3) -> xr.Dataset:
    """Pressure, a wind and labels on a grid of ten degrees."""
    draw = np.random.default_rng(0)
    time = np.datetime64("2020-01-01", "ns") + np.arange(steps) * np.timedelta64(1, "D")
    dims, shape = ("time", "lat", "lon"), (steps, len(LAT), len(LON))
    fields = {
        name: (dims, draw.normal(size=shape).astype(np.float32), {"units": units})
        for name, units in (("msl", "Pa"), ("u10", "m s-1"), ("v10", "m s-1"))
    }
    label = (dims, draw.integers(0, 2, shape).astype(np.int8))
    return xr.Dataset({**fields, "label": label}, {"time": time, "lat": LAT, "lon": LON})


def saved(dataset: xr.Dataset, path) -> str:
    dataset.to_netcdf(path)
    return str(path)


def flagged(dataset: xr.Dataset, name: str, values: str, **attributes) -> xr.Dataset:
    numbers = np.arange(len(values.split()), dtype=np.int8)
    found = dataset.label.copy(data=dataset.label.values)
    return dataset.assign({name: found.assign_attrs(flag_values=numbers, flag_meanings=values, **attributes)})


# --- longitudes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["falling", "wrapped", "rolled"])
def test_longitudes_in_any_order_read_like_the_sorted_file_bit_for_bit(tmp_path, how):
    plain = globe()
    other = {
        "falling": plain.isel(lon=slice(None, None, -1)),
        "wrapped": plain.assign_coords(lon=(plain.lon + 180) % 360 - 180),
        "rolled": plain.roll(lon=7, roll_coords=True),
    }[how]
    files = ClimateFiles(saved(other, tmp_path / "other.nc"))
    expected = ClimateFiles(saved(other.sortby("lon"), tmp_path / "sorted.nc"))
    for own, wanted in zip(files, expected, strict=True):
        for name in ("scalars", "vectors", "label"):
            assert np.array_equal(getattr(own, name), getattr(wanted, name))
    assert np.array_equal(files.grid.lon, expected.grid.lon)
    raw = other.msl.values[0]
    assert not np.array_equal(files[0].scalars[0], raw), "control: the file itself has another order"
    second = ClimateFiles([saved(plain, tmp_path / "plain.nc"), tmp_path / "other.nc"])
    assert np.array_equal(second[0].scalars, second[1].scalars), "and it is brought to the order of the first"


def test_outputs_keep_names_and_order_of_the_dimensions(tmp_path):
    source = globe().rename(lat="latitude", lon="longitude", time="valid_time").isel(longitude=slice(None, None, -1))
    source = source.transpose("longitude", "valid_time", "latitude")
    files = ClimateFiles(saved(source, tmp_path / "in.nc"))
    times, attributes = files.coded_times
    with grid_file(tmp_path / "out.nc", files.grid, ["a", "b"], time=attributes, axes=files.axes) as out:
        for step, frame in enumerate(files):
            out.write(step, times[step], np.stack([frame.label == 0, frame.label == 1]), frame.label)
    found = xr.open_dataset(tmp_path / "out.nc")
    assert found.label.dims == source.label.dims
    for name in source.label.dims:
        assert np.array_equal(found[name], source[name])
    assert np.array_equal(found.label, source.label)
    assert np.array_equal(found.probability_b, source.label)


# --- what is the label ------------------------------------------------------------------------------------------------


def test_a_quality_flag_beside_the_label_is_not_the_label(tmp_path):
    files = ClimateFiles(saved(flagged(globe(), "quality", "bad good"), tmp_path / "a.nc"))
    assert files.variables.label == "label"
    alone = flagged(globe(), "quality", "bad good").drop_vars("label")
    assert ClimateFiles(saved(alone, tmp_path / "b.nc")).variables.label is None
    truth = flagged(globe(), "storms", "none storm").drop_vars("label")
    assert ClimateFiles(saved(truth, tmp_path / "c.nc")).variables.label == "storms", "control"


def test_a_static_mask_is_not_the_label(tmp_path):
    land = globe().label.isel(time=0, drop=True).assign_attrs(long_name="mask")
    both = globe().assign(mask=land)
    assert ClimateFiles(saved(both, tmp_path / "a.nc")).variables.label == "label"
    assert ClimateFiles(saved(both.drop_vars("label"), tmp_path / "b.nc")).variables.label is None
    moving = globe().rename(label="mask")
    assert ClimateFiles(saved(moving, tmp_path / "c.nc")).variables.label == "mask", "control"


def test_of_two_labels_one_must_be_chosen(tmp_path):
    path = saved(
        flagged(flagged(globe(), "fronts", "no yes"), "storms", "no yes").drop_vars("label"), tmp_path / "a.nc"
    )
    with pytest.raises(DataError, match=r"'fronts' and 'storms'.*--data\.label"):
        ClimateFiles(path)
    assert ClimateFiles(path, label="storms").variables.label == "storms"


def test_a_second_file_with_other_flag_meanings_is_refused(tmp_path):
    first = saved(flagged(globe(), "label", "none storm"), tmp_path / "a.nc")
    second = saved(flagged(globe(), "label", "storm none"), tmp_path / "b.nc")
    with pytest.raises(DataError, match="means 'storm'"):
        ClimateFiles([first, second])
    assert len(ClimateFiles([first, first])) == 6


# --- winds ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", ["u10", "v10"])
def test_half_a_wind_is_not_a_scalar(tmp_path, missing):
    path = saved(globe().drop_vars(missing), tmp_path / "a.nc")
    with pytest.raises(DataError, match="one component of a vector"):
        ClimateFiles(path)
    assert ClimateFiles(path, scalars="msl").variables.names == ("msl",)


def test_both_components_are_read_in_one_unit(tmp_path):
    plain, knots = globe(), globe()
    knots["u10"] = (knots.u10 * (3600 / 1852)).assign_attrs(units="kt")
    files = ClimateFiles(saved(knots, tmp_path / "a.nc"))
    np.testing.assert_allclose(files[0].vectors[0] * (1852 / 3600), [plain.u10[0], plain.v10[0]], atol=1e-5)
    for units in ("K", None):
        other = globe()
        other["v10"] = other.v10.assign_attrs(units=units) if units else other.v10.drop_attrs()
        with pytest.raises(DataError, match="'v10' in"):
            ClimateFiles(saved(other, tmp_path / f"{units}.nc"))


# --- numbers ----------------------------------------------------------------------------------------------------------


def test_fill_values_that_a_file_does_not_declare_are_missing(tmp_path):
    other = globe()
    other.msl[0, 3, 4] = 1e20
    files = ClimateFiles(saved(other, tmp_path / "a.nc"))
    with pytest.raises(DataError, match="'msl' has 1 values"):
        files[0]
    assert np.isfinite(files[1].scalars).all(), "control"


def test_labels_that_are_not_whole_numbers_and_times_that_are_none_are_refused(tmp_path):
    infinite = globe().assign(label=globe().label.astype(np.float32))
    infinite.label[0, 0, 0] = np.inf
    with pytest.raises(DataError, match="infinite"):
        ClimateFiles(saved(infinite, tmp_path / "a.nc"))[0]
    text = globe().assign(label=globe().label.astype(str))
    with pytest.raises(DataError, match="expected numbers"):
        ClimateFiles(saved(text, tmp_path / "b.nc"))
    many = globe().assign(label=globe().label.copy(data=np.arange(3 * 18 * 36).reshape(3, 18, 36)))
    with pytest.raises(DataError, match="more than 255"):
        ClimateFiles(saved(many, tmp_path / "c.nc"))
    time = globe().time.values.copy()
    time[1] = np.datetime64("NaT")
    with pytest.raises(DataError, match="time step 1 has no time"):
        ClimateFiles(saved(globe().assign_coords(time=time), tmp_path / "d.nc"))


def test_a_store_of_pickled_objects_is_refused(tmp_path):
    zarr = pytest.importorskip("zarr")
    store = tmp_path / "a.zarr"
    globe().to_zarr(store, zarr_format=2, consolidated=False) if zarr.__version__ >= "3" else globe().to_zarr(store)
    assert len(ClimateFiles(store)) == 3, "control"
    meta = store / "msl" / ".zarray"
    values = json.loads(meta.read_text(encoding="utf-8"))
    meta.write_text(json.dumps({**values, "filters": [{"id": "pickle", "protocol": 5}]}), encoding="utf-8")
    (store / "touched").mkdir()
    with pytest.raises(DataError, match="pickle"):
        ClimateFiles(store)


def test_plain_axes_are_those_of_the_grid():
    grid = LatLonGrid(LAT, LON)
    values = np.arange(grid.size).reshape(grid.shape)
    assert np.array_equal(FileAxes.plain(grid).as_in_file(values), values)
    assert FileLayout.__dataclass_fields__["columns"].default is None

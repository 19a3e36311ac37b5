"""Climate files: what is found in them, what is brought into order, and what is refused by name."""

from __future__ import annotations

import importlib
import os
from pathlib import Path

import netCDF4
import numpy as np
import pytest
import xarray as xr
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from gaugenet.data.climate.dataset import ClimateFiles, open_store
from gaugenet.data.climate.happi import Happi20Files
from gaugenet.data.climate.latlon import LatLonGrid, east_north, lat_lon
from gaugenet.data.climate.layout import FileLayout
from gaugenet.data.climate.output import cell_file, grid_file
from gaugenet.data.climate.sampling import GridLocations, PointLocations
from gaugenet.data.climate.time_blocks import check_apart, split_by_blocks
from gaugenet.data.climate.units import canonical_unit, conversion
from gaugenet.data.climate.vortices import SyntheticWeather
from gaugenet.data.meshes.sample import IGNORE_LABEL, DataError
from gaugenet.data.normalization import Normalization

ROOT = Path(__file__).resolve().parents[2]
GRID = LatLonGrid.regular(19, 36, poles=True)


@pytest.fixture(scope="module")
def weather() -> xr.Dataset:
    return SyntheticWeather(seed=3, radius=15.0).dataset(4, grid=GRID)


@pytest.fixture
def path(weather, tmp_path):
    weather.to_netcdf(tmp_path / "a.nc")
    return tmp_path / "a.nc"


def written(dataset: xr.Dataset, path) -> str:
    dataset.to_netcdf(path)
    return str(path)


# --- what is found --------------------------------------------------------------------------------------------------


def test_variables_classes_and_times_are_found(path, weather):
    files = ClimateFiles(path)
    assert files.variables.scalars == ("tmq",)
    assert files.variables.vectors == (("u10", "v10"),)
    assert files.class_names == ("background", "vortex", "filament")
    assert len(files) == 4
    assert files.times[1] == "2000-01-01T06:00"
    np.testing.assert_array_equal(np.diff(files.hours), 6)
    frame = files[2]
    np.testing.assert_array_equal(frame.vectors[0, 1], weather.v10.values[2])
    np.testing.assert_array_equal(frame.label, weather.label.values[2])
    assert [f.step for f in files[1:3]] == [1, 2]


def test_zarr_stores_are_the_same(path, weather, tmp_path):
    weather.to_zarr(tmp_path / "a.zarr", zarr_format=2)
    a, b = ClimateFiles(path), ClimateFiles(tmp_path / "a.zarr")
    assert a.variables == b.variables
    for one, other in zip(a, b):
        np.testing.assert_array_equal(one.vectors, other.vectors)
        np.testing.assert_array_equal(one.label, other.label)


def test_only_the_frame_that_is_asked_for_is_read(path, monkeypatch):
    """Every read goes through one array of the store: its total size is one frame."""
    files = ClimateFiles(path)
    read = []
    wrapper = importlib.import_module("xarray.backends.netCDF4_").NetCDF4ArrayWrapper
    original = wrapper._getitem

    def counted(self, key):
        values = original(self, key)
        read.append(np.size(values))
        return values

    monkeypatch.setattr(wrapper, "_getitem", counted)
    files.read(3)
    fields = [n for n in read if n >= GRID.size]
    assert fields == [GRID.size] * 4, "u, v, tmq and label of one step"
    open_store(path)["u10"].load()
    assert read[-1] == 4 * GRID.size, "control: reading all is seen"


def test_climatenet_files(weather, tmp_path):
    """One file a step, LABELS without attributes and without time, winds named without standard names."""
    for k in range(3):
        one = weather.isel(time=[k]).rename(u10="U850", v10="V850", tmq="TMQ", label="LABELS")
        one["PSL"] = one.TMQ * 10 + 1e5
        for name in ("U850", "V850", "LABELS"):
            one[name].attrs = {}
        one["LABELS"] = one.LABELS.isel(time=0, drop=True).astype("int64")
        one.to_netcdf(tmp_path / f"data-2011-06-2{k}-01-1.nc")
    files = ClimateFiles(tmp_path)
    assert files.variables.scalars == ("TMQ", "PSL")
    assert files.variables.vectors == (("U850", "V850"),)
    assert files.class_names == ("background", "tropical_cyclone", "atmospheric_river")
    np.testing.assert_array_equal(files[1].label, weather.label.values[1])


@pytest.mark.parametrize(
    ("times", "known", "dated"),
    [
        (["2011-06-20T00:00", "2011-06-20T06:00"], True, True),
        (["run 1, step 1", "run 1, step 2"], False, False),
        ([0.0, 6.0], True, False),
    ],
)
def test_times_that_are_text_or_numbers(weather, tmp_path, times, known, dated):
    """ISO dates are dates; numbers order the steps; other text is no time. Only dates are written again."""
    files = ClimateFiles(written(weather.isel(time=[0, 1]).assign_coords(time=times), tmp_path / "a.nc"))
    assert np.isfinite(files.hours).all() == known
    if known:
        assert np.ptp(files.hours) == 6
    numbers, attributes = files.coded_times
    assert (attributes is not None) == dated
    assert len(numbers) == 2
    assert files.times[1] == ("2011-06-20T06:00" if dated else str(times[1]))


def test_a_file_is_resolved_once(path, monkeypatch):
    """Names, units, axes and times are found when files are opened, and never looked for again."""
    layout = importlib.import_module("gaugenet.data.climate.layout")
    resolved = []
    for name in ("latitude_name", "longitude_name", "time_name", "conversion"):
        original = getattr(layout, name)
        monkeypatch.setattr(layout, name, lambda *a, f=original: resolved.append(f.__name__) or f(*a))
    files = ClimateFiles(path)
    assert {"latitude_name", "longitude_name", "time_name", "conversion"} == set(resolved), "control: they are counted"
    resolved.clear()
    assert len(list(files)) == len(files.times) == len(files.coded_times[0]) == 4
    assert not resolved


def test_a_layout_says_what_a_file_is(weather, tmp_path):
    """A level of size one, another unit, latitudes from the south and longitudes from 180 degrees west."""
    other = weather.isel(lat=slice(None, None, -1)).assign_coords(lon=(weather.lon + 180) % 360 - 180).sortby("lon")
    other["u10"] = (other.u10 * 3.6).assign_attrs(weather.u10.attrs | {"units": "km/h"})
    path = Path(written(other.expand_dims(level=[850.0]), tmp_path / "b.nc"))
    files = ClimateFiles([written(weather, tmp_path / "a.nc")])
    layout = FileLayout.of(open_store(path), path, files.variables, files.grid)
    u = layout.variables["u10"]
    assert (u.space, u.time, dict(u.levels)) == (("lat", "lon"), "time", {"level": 0})
    assert (u.factor, u.offset) == (pytest.approx(1 / 3.6), 0)
    assert layout.flipped
    assert layout.shift == GRID.shape[1] // 2
    expected = files[2].vectors[0, 0]
    values = layout.reordered(u.converted(u.at(open_store(path), 2)))
    np.testing.assert_allclose(values, expected, atol=1e-4)
    assert np.abs(u.at(open_store(path), 2) - expected).max() > 1, "control"


def test_the_first_file_rules_the_order_of_all(weather, tmp_path):
    rotated = weather.isel(lat=slice(None, None, -1)).assign_coords(lon=(weather.lon + 180) % 360 - 180).sortby("lon")
    rotated = rotated.assign_coords(time=weather.time + np.timedelta64(10, "D")).transpose("time", "lon", "lat")
    paths = [written(weather, tmp_path / "a.nc"), written(rotated, tmp_path / "b.nc")]
    files = ClimateFiles(paths)
    assert len(files) == 8
    np.testing.assert_array_equal(files[0].vectors, files[4].vectors)
    np.testing.assert_array_equal(files[3].label, files[7].label)
    assert not np.array_equal(rotated.u10.transpose("time", "lat", "lon").values[0], weather.u10.values[0]), "control"


def test_units_are_converted_to_those_of_the_first_file(weather, tmp_path):
    knots = weather.copy()
    knots["u10"] = (weather.u10 * 3600 / 1852).assign_attrs(weather.u10.attrs | {"units": "knots"})
    files = ClimateFiles(written(weather, tmp_path / "a.nc"))
    other = ClimateFiles(written(knots, tmp_path / "b.nc"), variables=files.variables)
    np.testing.assert_allclose(other[0].vectors, files[0].vectors, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("text", ["m/s", "m s**-1", "M/S", "meter second-1", " m  s-1 "])
def test_spellings_of_units(text):
    assert canonical_unit(text) == "m s-1"


def test_conversions_and_what_does_not_convert():
    assert conversion("hPa", "Pa") == (100.0, 0.0)
    factor, offset = conversion("K", "degC")
    assert 300 * factor + offset == pytest.approx(26.85)
    assert conversion("m s-1", "Pa") is None


def test_labels_of_255_negative_labels_and_fill_values_are_ignored(weather, tmp_path):
    marked = weather.copy(deep=True)
    values = marked.label.values.astype(np.float32)
    values[0, 0, :3] = [255, -1, np.nan]
    marked["label"] = (marked.label.dims, values, marked.label.attrs)
    label = ClimateFiles(written(marked, tmp_path / "a.nc"))[0].label
    np.testing.assert_array_equal(label[0, :3], IGNORE_LABEL)
    np.testing.assert_array_equal(label[1:], weather.label.values[0, 1:])


def test_labels_without_meanings_are_classes_by_number(weather, tmp_path):
    plain = weather.copy()
    plain["label"] = (weather.label * 2).drop_attrs()
    files = ClimateFiles(written(plain, tmp_path / "a.nc"))
    assert files.class_names == ("background", "class_2", "class_4")
    np.testing.assert_array_equal(files[0].label, weather.label.values[0])


# --- what is refused -------------------------------------------------------------------------------------------------


def broken(weather: xr.Dataset, how: str) -> tuple[xr.Dataset, dict]:
    bad = weather.copy(deep=True)
    if how == "missing variable":
        return bad.drop_vars("v10"), {"vectors": "u10:v10"}
    if how == "missing label":
        return bad, {"label": "truth"}
    if how == "level dimension":
        bad["u10"] = bad.u10.expand_dims(level=2)
    if how == "unknown label":
        bad.label.values[0, 0, 0] = 9
    if how == "half label":
        bad["label"] = bad.label + 0.5
        bad.label.attrs = weather.label.attrs
    if how == "nan":
        bad.tmq.values[0, 4, 7] = np.nan
    if how == "regional":
        bad = bad.isel(lat=slice(2, 9))
    if how == "flags":
        bad.label.attrs["flag_meanings"] = "one two"
    if how == "no fields":
        return bad[["label"]], {}
    return bad, {}


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("missing variable", "no variable 'v10'"),
        ("missing label", "no label variable 'truth'"),
        ("level dimension", "further dimension 'level' of size 2"),
        ("unknown label", "holds 9 in time step 0"),
        ("half label", "not integers"),
        ("nan", "'tmq' has 1 values that are not finite in time step 0.*latitude 50, longitude 70"),
        ("regional", "global grid"),
        ("flags", "3 flag_values but 2 flag_meanings"),
        ("no fields", "no floating-point variables"),
    ],
)
def test_unusable_files_are_refused_by_name(weather, tmp_path, how, words):
    bad, options = broken(weather, how)
    path = written(bad, tmp_path / "bad.nc")
    with pytest.raises(DataError, match=words) as caught:
        ClimateFiles(path, **options).read(0)
    assert "bad.nc" in str(caught.value) or how == "flags"


def test_units_that_do_not_convert_and_other_grids_are_refused(weather, path, tmp_path):
    files = ClimateFiles(path)
    other = weather.copy()
    other["tmq"] = weather.tmq.assign_attrs(units="K")
    with pytest.raises(DataError, match="expected 'tmq' in 'kg m-2', got 'K'"):
        ClimateFiles(written(other, tmp_path / "b.nc"), variables=files.variables)
    coarse = SyntheticWeather().dataset(1, grid=LatLonGrid.regular(10, 20))
    with pytest.raises(DataError, match="regrid"):
        ClimateFiles([path, written(coarse, tmp_path / "c.nc")])


def test_nan_may_be_filled(weather, tmp_path):
    bad, _ = broken(weather, "nan")
    frame = ClimateFiles(written(bad, tmp_path / "a.nc"), missing="mean")[0]
    others = np.delete(weather.tmq.values[0].reshape(-1).astype(np.float64), 4 * 36 + 7)
    assert frame.scalars[0, 4, 7] == pytest.approx(others.mean(), rel=1e-6)


@pytest.mark.parametrize("name", ["nothing.nc", "empty", "text.nc"])
def test_files_that_are_none(tmp_path, name):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.nc").write_text("not a NetCDF file")
    with pytest.raises(DataError, match=name):
        ClimateFiles(tmp_path / name)


def test_the_reason_of_another_format_is_a_whole_sentence(tmp_path):
    """xarray's advice ends in a colon, before a link in its next line."""
    (tmp_path / "cat.ply").write_text("ply")
    with pytest.raises(DataError, match=r"backends \[[^]]+\]\)\.$"):
        ClimateFiles(tmp_path / "cat.ply")


# --- normalization ---------------------------------------------------------------------------------------------------


def test_normalization_by_area(path):
    files = ClimateFiles(path)
    area = files.grid.area
    made = Normalization.of(files, area)
    frames = list(files)
    scalars = np.stack([made.scalars(f.scalars)[0] for f in frames])
    vectors = np.stack([made.vectors(f.vectors)[0] for f in frames])
    share = area / area.sum() / len(frames)
    assert (scalars * share).sum() == pytest.approx(0, abs=1e-5)
    assert (scalars**2 * share).sum() == pytest.approx(1, rel=1e-5)
    assert (vectors**2 * share[None]).sum() / 2 == pytest.approx(1, rel=1e-5)
    assert abs(scalars.mean()) > 0.1, "control: the plain mean over the grid is another"
    assert Normalization.from_dict(made.as_dict()) == made


def test_wrong_units_without_a_name_are_noticed(path, weather, tmp_path):
    files = ClimateFiles(path)
    made = Normalization.of(files, files.grid.area)
    made.check(files[0], files.variables, files.grid.area)
    for name, words in (("tmq", "'tmq' has the global mean"), ("u10", "'u10', 'v10' have the size")):
        bad = weather.copy()
        bad[name] = (weather[name] * 1e4).assign_attrs({"standard_name": weather[name].attrs.get("standard_name", "")})
        other = ClimateFiles(written(bad, tmp_path / f"{name}.nc"), variables=files.variables)
        with pytest.raises(DataError, match=words):
            made.check(other[0], files.variables, files.grid.area)


def test_a_constant_field_is_refused(weather, tmp_path):
    flat = weather.copy()
    flat["tmq"] = weather.tmq * 0 + 3
    files = ClimateFiles(written(flat, tmp_path / "a.nc"))
    with pytest.raises(DataError, match="the same everywhere"):
        Normalization.of(files, files.grid.area)


# --- splits ----------------------------------------------------------------------------------------------------------


def test_blocks_of_time_leave_a_gap_and_a_random_split_does_not():
    hours = np.repeat(np.arange(0, 24 * 100, 3.0), 2)  # two runs of an ensemble
    split = split_by_blocks(np.random.default_rng(0).permutation(hours), block_hours=240, gap_hours=72)
    hours = np.random.default_rng(0).permutation(hours)
    parts = [split.train, split.val, split.dropped]
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(len(hours)))
    apart = np.abs(hours[split.val][:, None] - hours[split.train]).min(axis=1)
    assert apart.min() >= 72
    assert 0.1 < len(split.val) / len(hours) < 0.3
    assert f"{len(split.dropped)} steps less than 72 h" in split.summary
    draw = np.random.default_rng(1).random(len(hours)) < 0.2
    near = np.abs(hours[draw][:, None] - hours[~draw]).min(axis=1) <= 3
    assert near.mean() > 0.8, "control: a random split has a neighbour for nearly every step"


def test_splits_that_cannot_be_are_refused():
    with pytest.raises(DataError, match="leave no steps"):
        split_by_blocks(np.arange(10.0), gap_hours=72)
    with pytest.raises(DataError, match="a time for every step"):
        split_by_blocks(np.array([0.0, np.nan]))


def test_validation_files_near_the_training_are_refused():
    assert "100 h apart" in check_apart(np.arange(10.0), np.array([109.0, 200.0]), gap_hours=72)
    with pytest.raises(DataError, match="1 of 2 validation steps are less than 72 h"):
        check_apart(np.arange(10.0), np.array([20.0, 200.0]), gap_hours=72)


# --- HAPPI20 ---------------------------------------------------------------------------------------------------------


def write_happi(folder, points, *, steps=3):
    draw = np.random.default_rng(0)
    for k in range(steps):
        labels = np.eye(3)[draw.integers(0, 3, len(points))].T
        data = draw.normal(size=(16, len(points))) + points[:, 2]
        np.savez(folder / f"data-2106-0{k + 1}-01-0{k}-1.npz", data=data, labels=labels)


def test_happi20_files(tmp_path):
    points = np.random.default_rng(1).normal(size=(42, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    write_happi(tmp_path, points)
    with pytest.raises(DataError, match="do not contain the positions"):
        Happi20Files(tmp_path)
    np.save(tmp_path / "vertices.npy", points)
    files = Happi20Files(tmp_path)
    assert len(files) == 3
    assert np.isfinite(files.hours).all()
    frame = files[1]
    assert frame.scalars.shape == (12, 42)
    with np.load(tmp_path / "data-2106-02-01-01-1.npz") as raw:
        np.testing.assert_allclose(frame.vectors[0], raw["data"][1:3].astype(np.float32))
        np.testing.assert_array_equal(frame.label, raw["labels"].argmax(axis=0))
        np.savez(tmp_path / "data-2106-09-01-01-1.npz", data=raw["data"], labels=0.5 * raw["labels"])
    with pytest.raises(DataError, match="one-hot"):
        Happi20Files(tmp_path)[3]
    np.save(tmp_path / "vertices.npy", points[:40])
    with pytest.raises(DataError, match="for the 40 given vertices"):
        Happi20Files(tmp_path)[0]


# --- places ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["grid", "points"])
def test_places_read_winds_and_labels_off_at_points(kind):
    grid = LatLonGrid.regular(60, 120)
    locations = GridLocations(grid) if kind == "grid" else PointLocations(grid.points.reshape(-1, 3)[::3])
    points = np.random.default_rng(0).normal(size=(50, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    axis = np.array([0.3, -0.5, 0.7])
    wind = np.cross(axis, locations.points)
    frames = east_north(*lat_lon(locations.points))
    components = np.moveaxis(np.einsum("...k,...kc->...c", wind, frames), -1, 0)
    interpolation = locations.interpolation(points)
    found = interpolation.fields(locations.extended(locations.vectors(components[None])))[0]
    assert np.abs(found.T - np.cross(axis, points)).max() < 4e-3
    nearest = locations.points.reshape(-1, 3)[interpolation.nearest]
    assert (nearest * points).sum(axis=1).min() > np.cos(np.radians(6))
    assert locations.area.sum() == pytest.approx(4 * np.pi)


def test_neighbours_of_cells_close_around_the_globe():
    locations = GridLocations(LatLonGrid.regular(8, 12))
    row, column = np.divmod(locations.edges, 12)
    columns_apart = np.abs((column[0] - column[1] + 6) % 12 - 6)
    assert (columns_apart[row[0] != row[1]] <= 1).all()
    for mask in (row == 0).all(axis=0), (row[0] == row[1]) & (row[0] == 3):
        count, _ = connected_components(coo_array((np.ones(mask.sum()), locations.edges[:, mask]), shape=(96, 96)))
        assert count == 96 - 12 + 1, "one row is one piece"
    assert (columns_apart[(row == 0).all(axis=0)] == 6).any(), "across the pole"


# --- output ----------------------------------------------------------------------------------------------------------


def test_output_files_follow_cf(tmp_path):
    grid, classes = LatLonGrid(np.linspace(-90, 90, 7), np.arange(-180, 180, 45.0)), ["background", "atmospheric river"]
    time = {"units": "hours since 2018-01-01", "calendar": "standard"}
    probability = np.random.default_rng(0).random((2, 7, 8)).astype(np.float32)
    probability[0, 0, 0] = np.float32(1) + np.finfo(np.float32).eps  # as interpolation rounds it
    points = np.eye(3)
    with grid_file(tmp_path / "out.nc", grid, classes, time=time) as out, cell_file(
        tmp_path / "cells.nc", points, np.ones(3), classes, time=time
    ) as cells:  # fmt: skip
        for step in range(2):
            out.write(step, 6.0 * step, probability / (1 + step), probability[0] > 0.5)
            cells.write(step, 6.0 * step, probability[:, 0, :3], np.array([0, 1, 1]))
    found = xr.open_dataset(tmp_path / "out.nc")
    assert found.attrs["Conventions"] == "CF-1.10"
    np.testing.assert_array_equal(found.lat, grid.lat)
    np.testing.assert_allclose(found.probability_atmospheric_river[1], probability[1] / 2, rtol=1e-6)
    with netCDF4.Dataset(tmp_path / "out.nc") as raw:
        assert not np.ma.is_masked(raw["probability_background"][:]), "a reader that knows `valid_range` sees all"
        assert raw["probability_background"].valid_range[1] < probability.max(), "control"
    assert found.label.attrs["flag_meanings"] == "background atmospheric_river"
    assert str(found.time.values[1]) == "2018-01-01T06:00:00.000000000"
    cell = xr.open_dataset(tmp_path / "cells.nc")
    np.testing.assert_allclose(cell.lat, [0, 0, 90], atol=1e-12)
    np.testing.assert_allclose(cell.lon[:2], [0, 90])
    assert {"lat", "lon"} <= set(cell.label.coords)


def test_a_broken_output_leaves_nothing_behind(tmp_path):
    with pytest.raises(RuntimeError), grid_file(tmp_path / "out.nc", GRID, ["a", "b"]):
        raise RuntimeError
    assert not list(tmp_path.iterdir())


# --- synthetic weather -----------------------------------------------------------------------------------------------


def test_synthetic_weather_says_so_moves_and_turns_to_the_cyclonic_side():
    made = SyntheticWeather(seed=1, noise=0.0, decoys=0, filaments=0)
    data = made.dataset(2, step_hours=24.0)
    assert "SYNTHETIC" in data.attrs["title"]
    assert (data.label.values[0] != data.label.values[1]).any()
    wind, _, label = made.fields(data_points := LatLonGrid.regular(91, 180, poles=True).points, 0.0)
    assert np.abs((wind * data_points).sum(axis=-1)).max() < 1e-10, "tangent"
    calm, _, _ = SyntheticWeather(seed=1, noise=0.0, vortices=0, decoys=0, filaments=0).fields(data_points, 0.0)
    lat = np.degrees(np.arcsin(data_points[..., 2]))
    swirl = np.cross(data_points, wind - calm)  # towards the centre for a counter-clockwise vortex
    for north in (True, False):
        inside = (label == 1) & ((lat > 0) == north)
        if inside.any():
            center = data_points[inside].mean(axis=0)
            rotating = (swirl[inside] * (center - data_points[inside])).sum()
            assert (rotating > 0) == north


# --- real files ------------------------------------------------------------------------------------------------------


def test_global_forecasts_with_cyclone_discs():
    """Wind that blows across both poles, labels of 255, 6-hour steps: what the README of the data says of them."""
    path = Path(os.environ.get("GAUGENET_DATA", ROOT.parent / "shared" / "data")) / "gfs_tc_val.nc"
    if not path.is_file():
        pytest.skip(f"{path} not found: set GAUGENET_DATA to the folder that holds gfs_tc_val.nc")
    files = ClimateFiles(path)
    assert files.class_names == ("background", "tropical_cyclone")
    assert files.variables.vectors == (("u10", "v10"),)
    assert files.grid.shape == (181, 360)
    assert len(files) == 21
    np.testing.assert_array_equal(np.diff(files.hours), 6)
    labels = [frame.label for frame in files]
    area = files.grid.area
    known = sum(area[label >= 0].sum() for label in labels)
    share = sum(area[label == 1].sum() for label in labels) / known
    assert share == pytest.approx(0.0031, abs=1e-4)
    frame, locations = files[0], GridLocations(files.grid)
    pole = locations.vectors(frame.vectors)[0][:, 0]
    assert np.abs(pole - pole.mean(axis=1, keepdims=True)).max() < 0.2, "one wind at the pole, in every column"
    assert np.abs(frame.vectors[0, :, 0] - frame.vectors[0, :, 0].mean(axis=1, keepdims=True)).max() > 1, "control"

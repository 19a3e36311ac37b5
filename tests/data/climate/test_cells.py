"""Unstructured and HEALPix files: where the cells are, what is read, what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from gaugenet.data import ClimateFiles, DataError
from gaugenet.data.climate.cells import CellGrid
from gaugenet.geometry import HEALPix
from tests.data.climate.cell_files import KINDS, centres, weather


def _written(data: xr.Dataset, path):
    data.to_netcdf(path)
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_cells_are_where_the_file_has_them(kind, tmp_path):
    data = weather(kind, 3)
    files = ClimateFiles(_written(data, tmp_path / "a.nc"), scalars="t", vectors="u:v")
    assert isinstance(files.grid, CellGrid)
    np.testing.assert_allclose(files.grid.points, centres(kind), atol=1e-9)
    assert files.grid.area.sum() == pytest.approx(4 * np.pi)
    frame = files[1]
    cells = len(centres(kind))
    assert frame.scalars.shape == (1, cells)
    assert frame.vectors.shape == (1, 2, cells)
    np.testing.assert_array_equal(frame.scalars[0], data["t"].isel(time=1).values)
    np.testing.assert_array_equal(frame.vectors[0, 1], data["v"].isel(time=1).values)
    assert str(cells) in repr(files)


def test_areas_are_those_of_the_file_or_of_voronoi_cells(tmp_path):
    icon = ClimateFiles(_written(weather("icon", 1), tmp_path / "i.nc"), scalars="t", vectors="u:v").grid.area
    np.testing.assert_allclose(icon / icon[0], np.linspace(1, 2, len(icon)), rtol=1e-12)
    sky = ClimateFiles(_written(weather("healpix", 1), tmp_path / "h.nc"), scalars="t", vectors="u:v").grid.area
    np.testing.assert_allclose(sky, 4 * np.pi / len(sky), rtol=1e-12)
    mpas = ClimateFiles(_written(weather("mpas", 1), tmp_path / "m.nc"), scalars="t", vectors="u:v").grid
    assert mpas.area.max() / mpas.area.min() > 1.1, "control: cells of an icosphere differ"


@pytest.mark.parametrize("kind", KINDS)
def test_fields_are_interpolated_with_winds_as_vectors(kind, tmp_path):
    """A rigid rotation about a tilted axis: smooth in space, but not in its components at the poles."""
    files = ClimateFiles(_written(weather(kind, 1), tmp_path / "a.nc"), scalars="t", vectors="u:v")
    locations, frame = files.locations, files[0]
    rng = np.random.default_rng(0)
    points = rng.standard_normal((300, 3))
    points = np.concatenate([points, [[0, 0, 1.0], [1e-3, 0, 1], [0, 0, -1]]])
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    found = locations.interpolation(points).fields(locations.extended(locations.vectors(frame.vectors)))[0].T
    expected = 10 * np.cross([1.0, 0, 2.0], points)
    assert np.abs(found - expected).max() < 0.03 * np.abs(expected).max()
    if kind != "mpas":  # which has a cell exactly there
        components = locations.interpolation(points).fields(locations.extended(frame.vectors[0]))
        assert np.abs(components[:, -3]).max() < 9, "control: the mean of components near a pole loses the wind"


def test_several_files_have_the_same_cells(tmp_path):
    a, b = weather("icon", 2), weather("icon", 2, first=2)
    paths = [_written(a, tmp_path / "a.nc"), _written(b, tmp_path / "b.nc")]
    assert len(ClimateFiles(paths, scalars="t", vectors="u:v")) == 4
    shuffled = _written(b.isel(ncells=slice(None, None, -1)), tmp_path / "c.nc")
    with pytest.raises(DataError, match="another order"):
        ClimateFiles([paths[0], shuffled], scalars="t", vectors="u:v")
    with pytest.raises(DataError, match="expected the 1280 cells"):
        ClimateFiles([paths[0], _written(weather("mpas", 2), tmp_path / "m.nc")], scalars="t", vectors="u:v")


def test_what_is_not_a_global_grid_is_refused(tmp_path):
    icon = weather("icon", 1)
    north = np.flatnonzero(icon["clat"].values > 0.2)
    with pytest.raises(DataError, match="leave a hole"):
        ClimateFiles(_written(icon.isel(ncells=north), tmp_path / "n.nc"), scalars="t")
    twice = xr.concat([icon, icon.isel(ncells=[0])], "ncells", data_vars="minimal")
    with pytest.raises(DataError, match="same centre"):
        ClimateFiles(_written(twice, tmp_path / "t.nc"), scalars="t")
    icon["cell_area"][3] = 0.0
    with pytest.raises(DataError, match="positive area"):
        ClimateFiles(_written(icon, tmp_path / "z.nc"), scalars="t")
    sky = weather("healpix", 1)
    sky["crs"].attrs["healpix_nside"] = 4
    with pytest.raises(DataError, match="192 pixels, but the dimension 'cell' has 768"):
        ClimateFiles(_written(sky, tmp_path / "s.nc"), scalars="t")
    nowhere = weather("mpas", 1).drop_vars(["latCell", "lonCell"])
    with pytest.raises(DataError, match="no floating-point variables"):
        ClimateFiles(_written(nowhere, tmp_path / "w.nc"))


def _healpix_file(path, **attributes):
    data = weather("healpix", 1)
    data["crs"].attrs = {"grid_mapping_name": "healpix", **attributes}
    return _written(data, path)


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"healpix_nside": 8}, "'nested' or 'ring' as the order .* got none"),  # nested before: pixels in other places
        ({"healpix_nside": 8, "healpix_order": "zuniq"}, "'nested' or 'ring' .* got zuniq"),
        ({"healpix_nside": 8.5, "healpix_order": "ring"}, "integer of at least 0 .*'healpix_nside', got 8.5"),
        ({"healpix_nside": "many", "healpix_order": "ring"}, "integer of at least 0 .*'healpix_nside', got many"),
        ({"healpix_nside": [8, 8], "healpix_order": "ring"}, "integer of at least 0 .*'healpix_nside'"),
        ({"refinement_level": -1, "healpix_order": "ring"}, "integer of at least 0 .*'refinement_level', got -1"),
        ({"refinement_level": 60, "healpix_order": "ring"}, "the dimension 'cell' has 768"),
        ({"healpix_nside": 4, "healpix_order": "ring"}, "192 pixels, but the dimension 'cell' has 768"),
    ],
)
def test_attributes_of_healpix_are_not_guessed(attributes, message, tmp_path):
    with pytest.raises(DataError, match=message):
        ClimateFiles(_healpix_file(tmp_path / "a.nc", **attributes), scalars="t")


def test_the_order_of_healpix_may_be_written_in_several_ways(tmp_path):
    for number, order in enumerate(("ring", "RING", " Ring")):
        path = _healpix_file(tmp_path / f"{number}.nc", healpix_nside="8", healpix_order=order)
        np.testing.assert_allclose(ClimateFiles(path, scalars="t").grid.points, centres("healpix"), atol=1e-9)
    nested = ClimateFiles(_healpix_file(tmp_path / "n.nc", refinement_level=3, indexing_scheme="nest"), scalars="t")
    np.testing.assert_allclose(nested.grid.points, centres("xdggs"), atol=1e-9)


def test_cells_and_areas_that_do_not_fit_are_named(tmp_path):
    lat, lon = HEALPix(4).lat.numpy(), HEALPix(4).lon.numpy()
    assert CellGrid(lat, lon, [2.0] * 192).area.sum() == pytest.approx(4 * np.pi)
    for area in (np.full(192, np.inf), np.full(192, np.nan), np.ones(3)):  # the sum of infinite areas was NaN
        with pytest.raises(DataError, match="positive area of each cell"):
            CellGrid(lat, lon, area)
    with pytest.raises(DataError, match="one length, got 192 and 5"):
        CellGrid(lat, lon[:5])
    with pytest.raises(DataError, match="got 0 cells"):
        CellGrid(lat[:0], lon[:0])
    empty = weather("healpix", 2).isel(time=slice(0, 0))
    with pytest.raises(DataError, match="no time steps"):
        ClimateFiles(_written(empty, tmp_path / "e.nc"), scalars="t")


@pytest.mark.parametrize("kind", KINDS)
def test_a_westerly_wind_turns_the_planet_eastward(kind, tmp_path):
    """u = cos(latitude), v = 0 is the rotation z x r; the control is a wind from the east."""
    data, points = weather(kind, 1), centres(kind)
    cell = {"icon": "ncells", "mpas": "nCells", "healpix": "cell", "xdggs": "cells"}[kind]
    other = {name: data[name].mean("time") for name in ("u", "v")}
    data["u"] = other["u"] * 0 + xr.DataArray(np.hypot(points[:, 0], points[:, 1]), dims=cell)
    data["v"] = other["v"] * 0
    data["u"].attrs, data["v"].attrs = {"units": "m s-1"}, {"units": "m s-1"}
    files = ClimateFiles(_written(data, tmp_path / "a.nc"), vectors="u:v", scalars="t")
    found = files.locations.vectors(files[0].vectors)[0]
    expected = np.cross([0.0, 0.0, 1.0], points).T
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert np.abs(found + expected).max() > 1, "control"

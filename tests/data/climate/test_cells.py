"""Unstructured and HEALPix files: where the cells are, what is read, what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from gaugenet.data import ClimateFiles, DataError
from gaugenet.data.climate.cells import CellGrid
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

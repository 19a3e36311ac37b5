"""Small files for the tests of forecasts: patterns that rotate about the axis, at two levels, with winds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from gaugenet.data.climate.latlon import LatLonGrid

GRID = LatLonGrid.regular(13, 24, poles=True)
LEVELS = (500, 850)


def planet(steps: int = 12, *, first: int = 0, every: float = 6.0, order: tuple[str, ...] | None = None) -> xr.Dataset:
    """`z`, `u` and `v` on (time, level, lat, lon) or in another order, and `orography` without time."""
    hours = (first + np.arange(steps)) * every
    points = GRID.points
    spin = np.radians(hours * 2.0)[:, None, None, None]
    east, north = np.moveaxis(GRID.frames, -1, 0)
    z, u, v = (np.zeros((steps, len(LEVELS), *GRID.shape), dtype=np.float32) for _ in range(3))
    for k in range(len(LEVELS)):
        angle = spin[:, 0] * (k + 1)
        x, y = points[..., 0], points[..., 1]
        wave = np.cos(2 * angle) * (x**2 - y**2) + 2 * np.sin(2 * angle) * x * y
        z[:, k] = 5000 * (k + 1) + 100 * wave
        pole = np.stack([np.cos(angle), np.sin(angle), 2 + 0 * angle], -1)
        wind = 10 * np.cross(np.broadcast_to(pole, (steps, *GRID.shape, 3)), points)
        u[:, k], v[:, k] = ((wind * axis).sum(-1) for axis in (east, north))
    dims = ("time", "level", "lat", "lon")
    data = xr.Dataset(
        {
            "z": (dims, z, {"units": "m2 s-2"}),
            "u": (dims, u, {"units": "m s-1", "standard_name": "eastward_wind"}),
            "v": (dims, v, {"units": "m s-1", "standard_name": "northward_wind"}),
            "orography": (dims[2:], (500 * points[..., 0] ** 2).astype(np.float32), {"units": "m"}),
        },
        coords={
            "time": np.datetime64("2001-03-01T00", "ns") + (hours * 3600e9).astype("timedelta64[ns]"),
            "level": ("level", list(LEVELS), {"units": "hPa"}),
            "lat": ("lat", GRID.lat, {"units": "degrees_north"}),
            "lon": ("lon", GRID.lon, {"units": "degrees_east"}),
        },
    )
    return data if order is None else data.transpose(*order)


def written(data: xr.Dataset, path: Path) -> Path:
    data.to_netcdf(path)
    return path

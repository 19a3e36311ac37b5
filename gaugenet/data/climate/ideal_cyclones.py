"""Idealized cyclones in a zonal flow: a labelled sample for networks that were trained on real winds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from gaugenet._typing import typed_array
from gaugenet.data.climate.latlon import LatLonGrid, east_north
from gaugenet.files import atomic_path

_CENTERS = ((16, -60), (18, 135), (22, -45), (14, 160), (-15, 80), (20, -110))
"""Latitude and longitude of each cyclone, in degrees."""
_EARTH_KM = 6371.0
_LABEL_KM = 500.0
_INFLOW = np.radians(20.0)
_CLASSES = ("background", "tropical_cyclone")


def idealized_cyclones(path: str | Path, *, speed: float = 28.0, radius: float = 130.0) -> Path:
    """Write global winds at 10 m with six cyclones and their labels, as NetCDF on a grid of one degree.

    The wind of a cyclone grows linearly up to `radius` and falls as the distance to the power -0.6 beyond, tapered at
    900 km, with 20 degrees of inflow, counter-clockwise on the northern hemisphere. Trade winds and waves in the
    westerlies are the background. Labels are discs of 500 km. The flow is not a solution of any equations of motion.

    Args:
        path: the file, `.nc`; an existing file is replaced.
        speed: largest wind of a cyclone in m/s.
        radius: distance of the largest wind from the centre in km.

    Returns:
        The path.

    Example:
        >>> from gaugenet.data import ClimateFiles, idealized_cyclones
        >>> frames = ClimateFiles(idealized_cyclones("cyclones.nc"))
        >>> frames.class_names
        ('background', 'tropical_cyclone')
    """
    grid = LatLonGrid.regular(181, 360, poles=True)
    wind, label = _background(grid), np.zeros((181, 360), np.uint8)
    frames = east_north(*np.broadcast_arrays(grid.lat[:, None], grid.lon[None]))
    for lat, lon in np.radians(_CENTERS):
        center = np.array([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
        swirl, distance = _cyclone(grid.points, center, speed, radius)
        wind = wind + np.einsum("hwk,hwkc->hwc", swirl, frames)
        label[distance < _LABEL_KM] = 1
    with atomic_path(path) as temporary:
        _dataset(grid, wind, label).to_netcdf(temporary)
    return Path(path)


def _background(grid: LatLonGrid) -> Float[ndarray, "lat lon 2"]:
    """Return trade winds, and westerlies with waves: eastward and northward components."""
    lat, lon = np.broadcast_arrays(grid.lat[:, None], np.radians(grid.lon)[None])
    away = np.abs(lat)
    east = -6 * np.exp(-((lat / 18) ** 2)) + 9 * np.exp(-(((away - 48) / 14) ** 2)) * (1 + 0.3 * np.sin(4 * lon))
    north = -2 * np.sign(lat) * np.exp(-(((away - 12) / 10) ** 2))
    north = north + 2.5 * np.sin(5 * lon + 1) * np.exp(-(((away - 50) / 15) ** 2))
    return np.stack([east, north], axis=-1)


def _cyclone(
    points: Float[ndarray, "lat lon 3"], center: Float[ndarray, "3"], speed: float, radius: float
) -> tuple[Float[ndarray, "lat lon 3"], Float[ndarray, "lat lon"]]:
    """Return the wind at unit vectors, and their distance from the centre in km."""
    distance = _EARTH_KM * np.arccos(np.clip(points @ center, -1, 1))
    x = np.maximum(distance, 1.0) / radius
    size = speed * np.minimum(x, x**-0.6) * np.exp(-((distance / 900) ** 2))
    around = np.sign(center[2]) * _unit(np.cross(center, points))
    inward = _unit(center - points * (points @ center)[..., None])
    return size[..., None] * (np.cos(_INFLOW) * around + np.sin(_INFLOW) * inward), distance


def _unit(vectors: ndarray) -> ndarray:
    return typed_array(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9))


def _dataset(grid: LatLonGrid, wind: ndarray, label: ndarray) -> Any:
    import xarray as xr

    dims = ("time", "lat", "lon")
    flags = {"flag_values": np.array([0, 1], np.uint8), "flag_meanings": " ".join(_CLASSES)}
    names = {"u10": "eastward_wind", "v10": "northward_wind"}
    return xr.Dataset(
        {
            **{
                name: (dims, wind[None, ..., k].astype(np.float32), {"units": "m s-1", "standard_name": standard})
                for k, (name, standard) in enumerate(names.items())
            },
            "label": (dims, label[None], flags),
        },
        coords={
            "time": ("time", np.array(["2000-09-01T00"], "datetime64[ns]")),
            "lat": ("lat", grid.lat, {"units": "degrees_north", "standard_name": "latitude"}),
            "lon": ("lon", grid.lon, {"units": "degrees_east", "standard_name": "longitude"}),
        },
        attrs={"Conventions": "CF-1.10", "title": "IDEALIZED cyclones in a zonal flow, not an atmosphere"},
    )

"""Synthetic weather: moving vortices and filaments on a rotating zonal flow, for demonstrations and tests.

The fields are not a model of the atmosphere. They have the difficulties of segmenting weather: tangent vectors, poles,
rare classes, handedness and movement. The labels are exact by construction.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from gaugenet._validation import positive
from gaugenet.data.climate.latlon import LatLonGrid
from gaugenet.files import atomic_path
from gaugenet.geometry.sphere.coordinates import east_north, lat_lon

CLASSES = ("background", "vortex", "filament")


@dataclass(frozen=True)
class SyntheticWeather:
    """Vortices and filaments that a tilted, slowly rotating zonal flow transports around the globe.

    A vortex rotates counter-clockwise on the northern and clockwise on the southern hemisphere; decoys rotate the other
    way and are background. Filaments are arcs of great circles with much moisture, along which the wind blows. The
    wind is a tangent vector field at every point, the poles included.

    Args:
        vortices, decoys, filaments: how many of each.
        radius: radius of a vortex in degrees.
        noise: size of the smooth random wind, relative to the vortices.
        seed: seed of all random numbers.

    Example:
        >>> from gaugenet.data import SyntheticWeather
        >>> SyntheticWeather(seed=1).dataset(steps=2)["u10"].shape
        (2, 91, 180)
    """

    vortices: int = 5
    decoys: int = 5
    filaments: int = 3
    radius: float = 7.0
    noise: float = 0.4
    seed: int = 0

    def fields(self, points: Float[ndarray, "*n 3"], hour: float) -> tuple[ndarray, ndarray, ndarray]:
        """Return the wind `(..., 3)` in m/s, moisture `(...)` in kg/m2 and labels `(...)` at unit vectors."""
        draw = np.random.default_rng(self.seed)
        wind, moisture = self._background(points, hour, draw)
        label = np.zeros(points.shape[:-1], dtype=np.uint8)
        for _ in range(self.filaments):
            along, near, inside = _filament(points, hour, draw)
            wind, moisture = wind + 9.0 * along, moisture + 28.0 * near
            label[inside] = 2
        for k in range(self.vortices + self.decoys):
            center, sense, strength = _drifting_center(hour, draw)
            sense = sense if k < self.vortices else -sense
            distance = np.degrees(np.arccos(np.clip(points @ center, -1, 1))) / self.radius
            swirl = np.cross(center, points) / np.sin(np.radians(self.radius))
            wind = wind + (sense * strength * np.exp(0.5 - 0.5 * distance**2))[..., None] * swirl
            if k < self.vortices:
                moisture = moisture + 10.0 * np.exp(-0.5 * distance**2)
                label[distance < 1.0] = 1
        return wind, moisture, label

    def _background(self, points: ndarray, hour: float, draw: np.random.Generator) -> tuple[ndarray, ndarray]:
        cycle = 2 * np.pi * hour / 480.0
        axis = np.array([0.25 * np.cos(cycle), 0.25 * np.sin(cycle), 1.0])
        height = points @ axis
        wind = np.cross(axis, points) * (6.0 * np.cos(3 * np.arcsin(np.clip(height / 1.04, -1, 1))))[..., None]
        moisture = 12.0 + 20.0 * (1 - points[..., 2] ** 2)
        for _ in range(24):
            direction, phase, pull = draw.normal(size=3), draw.uniform(0, 2 * np.pi), draw.normal(size=3)
            wave = np.cos(points @ direction * 6.0 + phase + draw.normal() * hour / 24.0)
            wind = wind + (self.noise * 4.0 * wave)[..., None] * np.cross(pull, points)
            moisture = moisture + 1.5 * wave
        return wind, moisture

    def dataset(self, steps: int, *, grid: LatLonGrid | None = None, step_hours: float = 6.0, first: int = 0) -> Any:
        """Return an `xarray.Dataset` of u10, v10, tmq and label on (time, lat, lon), with CF attributes."""
        import xarray as xr

        grid = grid or LatLonGrid.regular(91, 180, poles=True)
        hours = (first + np.arange(positive("steps", steps))) * step_hours
        found = [self.fields(grid.points, float(h)) for h in hours]
        frames = east_north(*np.broadcast_arrays(grid.lat[:, None], grid.lon[None]))
        u, v = (np.stack([np.einsum("hwk,hwk->hw", w, frames[..., c]) for w, _, _ in found]) for c in (0, 1))
        dims = ("time", "lat", "lon")
        wind = {"units": "m s-1"}
        flags = {"flag_values": np.arange(len(CLASSES), dtype=np.uint8), "flag_meanings": " ".join(CLASSES)}
        return xr.Dataset(
            {
                "u10": (dims, u.astype(np.float32), wind | {"standard_name": "eastward_wind"}),
                "v10": (dims, v.astype(np.float32), wind | {"standard_name": "northward_wind"}),
                "tmq": (dims, np.stack([m for _, m, _ in found]).astype(np.float32), {"units": "kg m-2"}),
                "label": (dims, np.stack([x for _, _, x in found]), flags),
            },
            coords={
                "time": ("time", np.datetime64("2000-01-01T00", "ns") + (hours * 3600e9).astype("timedelta64[ns]")),
                "lat": ("lat", grid.lat, {"units": "degrees_north", "standard_name": "latitude"}),
                "lon": ("lon", grid.lon, {"units": "degrees_east", "standard_name": "longitude"}),
            },
            attrs={"Conventions": "CF-1.10", "title": "SYNTHETIC vortices and filaments, not an atmosphere"},
        )

    def write(self, path: str | Path, steps: int, **options: Any) -> Path:
        """Write the `dataset` as NetCDF, completely or not at all; `options` are passed to `dataset`.

        An existing file is replaced.
        """
        data = self.dataset(steps, **options)
        with atomic_path(path) as temporary:
            data.to_netcdf(temporary, encoding={name: {"zlib": True, "complevel": 1} for name in data.data_vars})
        return Path(path)


def _drifting_center(hour: float, draw: np.random.Generator) -> tuple[ndarray, float, float]:
    """Return centre, cyclonic sense (+1 north, -1 south) and strength of a drifting vortex.

    It drifts along a parallel, oscillates in latitude, and never crosses the equator.
    """
    side, strength = float(draw.choice([-1.0, 1.0])), draw.uniform(14.0, 26.0)
    lat = side * np.radians(draw.uniform(25, 50) + 12 * np.sin(2 * np.pi * hour / draw.uniform(200, 400)))
    lon = draw.uniform(0, 2 * np.pi) + draw.uniform(-1.5, 1.5) * hour / 120.0
    center = np.array([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
    return center, side, strength


def _filament(points: ndarray, hour: float, draw: np.random.Generator) -> tuple[ndarray, ndarray, ndarray]:
    """Return the unit wind along a slowly rotating arc of a great circle, a bump around it, and its interior."""
    start = draw.uniform(0, 2 * np.pi) + hour / 200.0
    lat, tilt = np.radians(draw.uniform(-55, 55)), draw.uniform(-1, 1)
    middle = np.array([np.cos(lat) * np.cos(start), np.cos(lat) * np.sin(start), np.sin(lat)])
    frame = east_north(*lat_lon(middle))
    ahead = frame @ [np.cos(tilt), np.sin(tilt)]
    across = np.cross(middle, ahead)
    off = np.degrees(np.arcsin(np.clip(points @ across, -1, 1))) / 3.0
    far = np.degrees(np.arctan2(points @ ahead, points @ middle)) / 25.0
    near = np.exp(-0.5 * off**2 - 0.5 * far**6)
    inside = (np.abs(off) < 1.0) & (np.abs(far) < 1.0)
    return near[..., None] * np.cross(across, points), near, inside

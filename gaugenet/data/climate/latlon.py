"""LatLonGrid: a regular or Gaussian latitude-longitude grid as points, cells and tangent frames of the unit sphere."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray

from gaugenet.data.meshes.sample import DataError
from gaugenet.geometry.icosphere.vectors import meridian_frames

EARTH_RADIUS = 6371.0088
"""Mean radius of the Earth in km (IUGG)."""


def sphere_points(lat: Float[ndarray, "*n"], lon: Float[ndarray, "*n"]) -> Float[ndarray, "*n 3"]:
    """Unit vectors of latitudes and longitudes in degrees; exact at the poles and at multiples of 90 degrees."""
    lat, lon = np.broadcast_arrays(lat, lon)
    return np.stack([_cos(lat) * _cos(lon), _cos(lat) * _sin(lon), _sin(lat)], axis=-1)


def lat_lon(points: Float[ndarray, "*n 3"]) -> tuple[Float[ndarray, "*n"], Float[ndarray, "*n"]]:
    """Latitudes in [-90, 90] and longitudes in [0, 360) degrees of vectors of any length."""
    x, y, z = np.moveaxis(points, -1, 0)
    return np.degrees(np.arctan2(z, np.hypot(x, y))), np.degrees(np.arctan2(y, x)) % 360.0


def east_north(lat: Float[ndarray, "*n"], lon: Float[ndarray, "*n"]) -> Float[ndarray, "*n 3 2"]:
    """Unit vectors to the east and to the north as columns; at a pole those of the meridian `lon`."""
    factors = (_sin(lon), _cos(lon), _sin(lat), _cos(lat))
    return meridian_frames(*(torch.from_numpy(np.asarray(f)) for f in factors)).numpy()


@dataclass(frozen=True, eq=False)
class LatLonGrid:
    """The product of latitudes and longitudes, global and periodic.

    Latitudes may rise or fall, longitudes start anywhere (0 .. 359, -180 .. 179): fields keep the order of the file.

    Args:
        lat: `(H,)` latitudes of the cell centres in degrees, strictly monotone; regular (with or without the poles)
            or Gaussian.
        lon: `(W,)` longitudes of the cell centres in degrees, rising, evenly spaced, once around the globe. A last
            column that repeats the first one has to be left out.

    Raises:
        DataError: anything else, e.g. a regional grid.
    """

    lat: Float[ndarray, "height"]
    lon: Float[ndarray, "width"]

    def __post_init__(self) -> None:
        for name in ("lat", "lon"):
            values = np.asarray(getattr(self, name), dtype=np.float64)
            if values.ndim != 1 or len(values) < 2 or not np.isfinite(values).all():
                raise DataError(
                    f"Expected `{name}` to be a list of at least two finite numbers, got shape {values.shape}."
                )
            object.__setattr__(self, name, values)
        _check_latitudes(self.lat)
        _check_longitudes(self.lon)

    @classmethod
    def regular(cls, height: int, width: int, *, poles: bool = False) -> LatLonGrid:
        """Evenly spaced latitudes from north to south, the poles among them or half a step away; longitudes from 0."""
        half = 0.0 if poles else 90.0 / height
        return cls(np.linspace(90 - half, half - 90, height), np.arange(width) * 360.0 / width)

    @classmethod
    def gaussian(cls, height: int, width: int) -> LatLonGrid:
        """Latitudes at the nodes of Gauss-Legendre quadrature, from north to south; longitudes from 0."""
        nodes = np.polynomial.legendre.leggauss(height)[0]
        return cls(np.degrees(np.arcsin(nodes[::-1])), np.arange(width) * 360.0 / width)

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.lat), len(self.lon)

    @property
    def size(self) -> int:
        return len(self.lat) * len(self.lon)

    @property
    def points(self) -> Float[ndarray, "height width 3"]:
        """Unit vectors of the cell centres."""
        return sphere_points(self.lat[:, None], self.lon[None])

    @property
    def frames(self) -> Float[ndarray, "height width 3 2"]:
        """East and north at the cell centres: `frames @ (u, v)` is the 3D vector of a wind, at the poles too."""
        return east_north(self.lat[:, None], self.lon[None])

    @property
    def lat_edges(self) -> Float[ndarray, "height+1"]:
        """Latitudes between the rows, in their order, with the poles at the ends.

        Halfway in degrees where the rows are evenly spaced, else (Gaussian grids) halfway in the sine of the latitude.
        """
        steps = np.diff(self.lat)
        if np.ptp(steps) < 1e-6 * np.abs(steps).max():
            inner = (self.lat[1:] + self.lat[:-1]) / 2
        else:
            z = np.sin(np.radians(self.lat))
            inner = np.degrees(np.arcsin((z[1:] + z[:-1]) / 2))
        end = 90.0 if steps[0] < 0 else -90.0
        return np.concatenate([[end], inner, [-end]])

    @property
    def area(self) -> Float[ndarray, "height width"]:
        """Areas of the cells on the unit sphere; they sum to 4 pi."""
        bands = np.abs(np.diff(_sin(self.lat_edges)))
        return np.broadcast_to((bands * (2 * np.pi / len(self.lon)))[:, None], self.shape)


def _check_latitudes(lat: Float[ndarray, "height"]) -> None:
    steps = np.diff(lat)
    if not ((steps > 0).all() or (steps < 0).all()):
        raise DataError("Expected latitudes that only rise or only fall: sort the file by latitude.")
    if np.abs(lat).max() > 90 + 1e-4:
        worst = lat[np.abs(lat).argmax()]
        raise DataError(f"Expected latitudes in degrees within [-90, 90], got {worst:g}: are lat and lon exchanged?")
    gap = 90.0 - min(abs(lat[0]), abs(lat[-1]))
    if lat[0] * lat[-1] > 0 or gap > 1.5 * np.abs(steps).max() + 1e-6:
        hint = " (are they radians? multiply by 180/pi)" if np.abs(lat).max() < 1.6 else ""
        raise DataError(
            f"Expected a global grid, got latitudes from {lat.min():g} to {lat.max():g}{hint}: regional files are not "
            "supported."
        )


def _check_longitudes(lon: Float[ndarray, "width"]) -> None:
    steps, width = np.diff(lon), len(lon)
    if not np.allclose(steps, 360.0 / width, rtol=0, atol=max(2e-3 * 360.0 / width, 1e-4)):
        if np.isclose(lon[-1] - lon[0], 360.0):
            raise DataError(f"The last longitude, {lon[-1]:g}, repeats the first one, {lon[0]:g}: leave it out.")
        hint = " (are they radians?)" if np.ptp(lon) < 6.3 else ""
        raise DataError(
            f"Expected {width} longitudes, rising by {360.0 / width:g} degrees once around the globe, got {lon[0]:g} "
            f".. {lon[-1]:g} in steps of {steps.min():g} to {steps.max():g}{hint}: regional and irregular grids "
            "are not supported."
        )


def _cos(degrees: ndarray) -> ndarray:
    return _sin(np.asarray(degrees, dtype=np.float64) + 90.0)


def _sin(degrees: ndarray) -> ndarray:
    """Sine of degrees, folded into [-45, 45] so that it is exact at multiples of 90."""
    angle = np.remainder(np.asarray(degrees, dtype=np.float64) + 45.0, 360.0)
    quadrant, rest = np.floor(angle / 90.0), np.radians(angle % 90.0 - 45.0)
    value = np.where(quadrant % 2 == 0, np.sin(rest), np.cos(rest))
    return np.where(quadrant >= 2, -value, value)

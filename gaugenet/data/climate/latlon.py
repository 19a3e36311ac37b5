"""LatLonGrid: a regular or Gaussian latitude-longitude grid as points, cells and tangent frames of the unit sphere."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from gaugenet.data.meshes.sample import DataError
from gaugenet.geometry.sphere.coordinates import (
    axis_of_degrees,
    check_latitudes,
    check_longitudes,
    east_north,
    lat_lon,
    latitude_edges,
    sin,
    sphere_points,
)

EARTH_RADIUS = 6371.0088
"""Mean radius of the Earth in km (IUGG)."""


@dataclass(frozen=True, eq=False)
class LatLonGrid:
    """A global latitude-longitude grid, the product of latitudes and longitudes.

    Latitudes may rise or fall, and longitudes may start anywhere (0 .. 359, -180 .. 179). Fields keep this order.

    Args:
        lat: `(H,)` latitudes of the cell centres in degrees, strictly monotone; regular (with or without the poles)
            or Gaussian.
        lon: `(W,)` longitudes of the cell centres in degrees, rising, evenly spaced, once around the globe. Omit a
            last column that repeats the first.

    Raises:
        DataError: If the grid is of another kind, such as a regional one.

    Example:
        >>> from gaugenet.data import LatLonGrid
        >>> grid = LatLonGrid.regular(4, 8)
        >>> grid.lat
        array([ 67.5,  22.5, -22.5, -67.5])
        >>> round(float(grid.area.sum()), 6)  # 4 pi
        12.566371
    """

    lat: Float[ndarray, "height"]
    lon: Float[ndarray, "width"]

    def __post_init__(self) -> None:
        try:
            for name in ("lat", "lon"):
                object.__setattr__(self, name, axis_of_degrees(name, getattr(self, name)))
            check_latitudes(self.lat)
            check_longitudes(self.lon)
        except ValueError as error:
            raise DataError(str(error)) from None

    @classmethod
    def regular(cls, height: int, width: int, *, poles: bool = False) -> LatLonGrid:
        """Return even latitudes from north to south, with the poles or half a step from them; longitudes start at 0."""
        half = 0.0 if poles else 90.0 / height
        return cls(np.linspace(90 - half, half - 90, height), np.arange(width) * 360.0 / width)

    @classmethod
    def gaussian(cls, height: int, width: int) -> LatLonGrid:
        """Return the latitudes of Gauss-Legendre quadrature from north to south; longitudes start at 0."""
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
        """East and north at the cell centres, the poles included: `frames @ (u, v)` is the 3D vector of a wind."""
        return east_north(self.lat[:, None], self.lon[None])

    @property
    def lat_edges(self) -> Float[ndarray, "height+1"]:
        """Latitudes between the rows, in their order, with the poles at the ends; see `latitude_edges`."""
        return latitude_edges(self.lat)

    @property
    def area(self) -> Float[ndarray, "height width"]:
        """Areas of the cells on the unit sphere; they sum to 4 pi."""
        bands = np.abs(np.diff(sin(self.lat_edges)))
        return np.broadcast_to((bands * (2 * np.pi / len(self.lon)))[:, None], self.shape)


__all__ = ["EARTH_RADIUS", "LatLonGrid", "east_north", "lat_lon", "sphere_points"]

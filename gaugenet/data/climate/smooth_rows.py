"""Interpolation of higher order on latitude-longitude grids: polynomials along rows and meridians, across the poles."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from gaugenet.data.climate.latlon import LatLonGrid
from gaugenet.geometry.sphere.coordinates import lat_lon

_ORDER = 6
"""Rows and columns that a value depends on."""
_AT_POLE = 1e-9
"""Points that are nearer to a pole than this, in radians, have no meridian."""


def polynomial_interpolation(
    grid: LatLonGrid, points: Float[ndarray, "n 3"]
) -> tuple[Int[ndarray, "n k"], Float[ndarray, "n k"]]:
    """Return flat indices of 6 x 6 cells around each point, and weights of Lagrange's polynomials in both directions.

    Meridians are great circles, so rows continue beyond a pole on the opposite meridian. Vectors are interpolated as
    vectors in space, whose components do not jump there. A grid with few rows uses fewer of them.

    Args:
        grid: the grid.
        points: unit vectors.

    Returns:
        Indices into the values of the grid, row by row, and weights whose rows sum to one.

    Example:
        >>> import numpy as np
        >>> from gaugenet.data import LatLonGrid
        >>> from gaugenet.data.climate.smooth_rows import polynomial_interpolation
        >>> grid = LatLonGrid.regular(16, 32)
        >>> index, weight = polynomial_interpolation(grid, np.array([[0.6, 0.0, 0.8]]))
        >>> height = grid.points[..., 2].reshape(-1) ** 3
        >>> bool(abs((height[index] * weight).sum() - 0.8**3) < 1e-4)
        True
    """
    height, width = grid.shape
    count = min(_ORDER, 2 * (height // 2))
    lat, lon = lat_lon(points)
    lon = np.where(np.hypot(points[:, 0], points[:, 1]) < _AT_POLE, grid.lon[0], lon)  # not the meridian of an error
    rows, degrees, opposite = _rows_across_poles(grid.lat, count)
    first = np.clip(np.searchsorted(degrees, lat) - count // 2, 0, len(degrees) - count)
    near = first[:, None] + np.arange(count)
    along_meridian = _lagrange(degrees[near], lat)
    cells, along_row = [], []
    for turn in (0.0, 180.0):
        place = ((lon + turn - grid.lon[0]) % 360.0) * (width / 360.0)
        columns = np.floor(place)[:, None] + np.arange(count) - (count // 2 - 1)
        cells.append(columns.astype(np.int64) % width)
        along_row.append(_lagrange(columns, place))
    side = opposite[near]
    columns = np.where(side[..., None], cells[1][:, None], cells[0][:, None])
    weight = along_meridian[..., None] * np.where(side[..., None], along_row[1][:, None], along_row[0][:, None])
    index = rows[near][..., None] * width + columns
    return index.reshape(len(points), -1), weight.reshape(len(points), -1)


def _rows_across_poles(
    lat: Float[ndarray, "height"], count: int
) -> tuple[Int[ndarray, "rows"], Float[ndarray, "rows"], ndarray]:
    """Return rows from beyond the south pole to beyond the north pole: index, latitude, and whether it is beyond."""
    order = np.argsort(lat)
    rising = lat[order]
    south, north = int(rising[0] < -90 + 1e-6), len(lat) - 1 - int(rising[-1] > 90 - 1e-6)
    before, after = order[south : south + count][::-1], order[max(north - count + 1, 0) : north + 1][::-1]
    degrees = np.concatenate([-180.0 - lat[before], rising, 180.0 - lat[after]])
    opposite = np.repeat([True, False, True], [len(before), len(lat), len(after)])
    return np.concatenate([before, order, after]), degrees, opposite


def _lagrange(nodes: Float[ndarray, "n k"], at: Float[ndarray, "n"]) -> Float[ndarray, "n k"]:
    """Return the values of Lagrange's polynomials of the nodes."""
    weight = np.ones_like(nodes)
    for j in range(nodes.shape[1]):
        for i in range(nodes.shape[1]):
            if i != j:
                weight[:, j] *= (at - nodes[:, i]) / (nodes[:, j] - nodes[:, i])
    return weight


__all__ = ["polynomial_interpolation"]

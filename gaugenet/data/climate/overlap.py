"""Exact areas in which spherical polygons overlap the cells of a latitude-longitude grid.

A grid of rectangles needs no search, so this is ten times faster than `gaugenet.geometry.sphere.overlap`, which
computes the same areas for cells of any shape.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.sparse import coo_array, csr_array

from gaugenet._typing import typed_array
from gaugenet.data.climate.latlon import LatLonGrid
from gaugenet.geometry.sphere.cells import voronoi_edges

_CHUNK = 2_000_000


def voronoi_cells(
    points: Float[ndarray, "vertices 3"], faces: Int[ndarray, "faces 3"] | None = None
) -> tuple[Float[ndarray, "edges 3"], Float[ndarray, "edges 3"], Int[ndarray, "edges"]]:
    """Return the boundary edges of the Voronoi cells of points on the sphere, directed counter-clockwise.

    Args:
        points: `(V, 3)` unit vectors.
        faces: `(F, 3)` their Delaunay triangulation, counter-clockwise from outside; their convex hull by default.

    Returns:
        Start and end of each edge (circumcentres of neighbouring triangles) and the index of the cell.
    """
    start, end, cell, _ = voronoi_edges(points, faces)
    return start, end, cell


def overlap_areas(
    start: Float[ndarray, "edges 3"], end: Float[ndarray, "edges 3"], cell: Int[ndarray, "edges"], grid: LatLonGrid
) -> csr_array:
    r"""Return the areas :math:`|P_i \cap C_j|` of polygons and grid cells on the unit sphere, exact up to rounding.

    In the coordinates :math:`(\lambda, z = \sin\varphi)` the area is :math:`d\lambda\,dz` and grid cells are
    rectangles. The part of a counter-clockwise polygon between two longitudes and below :math:`z = c` has the area
    :math:`-\oint \min(z, c)\,d\lambda`, plus :math:`c\,\Delta\lambda` if the polygon contains a pole. On a great circle
    :math:`\tan\varphi = a \cos u`, and :math:`\int z\,du = \arctan\!\big(a \sin u / \sqrt{1 + a^2 \cos^2 u}\big)`.
    These are the line integrals of :cite:`jones1999conservative` without the approximation near the poles.

    Args:
        start: start points of the directed edges (great-circle arcs below 180 degrees).
        end: end points of the edges.
        cell: index of the polygon of each edge.
        grid: the grid.

    Returns:
        `(cells, H * W)` sparse areas. Rows sum to the areas of the polygons. Columns sum to the areas of the grid cells
        if the polygons cover the sphere.
    """
    height, width = grid.shape
    levels = np.sort(np.sin(np.radians(grid.lat_edges)))
    west = np.radians(grid.lon[0]) - np.pi / width
    strip = 2 * np.pi / width
    arcs = _Arcs(start, end, west)
    bands = _bands(arcs, cell, levels)
    count = int(cell.max()) + 1
    pieces = [_split(arcs, part, strip) for part in np.array_split(np.arange(len(cell)), len(cell) // _CHUNK + 1)]
    found = [_below(arcs, *piece, cell, bands, levels, width) for piece in pieces]
    found.append(_polar(arcs, cell, bands, levels, width, strip))
    rows, columns, values = (np.concatenate(part) for part in zip(*found))
    band, column = np.divmod(columns, width)
    row = height - 1 - band if grid.lat[0] > grid.lat[-1] else band
    areas = csr_array(coo_array((values, (rows, row * width + column)), shape=(count, grid.size)))
    areas.sum_duplicates()
    areas.data[areas.data < 1e-15] = 0.0  # rounding errors of cells that only touch
    areas.eliminate_zeros()
    return areas


class _Arcs:
    """Great-circle arcs as z(u), u = longitude - middle: `tan(latitude) = a cos(u)` with `a >= 0`.

    Attributes:
        low, high: longitudes of the western and the eastern end relative to `west`, `low` in [0, 2 pi).
        sign: +1 where the arc runs eastward, else -1.
    """

    def __init__(self, start: ndarray, end: ndarray, west: float) -> None:
        normal = np.cross(start, end)
        tilt = np.hypot(normal[:, 0], normal[:, 1])
        self.sign = np.where(normal[:, 2] >= 0, 1.0, -1.0)
        a, b = (np.arctan2(p[:, 1], p[:, 0]) - west for p in (start, end))
        span = (self.sign * (b - a)) % (2 * np.pi)
        # An arc along a meridian spans 0 or, across a pole, pi; rounding must not make it 2 pi.
        span = np.where(span > np.pi + 1e-6, 0.0, span)
        self.low = np.where(self.sign > 0, a, b) % (2 * np.pi)
        self.high = self.low + span
        # normal . p = 0:  tan(latitude) = -(n_x cos + n_y sin) / n_z
        self.a = tilt / np.maximum(np.abs(normal[:, 2]), 1e-300)
        self.middle = np.arctan2(-self.sign * normal[:, 1], -self.sign * normal[:, 0]) - west
        self.z = start[:, 2], end[:, 2]

    def top(self) -> tuple[ndarray, ndarray]:
        """Return the lowest and the highest z of each arc, inner extrema included."""
        low, high = np.minimum(*self.z), np.maximum(*self.z)
        extreme = self.a / np.hypot(1.0, self.a)
        for revolution in (0.0, np.pi):
            inside = (self.middle + revolution - self.low) % (2 * np.pi) < self.high - self.low
            value = extreme if revolution == 0.0 else -extreme
            low, high = np.where(inside, np.minimum(low, value), low), np.where(inside, np.maximum(high, value), high)
        return low, high


def _bands(arcs: _Arcs, cell: ndarray, levels: ndarray) -> tuple[ndarray, ndarray, ndarray]:
    """Return the first and one past the last band that each polygon meets, and the pole it contains (-1, 0, 1)."""
    count = int(cell.max()) + 1
    low, high = arcs.top()
    lowest, highest = np.full(count, np.inf), np.full(count, -np.inf)
    np.minimum.at(lowest, cell, low)
    np.maximum.at(highest, cell, high)
    winding = np.bincount(cell, arcs.sign * (arcs.high - arcs.low), minlength=count)
    pole = np.round(winding / (2 * np.pi)).astype(np.int64)
    first = np.clip(np.searchsorted(levels, lowest, side="right") - 1, 0, len(levels) - 2)
    last = np.clip(np.searchsorted(levels, highest, side="left"), 1, len(levels) - 1)
    return np.where(pole < 0, 0, first), np.where(pole > 0, len(levels) - 1, last), pole


def _split(arcs: _Arcs, arc: Int[ndarray, "n"], strip: float) -> tuple[ndarray, ndarray, ndarray, ndarray]:
    """Cut arcs at the meridians between columns; return the arc, the column (it may exceed W), and both ends."""
    first = np.floor(arcs.low[arc] / strip).astype(np.int64)
    last = np.maximum(np.ceil(arcs.high[arc] / strip).astype(np.int64), first + 1)
    index, within = _ranges(last - first)
    column = first[index] + within
    low = np.maximum(arcs.low[arc][index], column * strip)
    high = np.minimum(arcs.high[arc][index], (column + 1) * strip)
    keep = high > low
    return arc[index][keep], column[keep], low[keep], high[keep]


def _below(
    arcs: _Arcs,
    arc: ndarray,
    column: ndarray,
    low: ndarray,
    high: ndarray,
    cell: ndarray,
    bands: tuple[ndarray, ndarray, ndarray],
    levels: ndarray,
    width: int,
) -> tuple[ndarray, ndarray, ndarray]:
    """Return minus the integrals of clip(z, c_k, c_k+1) - c_k along the pieces, for every band of their polygons."""
    first, last, _ = bands
    owner = cell[arc]
    index, within = _ranges(last[owner] - first[owner])
    band = first[owner][index] + within
    a, middle = arcs.a[arc][index], arcs.middle[arc][index]
    u = low[index] - middle
    shift = (
        np.round((u + high[index] - middle) / (4 * np.pi)) * 2 * np.pi
    )  # the piece's own period: |u| stays below 2 pi
    u, v = u - shift, high[index] - middle - shift
    upper, lower = (_integral_of_min(a, u, v, levels[band + k]) for k in (1, 0))
    value = -arcs.sign[arc][index] * (upper - lower)
    return owner[index], band * width + column[index] % width, value


def _integral_of_min(a: ndarray, u: ndarray, v: ndarray, c: ndarray) -> ndarray:
    """Return the integral over [u, v] of min(z, c), where tan(latitude) = a cos."""
    whole = _primitive(a, v) - _primitive(a, u)
    with np.errstate(divide="ignore", invalid="ignore"):
        cosine = c / np.sqrt((1 - c) * (1 + c)) / a
    crossing = np.arccos(np.clip(np.nan_to_num(cosine, nan=2.0, posinf=2.0, neginf=-2.0), -1, 1))
    for revolution in (-2 * np.pi, 0.0, 2 * np.pi):  # where z > c: |angle| < crossing, periodically
        p, q = np.maximum(u, revolution - crossing), np.minimum(v, revolution + crossing)
        above = q > p
        p, q = np.where(above, p, 0.0), np.where(above, q, 0.0)
        whole = whole - (_primitive(a, q) - _primitive(a, p)) + c * (q - p)
    return typed_array(whole)


def _primitive(a: ndarray, u: ndarray) -> ndarray:
    """Return a primitive of z = a cos u / sqrt(1 + a^2 cos^2 u) that is continuous in u."""
    sine, cosine = np.sin(u), np.cos(u)
    return typed_array(np.arctan2(a * sine, np.hypot(1.0, a * cosine)))


def _polar(
    arcs: _Arcs, cell: ndarray, bands: tuple[ndarray, ndarray, ndarray], levels: ndarray, width: int, strip: float
) -> tuple[ndarray, ndarray, ndarray]:
    """Return the rectangles up to the pole in the polygons that contain the north pole.

    The south pole needs no such term: the lower boundary is z = -1, where clip(z, c_k, .) - c_k is 0.
    """
    first, last, pole = bands
    holders = np.flatnonzero(pole > 0)
    index, within = _ranges(last[holders] - first[holders])
    band = first[holders][index] + within
    columns = (band[:, None] * width + np.arange(width)).reshape(-1)
    return np.repeat(holders[index], width), columns, np.repeat(np.diff(levels)[band] * strip, width)


def _ranges(counts: Int[ndarray, "n"]) -> tuple[Int[ndarray, "total"], Int[ndarray, "total"]]:
    """Return each i repeated `counts[i]` times, and the numbers 0 .. counts[i] - 1 of the repetitions."""
    index = np.repeat(np.arange(len(counts)), counts)
    return index, np.arange(len(index)) - np.repeat(np.cumsum(counts) - counts, counts)

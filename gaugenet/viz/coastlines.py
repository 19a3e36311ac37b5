"""Coastlines of the Earth, coarse: Natural Earth, scale 1:110 million.

Made with Natural Earth (naturalearthdata.com), which is in the public domain. `coastlines.npy` holds the segments of
the borders in `ne_110m_admin_0_countries` (the copy in geopandas 0.14.4) that belong to one country only. The
lines that close polygons at the south pole and at the date line are left out. Longitudes and latitudes are 16-bit
integers in units of 180 / 32767 degrees. Polylines follow one another, with (-32768, -32768) between them.
"""

from __future__ import annotations

from importlib import resources

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from gaugenet._typing import typed_array
from gaugenet.viz.projections import outward

_UNIT = 180 / 32767
_LONGEST = np.radians(1.0)


def coastline_segments(radius: float = 1.002) -> Float[ndarray, "n 2 3"]:
    """Return the coastlines of the Earth as segments in space, none longer than one degree.

    Latitude and longitude are as in `Icosphere` and the grids of the sphere: the x axis at (0, 0), the z axis at the
    north pole.

    Args:
        radius: radius of the globe, slightly larger than the radius of the surface to draw on.

    Example:
        >>> from gaugenet.viz import coastline_segments
        >>> coastline_segments().shape[1:]
        (2, 3)
    """
    with resources.files("gaugenet.viz").joinpath("coastlines.npy").open("rb") as file:
        codes = np.load(file, allow_pickle=False)
    drawn = codes[:, 0] != -32768
    both = drawn[:-1] & drawn[1:]
    lon, lat = np.radians(_UNIT * codes.astype(np.float64)).T
    points = outward(lat, lon)
    start, end = points[:-1][both], points[1:][both]
    parts = np.maximum(1, np.ceil(np.linalg.norm(end - start, axis=1) / _LONGEST)).astype(np.int64)
    of = np.repeat(np.arange(len(parts)), parts)
    at = (np.arange(len(of)) - np.repeat(np.cumsum(parts) - parts, parts)) / parts[of]
    ends = [start[of] + t[:, None] * (end - start)[of] for t in (at, at + 1 / parts[of])]
    segments = np.stack(ends, axis=1)
    return typed_array(radius * segments / np.linalg.norm(segments, axis=2, keepdims=True))

"""Mollweide and orthographic projections between pixels and the globe, in both directions."""

from __future__ import annotations

from typing import Literal

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from gaugenet._typing import typed_array

MapProjection = Literal["mollweide", "orthographic"]


def sphere_of_pixels(
    width: int, height: int, *, projection: MapProjection = "mollweide", center: tuple[float, float] = (0.0, 0.0)
) -> tuple[Bool[ndarray, "height width"], Float[ndarray, "inside 3"]]:
    """Return which pixels show the globe, and the unit vectors that they show.

    Raises:
        ValueError: If the projection is unknown.
    """
    from matplotlib.projections.geo import MollweideAxes

    x, y = np.meshgrid((np.arange(width) + 0.5) / width * 2 - 1, 1 - (np.arange(height) + 0.5) / height * 2)
    inside = x**2 + y**2 < 1
    x, y = x[inside], y[inside]
    lat0, lon0 = np.radians(center)
    if projection == "mollweide":
        plane = np.sqrt(2) * np.stack([2 * x, y], axis=-1)  # the ellipse of a globe of radius 1
        lon, lat = MollweideAxes.MollweideTransform(1).inverted().transform(plane).T
        return inside, outward(lat, lon + lon0)
    axes = _axes(projection, lat0, lon0)
    depth = np.sqrt(np.maximum(1 - x**2 - y**2, 0))
    return inside, typed_array(np.stack([x, y, depth], axis=-1) @ axes)


def pixels_of_sphere(
    points: Float[ndarray, "n 3"],
    width: int,
    height: int,
    *,
    projection: MapProjection = "mollweide",
    center: tuple[float, float] = (0.0, 0.0),
) -> Float[ndarray, "n 2"]:
    """Return the columns and rows at which a map shows unit vectors, the inverse of `sphere_of_pixels`.

    Vectors on the far side of an orthographic map give NaN.

    Raises:
        ValueError: If the projection is unknown.
    """
    from matplotlib.projections.geo import MollweideAxes

    lat0, lon0 = np.radians(center)
    if projection == "mollweide":
        lon = np.arctan2(points[:, 1], points[:, 0]) - lon0
        angles = np.stack([(lon + np.pi) % (2 * np.pi) - np.pi, np.arcsin(np.clip(points[:, 2], -1, 1))], axis=-1)
        x, y = (MollweideAxes.MollweideTransform(1).transform(angles) / np.sqrt(2)).T
        x = x / 2
    else:
        axes = _axes(projection, lat0, lon0)
        x, y, depth = (points @ axes.T).T
        x, y = (np.where(depth > 0, part, np.nan) for part in (x, y))
    return np.stack([(x + 1) / 2 * width, (1 - y) / 2 * height], axis=-1)


def _axes(projection: str, lat: float, lon: float) -> Float[ndarray, "3 3"]:
    """Return east, north and outward at the middle of an orthographic map, as rows."""
    if projection != "orthographic":
        raise ValueError(f"Expected `projection` to be 'mollweide' or 'orthographic', got {projection!r}.")
    up = outward(lat, lon)
    east = np.array([-np.sin(lon), np.cos(lon), 0.0])
    return np.stack([east, np.cross(up, east), up])


def outward(lat: float | Float[ndarray, "*n"], lon: float | Float[ndarray, "*n"]) -> Float[ndarray, "*n 3"]:
    """Return unit vectors at latitudes and longitudes in radians."""
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)

"""Latitude and longitude in degrees, unit vectors, and the directions east and north."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray

from gaugenet._typing import typed_array
from gaugenet.geometry.icosphere.vectors import meridian_frames


def sphere_points(lat: Float[ndarray, "*n"], lon: Float[ndarray, "*n"]) -> Float[ndarray, "*n 3"]:
    """Return unit vectors of latitudes and longitudes in degrees; exact at the poles and at multiples of 90 degrees."""
    lat, lon = np.broadcast_arrays(lat, lon)
    return np.stack([cos(lat) * cos(lon), cos(lat) * sin(lon), sin(lat)], axis=-1)


def lat_lon(points: Float[ndarray, "*n 3"]) -> tuple[Float[ndarray, "*n"], Float[ndarray, "*n"]]:
    """Return latitudes in [-90, 90] and longitudes in [0, 360) degrees of vectors of any length."""
    x, y, z = np.moveaxis(points, -1, 0)
    return np.degrees(np.arctan2(z, np.hypot(x, y))), np.degrees(np.arctan2(y, x)) % 360.0


def east_north(lat: Float[ndarray, "*n"], lon: Float[ndarray, "*n"]) -> Float[ndarray, "*n 3 2"]:
    """Return unit vectors to the east and to the north as columns; at a pole along the meridian `lon`."""
    factors = (sin(lon), cos(lon), sin(lat), cos(lat))
    return meridian_frames(*(torch.from_numpy(np.asarray(f)) for f in factors)).numpy()


def latitude_edges(lat: Float[ndarray, "height"]) -> Float[ndarray, "height+1"]:
    """Return the latitudes between rows, in their order, with the poles at the ends.

    They are halfway in degrees if the rows are evenly spaced, else (Gaussian grids) halfway in the sine of latitudes.
    """
    steps = np.diff(lat)
    if np.ptp(steps) < 1e-6 * np.abs(steps).max():
        inner = (lat[1:] + lat[:-1]) / 2
    else:
        z = np.sin(np.radians(lat))
        inner = np.degrees(np.arcsin((z[1:] + z[:-1]) / 2))
    end = 90.0 if steps[0] < 0 else -90.0
    return np.concatenate([[end], inner, [-end]])


def check_latitudes(lat: Float[ndarray, "height"]) -> None:
    """Raise `ValueError` unless latitudes in degrees rise or fall, from one pole to the other."""
    steps = np.diff(lat)
    if not ((steps > 0).all() or (steps < 0).all()):
        raise ValueError("Expected latitudes that only rise or only fall: sort the file by latitude.")
    if np.abs(lat).max() > 90 + 1e-4:
        worst = lat[np.abs(lat).argmax()]
        raise ValueError(f"Expected latitudes in degrees within [-90, 90], got {worst:g}: are lat and lon exchanged?")
    gap = 90.0 - min(abs(lat[0]), abs(lat[-1]))
    if lat[0] * lat[-1] > 0 or gap > 1.5 * np.abs(steps).max() + 1e-6:
        hint = " (are they radians? multiply by 180/pi)" if np.abs(lat).max() < 1.6 else ""
        raise ValueError(
            f"Expected a global grid, got latitudes from {lat.min():g} to {lat.max():g}{hint}: regional files are not "
            "supported."
        )


def check_longitudes(lon: Float[ndarray, "width"]) -> None:
    """Raise `ValueError` unless longitudes in degrees rise in even steps, once around the globe."""
    steps, width = np.diff(lon), len(lon)
    if not np.allclose(steps, 360.0 / width, rtol=0, atol=max(2e-3 * 360.0 / width, 1e-4)):
        if np.isclose(lon[-1] - lon[0], 360.0):
            raise ValueError(f"The last longitude, {lon[-1]:g}, repeats the first one, {lon[0]:g}: remove it.")
        hint = " (are they radians?)" if np.ptp(lon) < 6.3 else ""
        raise ValueError(
            f"Expected {width} longitudes, rising by {360.0 / width:g} degrees once around the globe, got {lon[0]:g} "
            f".. {lon[-1]:g} in steps of {steps.min():g} to {steps.max():g}{hint}: regional and irregular grids "
            "are not supported."
        )


def axis_of_degrees(name: str, values: Float[ndarray, "n"]) -> Float[ndarray, "n"]:
    """Return `values` in float64; raise `ValueError` unless they are a list of at least two finite numbers."""
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 1 or len(values) < 2 or not np.isfinite(values).all():
        raise ValueError(f"Expected `{name}` to be a list of at least two finite numbers, got shape {values.shape}.")
    return values


def cos(degrees: Float[ndarray, "*n"]) -> Float[ndarray, "*n"]:
    """Return the cosine of degrees, exact at multiples of 90."""
    return sin(np.asarray(degrees, dtype=np.float64) + 90.0)


def sin(degrees: Float[ndarray, "*n"]) -> Float[ndarray, "*n"]:
    """Return the sine of degrees, folded into [-45, 45] so that it is exact at multiples of 90."""
    angle = np.remainder(np.asarray(degrees, dtype=np.float64) + 45.0, 360.0)
    quadrant, rest = np.floor(angle / 90.0), np.radians(angle % 90.0 - 45.0)
    value = np.where(quadrant % 2 == 0, np.sin(rest), np.cos(rest))
    return typed_array(np.where(quadrant >= 2, -value, value))


__all__ = ["axis_of_degrees", "check_latitudes", "check_longitudes", "cos", "east_north", "lat_lon", "latitude_edges"]
__all__ += ["sin", "sphere_points"]

"""Which dimensions of a climate variable are latitude, longitude and time, or cells with both."""

from __future__ import annotations

import re
from typing import Any


def latitude_name(variable: Any) -> str | None:
    """Return the dimension that is latitude, by its units, standard name or usual names; `None` if there is none."""
    return _coordinate(variable, "latitude", r"degrees?_?n(orth)?", ("lat", "latitude", "rlat", "nav_lat"))


def longitude_name(variable: Any) -> str | None:
    """Return the dimension that is longitude, as `latitude_name` does."""
    return _coordinate(variable, "longitude", r"degrees?_?e(ast)?", ("lon", "longitude", "rlon", "nav_lon", "long"))


def time_name(variable: Any) -> str | None:
    """Return the dimension that is time, by its name or by dates as its values; `None` if there is none."""
    for name in variable.dims:
        coordinate = variable.coords.get(name)
        kind = "" if coordinate is None else coordinate.dtype.kind
        if str(name).lower() in ("time", "t", "valid_time") or kind == "M":
            return str(name)
    return None


def cell_name(variable: Any) -> str | None:
    """Return the dimension of cells that have latitude and longitude; `None` if there is none."""
    if latitude_name(variable) is not None or longitude_name(variable) is not None:
        return None
    return next((str(name) for name in variable.dims if place_of_cells(variable, str(name)) is not None), None)


def place_of_cells(variable: Any, dimension: str | None = None) -> tuple[str, str] | None:
    """Return the names of the one-dimensional latitude and longitude along a dimension; `None` if there are none.

    Args:
        variable: `xarray.DataArray`, of which the coordinates count, or `xarray.Dataset`, of which all variables count.
        dimension: the dimension; by default the cells of the variable.
    """
    along = dimension if dimension is not None else cell_name(variable)
    if along is None:
        return None
    everything = variable.variables if hasattr(variable, "data_vars") else variable.coords
    flat = {str(n): v.attrs for n, v in everything.items() if tuple(v.dims) == (along,) and v.dtype.kind == "f"}
    lat = _named(flat, "latitude", r"(degrees?_?n(orth)?)", _CELL_LATITUDES)
    lon = _named(flat, "longitude", r"(degrees?_?e(ast)?)", _CELL_LONGITUDES)
    return None if lat is None or lon is None else (lat, lon)


_CELL_LATITUDES = ("lat", "latitude", "clat", "latcell", "grid_latitude", "nav_lat", "pixel_latitude")
_CELL_LONGITUDES = ("lon", "longitude", "clon", "loncell", "grid_longitude", "nav_lon", "pixel_longitude")


def _named(flat: dict[str, Any], standard: str, units: str, usual: tuple[str, ...]) -> str | None:
    """Return the variable with a standard name, with one of the usual names, or with these units, in this order."""
    tests = (
        lambda name: flat[name].get("standard_name") == standard,
        lambda name: name.lower() in usual,
        lambda name: re.fullmatch(units, str(flat[name].get("units", "")).lower()) is not None,
    )
    return next((name for test in tests for name in flat if test(name)), None)


def _coordinate(variable: Any, standard: str, units: str, usual: tuple[str, ...]) -> str | None:
    for name in variable.dims:
        attributes = variable.coords[name].attrs if name in variable.coords else {}
        if attributes.get("standard_name") == standard or re.fullmatch(units, str(attributes.get("units", "")).lower()):
            return str(name)
    return next((str(n) for n in variable.dims if str(n).lower() in usual), None)

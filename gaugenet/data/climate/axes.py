"""Which dimensions of a climate variable are latitude, longitude and time."""

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


def _coordinate(variable: Any, standard: str, units: str, usual: tuple[str, ...]) -> str | None:
    for name in variable.dims:
        attributes = variable.coords[name].attrs if name in variable.coords else {}
        if attributes.get("standard_name") == standard or re.fullmatch(units, str(attributes.get("units", "")).lower()):
            return str(name)
    return next((str(n) for n in variable.dims if str(n).lower() in usual), None)

"""Units of climate variables: equivalent spellings, and conversions."""

from __future__ import annotations

import re

_SPELLINGS = {
    "m s-1": ("m/s", "m s**-1", "m s^-1", "ms-1", "meter second-1", "meters second-1", "metre per second", "m.s-1"),
    "Pa": ("pascal", "pascals"),
    "hPa": ("mbar", "mb", "millibar", "millibars", "hectopascal"),
    "K": ("kelvin", "degk", "deg k", "degrees k"),
    "degC": ("c", "celsius", "degree_celsius", "degrees_celsius", "deg c", "°c", "degrees c"),
    "kt": ("knot", "knots", "kts", "kn"),
    "km h-1": ("km/h", "kmh", "km hr-1", "km h**-1"),
    "kg m-2": ("kg/m2", "kg m**-2", "kg/m^2", "kg/m**2", "kg m^-2"),
    "mm": ("millimeter", "millimeters", "millimetre"),
    "kg kg-1": ("kg/kg", "kg kg**-1"),
    "g kg-1": ("g/kg", "g kg**-1"),
    "m": ("meter", "meters", "metre", "metres"),
    "1": ("", "-", "dimensionless", "none"),
}
_CANONICAL = {name.lower(): unit for unit, names in _SPELLINGS.items() for name in (unit, *names)}

_CONVERSIONS = {  # value in the second unit = factor * value in the first + offset
    ("hPa", "Pa"): (100.0, 0.0),
    ("degC", "K"): (1.0, 273.15),
    ("kt", "m s-1"): (1852.0 / 3600.0, 0.0),
    ("km h-1", "m s-1"): (1.0 / 3.6, 0.0),
    ("g kg-1", "kg kg-1"): (1e-3, 0.0),
    ("mm", "kg m-2"): (1.0, 0.0),  # a millimetre of water
    ("km h-1", "kt"): (1.0 / 1.852, 0.0),
}


def canonical_unit(text: str | None) -> str | None:
    """Return the canonical spelling of a unit, `m s-1` for `m/s`; unknown units and `None` are unchanged."""
    if text is None:
        return None
    plain = re.sub(r"\s+", " ", str(text)).strip()
    return _CANONICAL.get(plain.lower(), plain)


def conversion(source: str, target: str) -> tuple[float, float] | None:
    """Return the factor and offset that convert `source` to `target`; `None` if no conversion is known."""
    a, b = canonical_unit(source), canonical_unit(target)
    if a == b:
        return 1.0, 0.0
    if (a, b) in _CONVERSIONS:
        return _CONVERSIONS[a, b]  # type: ignore[index]
    if (b, a) in _CONVERSIONS:
        factor, offset = _CONVERSIONS[b, a]  # type: ignore[index]
        return 1.0 / factor, -offset / factor
    return None

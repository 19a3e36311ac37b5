"""Units of fields: conversion from the unit of a file to the unit of the configuration."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

EXTRA = "pip install 'gaugenet[fields]'"
"""Advice if an optional library is missing."""


def check_unit(unit: object, where: str) -> None:
    """Check that a text is a unit.

    Raises:
        ValueError: If the text is not a unit, or pint is not installed.
    """
    registry = _registry()
    try:
        registry.Unit(unit)
    except _errors() as error:
        raise ValueError(f"Unknown unit {unit!r} of {where}: {error}. Write units such as mm, Pa, m/s, 1/s.") from error


def converted(values: Float[ndarray, "*shape"], source: str, target: str, where: str) -> Float[ndarray, "*shape"]:
    """Return the values in another unit.

    Args:
        values: numbers in the unit `source`.
        source: unit of the file.
        target: unit of the configuration.
        where: the field and its file, for messages.

    Raises:
        ValueError: If a unit is unknown, or the two do not measure the same quantity.
    """
    check_unit(source, where)
    registry = _registry()
    if registry.Unit(source) == registry.Unit(target):
        return values
    try:
        result = registry.Quantity(np.array(values, dtype=np.float64), source).to(target).magnitude
    except _errors() as error:
        raise ValueError(f"The unit {source!r} of {where} does not convert to {target!r}: {error}.") from error
    return np.asarray(result)


@lru_cache(maxsize=1)
def _registry() -> Any:
    """Return the registry of units of pint.

    Raises:
        ValueError: If pint is not installed.
    """
    try:
        import pint
    except ImportError as error:
        raise ValueError(f"Units of fields need the package pint: {EXTRA}.") from error
    return pint.UnitRegistry(preprocessors=[_with_powers])


def _with_powers(text: str) -> str:
    """Return a unit with powers in the form of pint: `m s**-1` for `m s-1`, `kg/m**2` for `kg/m2`."""
    return re.sub(r"(?<=[A-Za-z])(?<![0-9.][eE])(?=[-+]?[0-9])", "**", text)


def _errors() -> tuple[type[Exception], ...]:
    """Return the exceptions of pint for an invalid unit, or two incompatible units."""
    import pint

    return (pint.errors.PintError, AttributeError, TypeError, ValueError)

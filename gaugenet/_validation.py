"""Checks of arguments that all storeys use: each names the argument, what was expected and what came."""

from __future__ import annotations

import math
from numbers import Integral


def positive(name: str, value: object) -> int:
    """`value` as a positive integer, or `ValueError` about the argument `name`."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
        raise ValueError(f"Expected `{name}` to be a positive integer, got {value!r}.")
    return int(value)


def positive_number(name: str, value: float) -> float:
    """`value` as a positive, finite number, or `ValueError` about the argument `name`."""
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"Expected a positive `{name}`, got {value}.")
    return float(value)

"""Checks of arguments that all storeys use: each names the argument, what was expected and what came."""

from __future__ import annotations

import math
from numbers import Integral

LARGEST_BLOCKS = 1000
LARGEST_RINGS = 1000
_LARGEST_WIDTH = 2**20
_LARGEST_LEVELS = 32


def positive(name: str, value: object, *, at_most: int | None = None) -> int:
    """Return `value` as a positive integer, or `ValueError` about the argument `name`."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
        raise ValueError(f"Expected `{name}` to be a positive integer, got {value!r}.")
    if at_most is not None and int(value) > at_most:
        raise ValueError(f"Expected `{name}` of at most {at_most}, got {value}.")
    return int(value)


def not_negative(name: str, value: object) -> int:
    """Return `value` as an integer of at least zero, or `ValueError` about the argument `name`."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 0:
        raise ValueError(f"Expected `{name}` to be an integer that is not negative, got {value!r}.")
    return int(value)


def positive_number(name: str, value: float) -> float:
    """Return `value` as a positive, finite number, or `ValueError` about the argument `name`."""
    try:
        number = math.nan if isinstance(value, str) else float(value)
    except (TypeError, ValueError, RuntimeError):  # `None`, an array of several numbers, a tensor of several numbers
        number = math.nan
    if not (math.isfinite(number) and number > 0):
        raise ValueError(f"Expected a positive `{name}`, got {value!r}.")
    return number


def level_widths(width: int, growth: float, levels: int) -> list[int]:
    """Return the number of fields on each level, `width * growth**level`, rounded.

    The bounds are far above any network that fits a memory. They refuse a broken or hostile run file at once, instead
    of after minutes.

    Raises:
        ValueError: If the numbers are not positive, or out of all bounds.
    """
    positive_number("growth", growth)
    first, count = positive("width", width, at_most=_LARGEST_WIDTH), positive("levels", levels, at_most=_LARGEST_LEVELS)
    if first * max(growth, 1.0) ** (count - 1) > _LARGEST_WIDTH:
        raise ValueError(f"Expected at most {_LARGEST_WIDTH:,} fields on a level, got growth {growth} from {first}.")
    return [round(first * growth**level) for level in range(count)]

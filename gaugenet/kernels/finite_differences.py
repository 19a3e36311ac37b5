"""Finite differences: weights of pixels for derivatives, exact on polynomials."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

_ACCURACIES = (2, 4, 6)
"""Available orders of the error of central differences."""


def difference_weights(offsets: Sequence[float], order: int) -> list[float]:
    """Return w with sum_i w_i f(x_i) = f^(order)(0) for all polynomials f of degree below the number of offsets.

    Raises:
        ValueError: If there are not more offsets than the order.
    """
    x = np.asarray(offsets, dtype=np.float64)
    if len(x) <= order:
        raise ValueError(f"Expected more than {order} offsets for a derivative of order {order}, got {len(x)}.")
    moments = np.zeros(len(x))
    moments[order] = math.factorial(order)
    return list(np.linalg.solve(np.vander(x, increasing=True).T, moments).round(14))


def central_width(order: int, accuracy: int) -> int:
    """Return the number of pixels of the central difference whose error is of the order `accuracy` in the spacing."""
    return 2 * ((order + 1) // 2) + accuracy - 1 if order else 1


def check_accuracy(accuracy: int) -> None:
    """Raise `ValueError` unless the accuracy is available."""
    if accuracy not in _ACCURACIES:
        raise ValueError(f"Expected `accuracy` 2, 4 or 6 (order of the error in the spacing), got {accuracy!r}.")


__all__ = ["central_width", "check_accuracy", "difference_weights"]

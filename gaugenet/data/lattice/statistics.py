"""Means of Monte Carlo series with error bars by binning."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

_FEWEST_BINS = 32
"""The error of an error from so many bins is about one eighth of it."""


@dataclass(frozen=True)
class BinnedMean:
    """A mean, its error, the integrated autocorrelation time in measurements, and the size of the bins."""

    mean: float
    error: float
    autocorrelation: float
    bin_size: int

    def __str__(self) -> str:
        return f"{self.mean:.6f} ± {self.error:.6f}"


def binned_mean(series: Float[ndarray, "measurements *chains"]) -> BinnedMean:
    """Return the mean of a correlated series, with the error by binning.

    Bins of 1, 2, 4, ... successive measurements of one chain are averaged; the error of the mean of independent bins
    grows with their size until they are longer than the autocorrelation. It is the largest one of sizes that leave at
    least 32 bins, and tau = (error / naive error)^2 / 2. Chains, if there are several, are independent.

    Raises:
        ValueError: If there are fewer than 32 measurements, or one is not finite.
    """
    values = np.asarray(series, dtype=np.float64)
    if values.ndim not in (1, 2) or values.size < _FEWEST_BINS or not np.isfinite(values).all():
        raise ValueError(
            f"Expected `series` of shape (measurements,) or (measurements, chains) with at least {_FEWEST_BINS} finite "
            f"numbers, got shape {values.shape}: measure more often."
        )
    columns = values.reshape(len(values), -1)
    best, best_size, size = _error(columns, 1), 1, 2
    naive = best
    while len(columns) // size * columns.shape[1] >= _FEWEST_BINS and size <= len(columns):
        error = _error(columns, size)
        if error > best:
            best, best_size = error, size
        size *= 2
    time = 0.5 * (best / naive) ** 2 if naive > 0 else 0.5
    return BinnedMean(float(values.mean()), float(best), float(time), best_size)


def _error(columns: Float[ndarray, "measurements chains"], size: int) -> float:
    used = len(columns) // size * size
    bins = columns[:used].reshape(-1, size, columns.shape[1]).mean(1).ravel()
    return float(bins.std(ddof=1) / np.sqrt(len(bins)))


__all__ = ["BinnedMean", "binned_mean"]

"""Means of Monte Carlo series, with statistical errors by binning."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

_FEWEST_BINS = 32
"""With this number of bins the relative uncertainty of the error is about one eighth."""


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

    Bins of 1, 2, 4, ... successive measurements of one chain are averaged. The error of the mean over bins grows with
    their size until bins are longer than the autocorrelation. The result is the largest error among bin sizes with at
    least 32 bins, and tau = (error / naive error)^2 / 2. Several chains are taken as independent.

    Raises:
        ValueError: If there are fewer than 32 measurements, or one is not finite.

    Example:
        >>> import numpy as np
        >>> from gaugenet.data import binned_mean
        >>> series = np.random.default_rng(0).normal(size=10_000).repeat(8)  # each value eight times
        >>> result = binned_mean(series)
        >>> 0.008 < result.error < 0.013, 3 < result.autocorrelation < 6  # 1 / sqrt(10,000), and 8 / 2
        (True, True)
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

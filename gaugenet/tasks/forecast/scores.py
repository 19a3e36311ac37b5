"""Scores of forecasts by lead time, weighted by area: root mean square errors, anomaly correlation, spectra."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from gaugenet._typing import typed_array
from gaugenet.data.climate.cells import CellGrid
from gaugenet.data.climate.latlon import LatLonGrid

SOURCES = ("forecast", "persistence", "climatology")
Fields = Sequence[Float[ndarray, "components *shape"]]
_POLAR = 60.0
"""Degrees of latitude from which on a place is near a pole."""


class ForecastScores:
    """Scores that are collected from several forecasts and the truth.

    Args:
        names: of the fields. Scalars have one component; vectors have two, and their errors are lengths of vectors.
        grid: the grid of the fields.
        leads: number of steps of a forecast.
    """

    def __init__(self, names: Sequence[str], grid: LatLonGrid | CellGrid, leads: int) -> None:
        self.names, self.leads = list(names), leads
        area = np.asarray(grid.area, dtype=np.float64)
        near_pole = np.abs(grid.lat) >= _POLAR
        polar = area * (near_pole[:, None] if area.ndim == 2 else near_pole)
        self._area = {"globe": area / area.sum(), "polar": polar / max(polar.sum(), 1e-300)}
        self._square = {region: np.zeros((len(SOURCES), leads, len(names))) for region in self._area}
        self._correlation = np.zeros((leads, len(names)))
        waves = len(grid.lon) // 2 + 1 if isinstance(grid, LatLonGrid) else 0  # cells have no rows
        self._power = np.zeros((2, leads, len(names), waves))
        self._count = np.zeros(leads)

    def add(self, lead: int, found: Mapping[str, Fields], truth: Fields) -> None:
        """Add the forecast of each source for a lead time, counted from 0, and the truth."""
        self._count[lead] += 1
        for region, area in self._area.items():
            for s, source in enumerate(SOURCES):
                errors = [_mean_square(a - b, area) for a, b in zip(found[source], truth)]
                self._square[region][s, lead] += errors
        usual = found["climatology"]
        globe = self._area["globe"]
        for k, (one, other, mean) in enumerate(zip(found["forecast"], truth, usual)):
            self._correlation[lead, k] += _correlation(one - mean, other - mean, globe)
            if self._power.shape[-1]:
                self._power[:, lead, k] += [zonal_power(values, globe) for values in (one, other)]

    def result(self) -> dict[str, Any]:
        """Return plain numbers for JSON, by field and lead time.

        `rmse` is the error of each source on the globe, and `polar_rmse` the error beyond 60 degrees of latitude. `acc`
        is the mean correlation of anomalies. `spectrum` is the mean square by zonal wavenumber at the last lead time,
        of the forecast and the truth; it is empty on cells, which have no rows.
        """
        count = np.maximum(self._count, 1)[:, None]
        rmse = {region: np.sqrt(total / count) for region, total in self._square.items()}
        power = self._power[:, -1] / count[-1]
        fields: dict[str, Any] = {}
        for k, name in enumerate(self.names):
            fields[name] = {
                "rmse": {source: rmse["globe"][s, :, k].tolist() for s, source in enumerate(SOURCES)},
                "polar_rmse": {source: rmse["polar"][s, :, k].tolist() for s, source in enumerate(SOURCES)},
                "acc": (self._correlation[:, k] / count[:, 0]).tolist(),
                "spectrum": {"forecast": power[0, k].tolist(), "truth": power[1, k].tolist()},
            }
        return fields


def zonal_power(
    values: Float[ndarray, "components height width"], area: Float[ndarray, "height width"]
) -> Float[ndarray, "wavenumbers"]:
    """Return the mean square of a field by the number of its waves around a circle of latitude, by area.

    The sum over the wavenumbers is the mean square of the field (Parseval).
    """
    width = values.shape[-1]
    waves = np.abs(np.fft.rfft(values, axis=-1) / width) ** 2
    twice = np.full(waves.shape[-1], 2.0)
    twice[0] = 1.0
    if width % 2 == 0:
        twice[-1] = 1.0
    return typed_array(np.einsum("chm,h->m", waves, area.sum(axis=1)) * twice)


def _mean_square(error: Float[ndarray, "components *shape"], area: Float[ndarray, "*shape"]) -> float:
    return float((error**2 * area).sum())


def _correlation(a: ndarray, b: ndarray, area: ndarray) -> float:
    size = np.sqrt(_mean_square(a, area) * _mean_square(b, area))
    return float((a * b * area).sum() / size) if size > 0 else 0.0

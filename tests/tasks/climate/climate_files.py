"""Small synthetic climate files for the tests of the climate task."""

from __future__ import annotations

from pathlib import Path

from gaugenet.data.climate.latlon import LatLonGrid
from gaugenet.data.climate.vortices import SyntheticWeather

GRID = LatLonGrid.regular(31, 60, poles=True)


def write_weather(path: Path, *, steps: int = 6, first: int = 0, seed: int = 2) -> Path:
    """Large vortices on a coarse grid, so that a small network learns them in seconds."""
    weather = SyntheticWeather(seed=seed, radius=16.0, noise=0.2, vortices=4, decoys=2, filaments=1)
    return weather.write(path, steps, grid=GRID, first=first, step_hours=24.0)

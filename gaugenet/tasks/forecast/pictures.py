"""Pictures of a scored run: errors by lead time, maps of a forecast, and a globe to rotate with the mouse."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from gaugenet._typing import typed_array
from gaugenet.tasks.climate.pictures import GLOBE, MAP
from gaugenet.tasks.forecast.inference import Forecaster, fields_of
from gaugenet.tasks.forecast.scores import SOURCES

_SCORES = "scores.png"


def draw_scores(run: str | Path, result: Mapping[str, Any]) -> None:
    """Write `scores.png`: the error of each field by lead time, next to persistence and climatology."""
    from gaugenet.viz import plot_comparison

    names = list(result["fields"])
    curves = {
        source: [
            {"step": lead + 1} | {name: result["fields"][name]["rmse"][source][lead] for name in names}
            for lead in range(result["steps"])
        ]
        for source in SOURCES
    }
    title = f"Root mean square error after steps of {result['step_hours']:g} h"
    plot_comparison(Path(run) / _SCORES, curves, names, counted="step", title=title)


def draw_forecast(run: str | Path, forecaster: Forecaster, window: Int[ndarray, "length"]) -> None:
    """Write `map.png` and `globe.html` of the first field: forecast and truth, after one step and at the end.

    Args:
        run: folder for the pictures.
        forecaster: the run and the files.
        window: the time steps of the forecast.
    """
    from gaugenet.viz import MeshView, SpherePanel, draw_spheres, nearest_point, write_viewer

    variables = forecaster.files.variables
    name = variables.scalars[0] if variables.scalars else "|{}, {}|".format(*variables.vectors[0])
    forecasts = list(forecaster.forecast(int(window[0]), len(window) - 1))
    panels, views = [], []
    nearest = nearest_point(forecaster.inputs.locations.points.reshape(-1, 3))
    at_vertices = nearest(forecaster.inputs.points)
    mesh: dict[str, Any] = {"vertices": forecaster.sphere.pos, "faces": forecaster.sphere.face.T, "up": "z"}
    for lead in sorted({1, len(forecasts)}):
        truth = _size(fields_of(forecaster.frame(int(window[lead])))[0])
        found = _size(forecasts[lead - 1][0])
        limits = (float(np.quantile(truth, 0.01)), float(np.quantile(truth, 0.99)))
        when = f"{lead * forecaster.step_hours:g} h"
        for what, values in (("forecast", found), ("truth", truth)):
            panels.append(SpherePanel(name=f"{name} after {when}, {what}", scalar=values.reshape(-1), limits=limits))
            views.append(
                MeshView(name=f"{when}, {what}", scalar=values.reshape(-1)[at_vertices], scalar_name=name, **mesh)
            )
    title = f"{Path(run).name}: forecast from {forecaster.files.times[int(window[0])]}"
    draw_spheres(Path(run) / MAP, panels, nearest, columns=2, width=720, title=title)
    write_viewer(Path(run) / GLOBE, views, title=title)


def _size(field: ndarray) -> ndarray:
    """Return scalars unchanged, and the lengths of vectors."""
    return typed_array(field[0] if len(field) == 1 else np.hypot(*field))

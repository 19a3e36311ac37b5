"""Pictures of a scored run: errors by lead time, maps of a forecast, and a globe to rotate with the mouse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from gaugenet._typing import typed_array
from gaugenet.data.climate.sampling import Locations
from gaugenet.tasks.climate.pictures import GLOBE, MAP
from gaugenet.tasks.forecast.files import field_names
from gaugenet.tasks.forecast.inference import Forecaster, fields_of
from gaugenet.tasks.forecast.scores import SOURCES
from gaugenet.viz import MeshField

_SCORES = "scores.png"
_MOST_FIELDS = 3
_Steps = Sequence[list[Float[ndarray, "components *shape"]]]


def draw_scores(folder: str | Path, result: Mapping[str, Any]) -> None:
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
    plot_comparison(Path(folder) / _SCORES, curves, names, counted="step", title=title)


def draw_forecast(
    folder: str | Path, forecaster: Forecaster, window: Int[ndarray, "length"], *, coastlines: bool = True
) -> None:
    """Write `map.png` and `globe.html` of one forecast and of what came true.

    The map shows the first field after one step and at the end. The globe has all time steps of the first scalar, the
    first wind and one more field.

    Args:
        folder: folder for the pictures.
        forecaster: the run and the files.
        window: the time steps of the forecast.
        coastlines: also draw the coasts of the Earth.
    """
    forecasts = [fields_of(forecaster.frame(int(window[0]))), *forecaster.forecast(int(window[0]), len(window) - 1)]
    truths = [fields_of(forecaster.frame(int(step))) for step in window]
    title = f"{forecaster.name}: forecast from {forecaster.files.times[int(window[0])]}"
    _draw_map(Path(folder) / MAP, forecaster, forecasts, truths, title, coastlines=coastlines)
    _draw_globe(Path(folder) / GLOBE, forecaster, forecasts, truths, title, coastlines=coastlines)


def _draw_map(
    path: Path, forecaster: Forecaster, forecasts: _Steps, truths: _Steps, title: str, *, coastlines: bool
) -> None:
    from gaugenet.viz import ColorScale, SpherePanel, draw_spheres, nearest_point

    name, unit = _names_and_units(forecaster)[0]
    name = name if len(truths[0][0]) == 1 else f"|{name}|"
    panels = []
    for lead in sorted({1, len(forecasts) - 1}):
        scale = ColorScale.of(_size(truths[lead][0]))
        when, limits = f"{lead * forecaster.step_hours:g} h", (scale.low, scale.high)
        for what, fields in (("forecast", forecasts), ("truth", truths)):
            values = _size(fields[lead][0]).reshape(-1)
            panels.append(SpherePanel(name=f"{name} after {when}, {what}", scalar=values, unit=unit, limits=limits))
    nearest = nearest_point(forecaster.inputs.locations.points.reshape(-1, 3))
    draw_spheres(path, panels, nearest, columns=2, width=720, title=title, coastlines=coastlines)


def _draw_globe(
    path: Path, forecaster: Forecaster, forecasts: _Steps, truths: _Steps, title: str, *, coastlines: bool
) -> None:
    from gaugenet.viz import FieldMap, MeshView, coastline_segments, nearest_point, write_viewer

    locations = forecaster.inputs.locations
    at_vertices = nearest_point(locations.points.reshape(-1, 3))(forecaster.inputs.points)
    view = MeshView.of(forecaster.sphere, "forecast")
    times = [f"{lead * forecaster.step_hours:g} h" for lead in range(len(forecasts))]
    fields: dict[str, MeshField] = {}
    for k in _chosen_fields([len(field) for field in truths[0]]):
        truth, found = (
            np.stack([_in_space(step[k], locations)[at_vertices] for step in steps]) for steps in (truths, forecasts)
        )
        fields |= FieldMap(view, *_names_and_units(forecaster)[k], truth, found, times=times).fields()
    lines = coastline_segments() if coastlines else None
    write_viewer(path, [MeshView.of(forecaster.sphere, view.name, fields=fields, up="z", lines=lines)], title=title)


def _chosen_fields(components: Sequence[int]) -> list[int]:
    """Return the first scalar, the first wind, and one more, by their numbers of components."""
    firsts = [components.index(count) for count in (1, 2) if count in components]
    return [*firsts, *(k for k in range(len(components)) if k not in firsts)][:_MOST_FIELDS]


def _in_space(field: ndarray, locations: Locations) -> Float[ndarray, "locations *3"]:
    """Return a scalar at every location, or a wind as a vector in space."""
    return typed_array(field.reshape(-1) if len(field) == 1 else locations.vectors(field).reshape(3, -1).T)


def _names_and_units(forecaster: Forecaster) -> list[tuple[str, str]]:
    variables = forecaster.files.variables
    first = [*variables.scalars, *(u for u, _ in variables.vectors)]
    return [(name, variables.units.get(one) or "") for name, one in zip(field_names(variables), first)]


def _size(field: ndarray) -> ndarray:
    """Return scalars unchanged, and the lengths of vectors."""
    return typed_array(field[0] if len(field) == 1 else np.hypot(*field))

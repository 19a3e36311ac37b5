"""Pictures of a scored climate run: a map of the globe as PNG, and a globe to rotate with the mouse."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from gaugenet.files import atomic_path
from gaugenet.tasks.climate.inference import ClimatePredictor
from gaugenet.tasks.climate.inputs import SphereFields
from gaugenet.tasks.climate.scores import labels_at
from gaugenet.tasks.training.options import TaskError
from gaugenet.viz import MeshField

MAP, GLOBE = "map.png", "globe.html"


def draw_run(
    predictor: ClimatePredictor, folder: str | Path, *, title: str, frames: int = 4, coastlines: bool = True
) -> None:
    """Write `map.png` and `globe.html` of the frames with the most labelled patterns, evenly spread among them.

    The map shows labels over the first wind or scalar, the globe all winds and scalars.

    Args:
        predictor: the run and the files.
        folder: where the pictures go.
        title: name of the run, and its scores.
        frames: largest number of frames.
        coastlines: also draw the coasts of the Earth.
    """
    from gaugenet.viz import MeshView, SpherePanel, coastline_segments, draw_spheres, nearest_point, write_viewer

    panels, views, sphere = [], [], predictor.inputs.sphere
    mesh: dict[str, Any] = {"up": "z", "labels_on": "vertex", "lines": coastline_segments() if coastlines else None}
    for index in _chosen_frames(predictor, frames):
        _, fields = predictor.fields(index)
        name = _name(predictor, index)
        at_vertices = predictor.on_sphere(fields)
        found = labels_at(at_vertices, predictor.thresholds)
        shown = _fields(predictor, fields)
        truth = None if fields.label is None else fields.label[predictor.inputs.interpolation().nearest]
        outline = None if truth is None else np.where(truth < 0, 0, truth)
        view = MeshView.of(sphere, name, prediction=found, truth=truth, fields=shown, **mesh)
        views.append(view)
        first = next(iter(view.fields.values()))
        panels.append(SpherePanel(name=f"{name}  {first.label}", scalar=first.sizes[0], labels=found, outline=outline))
    nearest = nearest_point(predictor.inputs.points)
    options: dict[str, Any] = {"class_names": predictor.classes, "title": title}
    columns = 2 if len(panels) > 1 else 1
    draw_spheres(Path(folder) / MAP, panels, nearest, columns=columns, width=720, coastlines=coastlines, **options)
    write_viewer(Path(folder) / GLOBE, views, **options)


def copy_picture(run: Path, file: Path) -> str:
    """Copy the page (`.html`) or the map (`.png`) of the last evaluation of a run, and return a line about it.

    Raises:
        TaskError: If the run was not evaluated.
    """
    name = GLOBE if file.suffix.lower() == ".html" else MAP
    if not (run / name).is_file():
        raise TaskError(f"{run} was not evaluated yet: run `gaugenet evaluate {run} --data FILE.nc`.")
    with atomic_path(file) as temporary:
        shutil.copyfile(run / name, temporary)
    return f"{file}: from the last evaluation of {run}"


def _chosen_frames(predictor: ClimatePredictor, count: int) -> list[int]:
    """Return `count` of the frames with patterns, evenly spread in time; of all frames if none has a pattern."""
    labelled = []
    for index in range(len(predictor.files)):
        label = predictor.files[index].label
        if label is not None and (label > 0).any():
            labelled.append(index)
    pool = labelled or list(range(len(predictor.files)))
    return [pool[k] for k in np.unique(np.round(np.linspace(0, len(pool) - 1, min(count, len(pool)))).astype(int))]


def _fields(predictor: ClimatePredictor, fields: SphereFields) -> dict[str, MeshField]:
    """Return all winds, then all scalars, at the vertices of the icosphere and in their units."""
    variables, interpolation = predictor.files.variables, predictor.inputs.interpolation()
    normalization, found = predictor.normalization, {}
    for (u, v), vectors, scale in zip(variables.vectors, fields.vectors, normalization.scale):
        wind = interpolation.fields(vectors).T * scale
        found[f"{u}, {v}"] = MeshField(wind, unit=variables.units.get(u) or "")
    for name, values, mean, std in zip(variables.scalars, fields.scalars, normalization.mean, normalization.std):
        found[name] = MeshField(interpolation.fields(values) * std + mean, unit=variables.units.get(name) or "")
    return found


def _name(predictor: ClimatePredictor, index: int) -> str:
    times = getattr(predictor.files, "times", None)
    return times[index] if times and times[index] else f"step {index}"

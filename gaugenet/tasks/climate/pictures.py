"""Pictures of a scored climate run: a map of the globe as PNG, and a globe to rotate with the mouse."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from gaugenet.files import atomic_path
from gaugenet.tasks.climate.inference import ClimatePredictor
from gaugenet.tasks.climate.inputs import SphereFields
from gaugenet.tasks.climate.scores import labels_at
from gaugenet.tasks.training.options import TaskError

MAP, GLOBE = "map.png", "globe.html"


def draw_run(predictor: ClimatePredictor, folder: str | Path, *, title: str, frames: int = 4) -> None:
    """Write `map.png` and `globe.html` of the frames with the most labelled patterns, evenly spread among them.

    Args:
        predictor: the run and the files.
        folder: where the pictures go.
        title: name of the run.
        frames: largest number of frames.
    """
    from gaugenet.viz import MeshView, SpherePanel, draw_spheres, nearest_point, write_viewer

    panels, views = [], []
    for index in _chosen_frames(predictor, frames):
        _, fields = predictor.fields(index)
        name = _name(predictor, index)
        at_vertices = predictor.on_sphere(fields)
        found = labels_at(at_vertices, predictor.thresholds)
        strength, what = _shown(predictor, fields)
        truth = None if fields.label is None else fields.label[predictor.inputs.interpolation().nearest]
        outline = None if truth is None else np.where(truth < 0, 0, truth)
        panels.append(SpherePanel(name=f"{name}  {what}", scalar=strength, labels=found, outline=outline))
        sphere = predictor.inputs.sphere
        mesh: dict[str, Any] = {"vertices": sphere.pos, "faces": sphere.face.T, "up": "z", "labels_on": "vertex"}
        views.append(MeshView(name=name, **mesh, prediction=found, truth=truth, scalar=strength, scalar_name=what))
    nearest = nearest_point(predictor.inputs.points)
    title = f"{title}: prediction (colours) and truth (outlines)"
    options: dict[str, Any] = {"class_names": predictor.classes, "title": title}
    draw_spheres(Path(folder) / MAP, panels, nearest, columns=2 if len(panels) > 1 else 1, width=720, **options)
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


def _shown(predictor: ClimatePredictor, fields: SphereFields) -> tuple[ndarray, str]:
    """Return the field that is shown under the labels: the speed of the first wind, or the first scalar."""
    variables, interpolation = predictor.files.variables, predictor.inputs.interpolation()
    if variables.vectors:
        u, v = variables.vectors[0]
        speed = np.linalg.norm(interpolation.fields(fields.vectors[0]), axis=0) * predictor.normalization.scale[0]
        return speed, f"|{u}, {v}|"
    mean, std = predictor.normalization.mean[0], predictor.normalization.std[0]
    return interpolation.fields(fields.scalars[0]) * std + mean, variables.scalars[0]


def _name(predictor: ClimatePredictor, index: int) -> str:
    times = getattr(predictor.files, "times", None)
    return times[index] if times and times[index] else f"step {index}"

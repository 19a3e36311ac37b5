"""Labelling climate files: NetCDF in, NetCDF out."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from gaugenet.data.climate.dataset import ClimateFiles, open_store, time_values
from gaugenet.data.climate.output import ClassMapFile, cell_file, grid_file
from gaugenet.data.climate.variables import time_name
from gaugenet.tasks.climate.inference import ClimatePredictor, Precision
from gaugenet.tasks.climate.scores import labels_at
from gaugenet.tasks.training.options import TaskError
from gaugenet.tasks.training.progress import progress
from gaugenet.tasks.training.run import Which


def predict_climate(
    run: str | Path,
    paths: list[str],
    out: str | Path,
    *,
    sphere: str | Path | None = None,
    weights: Which = "best",
    tta: int = 0,
    missing: str | None = None,
    device: str | None = None,
    precision: Precision = "float32",
) -> dict[str, Any]:
    """Label every time step of files, one at a time, and write the probabilities and labels as CF NetCDF.

    Args:
        run: folder of the run.
        paths: NetCDF files or Zarr stores with the variables of the training.
        out: NetCDF file on the grid of the input, in its order of latitudes and longitudes.
        sphere: NetCDF file on the vertices of the icosphere; `out` with `.icosphere` before the ending by default.
        weights, tta, missing, device, precision: as in `ClimatePredictor`.

    Returns:
        The files that were written, the number of time steps, and the share of the area of each class.

    Raises:
        RunError, TaskError, DataError: no run of this task, or unusable files.
    """
    out = Path(out)
    sphere = Path(sphere) if sphere is not None else out.with_name(f"{out.stem}.icosphere{out.suffix}")
    predictor = ClimatePredictor(
        run, paths, weights=weights, tta=tta, missing=missing, device=device, precision=precision
    )
    files = predictor.files
    if not isinstance(files, ClimateFiles):
        raise TaskError("HAPPI20 npz files have no grid to write to: predict on NetCDF files.")
    if out.resolve() in {p.resolve() for p in files.paths}:
        raise TaskError(f"{out} is an input: choose another file.")
    times, attributes = raw_times(files)
    area = np.zeros(len(predictor.classes))
    options: dict[str, Any] = {"time": attributes, "source": f"gaugenet run {Path(run).name}"}
    cells = predictor.inputs.sphere
    with ExitStack() as stack:
        on_grid = stack.enter_context(grid_file(out, files.grid, predictor.classes, **options))
        on_cells = stack.enter_context(
            cell_file(sphere, predictor.inputs.points, cells.mass.numpy(), predictor.classes, **options)
        )
        bar = stack.enter_context(progress(len(files), "predicting"))
        for step in range(len(files)):
            found = _write_step(predictor, step, times[step], on_grid, on_cells)
            area += np.bincount(found.reshape(-1), files.grid.area.reshape(-1), minlength=len(area))
            bar.advance()
    shares = {name: float(a / area.sum()) for name, a in zip(predictor.classes, area)}
    return {"grid": str(out), "icosphere": str(sphere), "steps": len(files), "area": shares}


def _write_step(
    predictor: ClimatePredictor, step: int, time: float | None, on_grid: ClassMapFile, on_cells: ClassMapFile
) -> np.ndarray:
    """Write one step to both files; the labels on the grid."""
    _, fields = predictor.fields(step)
    shape = predictor.inputs.locations.shape
    at_locations = predictor(fields).reshape(-1, *shape)
    at_vertices = predictor.on_sphere(fields)
    label = labels_at(at_locations, predictor.thresholds)
    on_grid.write(step, time, at_locations, label)
    on_cells.write(step, time, at_vertices, labels_at(at_vertices, predictor.thresholds))
    return label


def raw_times(files: ClimateFiles) -> tuple[list[float | None], dict[str, Any] | None]:
    """The numbers of the time coordinate in one unit and calendar, those of the first file, and its attributes.

    `None` for each step of files without dates.
    """
    import xarray as xr

    found: list[Any] = []
    for step in files.steps:
        store = open_store(step.path)
        name = time_name(store[files.variables.names[0]]) or "time"
        values = time_values(store[name]) if name in store.coords else None
        if values is None or values.dtype.kind not in "MO":
            return [None] * len(files), None
        found.append(values[step.index])
    first = open_store(files.steps[0].path)
    encoding = first[time_name(first[files.variables.names[0]]) or "time"].encoding
    units, calendar = encoding.get("units", "hours since 1970-01-01"), encoding.get("calendar", "standard")
    coded = xr.coding.times.encode_cf_datetime(np.array(found), units, calendar, dtype=np.dtype("f8"))
    return [float(v) for v in coded[0]], {"units": coded[1], "calendar": coded[2]}

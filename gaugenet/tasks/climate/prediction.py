"""Labels for climate files: NetCDF in, NetCDF out."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from gaugenet.data.climate.dataset import ClimateFiles, climate_paths
from gaugenet.data.climate.output import ClassMapFile, cell_file, grid_file
from gaugenet.files import check_outputs, files_in, sweep_temporaries
from gaugenet.tasks.climate.inference import ClimatePredictor, Precision
from gaugenet.tasks.climate.scores import labels_at
from gaugenet.tasks.training.options import TaskError
from gaugenet.tasks.training.progress import progress
from gaugenet.tasks.training.run import Which


def predict_climate(
    run: str | Path,
    paths: Sequence[str],
    out: str | Path,
    *,
    sphere: str | Path | None = None,
    overwrite: bool = False,
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
        sphere: NetCDF file on the vertices of the icosphere; by default `out` with `.icosphere` before the ending.
        overwrite: replace outputs that exist. Inputs and the run are never replaced.
        weights: as in `ClimatePredictor`.
        tta: as in `ClimatePredictor`.
        missing: as in `ClimatePredictor`.
        device: as in `ClimatePredictor`.
        precision: as in `ClimatePredictor`.

    Returns:
        The files that were written, the number of time steps, and the share of the area of each class.

    Raises:
        RunError, TaskError, DataError: If there is no run of this task, or files cannot be used.
        OutputError: If an output is an input, or exists.
    """
    out = Path(out)
    sphere = Path(sphere) if sphere is not None else out.with_name(f"{out.stem}.icosphere{out.suffix}")
    check_outputs([out, sphere], inputs=[*climate_paths(paths), *files_in(run)], overwrite=overwrite)
    for folder in {out.parent, sphere.parent}:
        sweep_temporaries(folder)
    predictor = ClimatePredictor(
        run, paths, weights=weights, tta=tta, missing=missing, device=device, precision=precision
    )
    files = predictor.files
    if not isinstance(files, ClimateFiles):
        raise TaskError("HAPPI20 npz files have no grid to write to: predict on NetCDF files.")
    times, attributes = files.coded_times
    area = np.zeros(len(predictor.classes))
    options: dict[str, Any] = {"time": attributes, "source": f"gaugenet run {Path(run).name}"}
    cells = predictor.inputs.sphere
    with ExitStack() as stack:
        on_grid = stack.enter_context(grid_file(out, files.grid, predictor.classes, axes=files.axes, **options))
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
    """Write one step to both files; return the labels on the grid."""
    _, fields = predictor.fields(step)
    shape = predictor.inputs.locations.shape
    at_locations = predictor(fields).reshape(-1, *shape)
    at_vertices = predictor.on_sphere(fields)
    label = labels_at(at_locations, predictor.thresholds)
    on_grid.write(step, time, at_locations, label)
    on_cells.write(step, time, at_vertices, labels_at(at_vertices, predictor.thresholds))
    return label

"""Forecasts for files: NetCDF in, NetCDF out."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

from gaugenet.data.climate.dataset import ClimateFiles, climate_paths, open_store
from gaugenet.data.climate.field_output import field_file, layouts_of
from gaugenet.files import check_outputs, files_in
from gaugenet.tasks.forecast.inference import Forecaster
from gaugenet.tasks.training.options import TaskError, check
from gaugenet.tasks.training.progress import progress
from gaugenet.tasks.training.run import Which


def predict_forecast(
    run: str | Path,
    paths: list[str],
    out: str | Path,
    *,
    steps: int = 20,
    start: str = "last",
    overwrite: bool = False,
    weights: Which = "best",
    missing: str | None = None,
    device: str | None = None,
) -> dict[str, Any]:
    """Forecast from one time step of files, and write the steps that follow as CF NetCDF.

    The file has the grid, the names and the order of dimensions of the input, and continues its time axis.

    Args:
        run: folder of the run.
        paths: NetCDF files or Zarr stores with the variables of the training.
        out: NetCDF file.
        steps: number of steps.
        start: time step to start from: a date such as `2020-01-31T18`, or `first` or `last`.
        overwrite: replace an output that exists. Inputs and the run are never replaced.
        weights: as in `Forecaster`.
        missing: as in `Forecaster`.
        device: as in `Forecaster`.

    Returns:
        The file that was written, the number of steps, and the dates of the start and the end.

    Raises:
        RunError, TaskError, DataError: If there is no run of this task, or files cannot be used.
        OutputError: If the output is an input, or exists.
    """
    check(steps >= 1, "steps", "at least 1", steps)
    check_outputs([out], inputs=[*climate_paths(paths), *files_in(run)], overwrite=overwrite)
    forecaster = Forecaster(run, paths, weights=weights, missing=missing, device=device)
    files = forecaster.files
    first = start_of(files, start)
    times, coding = later_times(files, first, forecaster.step_hours, steps)
    names = files.variables.names
    layouts, levels = layouts_of(open_store(files.paths[0]), names, files.variables.units, files.paths[0])
    description: dict[str, Any] = {
        "time": coding,
        "source": f"gaugenet run {Path(run).name}",
        "title": f"Forecast from {files.times[first] or 'a step without time'}",
    }
    with (
        field_file(out, files.axes, layouts, coordinates=levels, **description) as file,
        progress(steps, "predicting") as bar,
    ):
        for step, found in enumerate(forecaster.forecast(first, steps)):
            fields = np.concatenate(found)
            if not np.isfinite(fields).all():
                raise TaskError(f"The forecast is no longer finite after {step + 1} steps: take fewer --steps.")
            file.write(step, times[step], dict(zip(names, fields)))
            bar.advance()
    return {"out": str(out), "steps": steps, "start": files.times[first], "hours": steps * forecaster.step_hours}


def start_of(files: ClimateFiles, start: str) -> int:
    """Return the index of the time step that a text names: `first`, `last`, or the beginning of a date.

    Raises:
        TaskError: If there is none.
    """
    if start in ("first", "last"):
        return 0 if start == "first" else len(files) - 1
    wanted = start.strip().replace(" ", "T")
    for step, text in enumerate(files.times):
        if text.replace(" ", "T").startswith(wanted):
            return step
    raise TaskError(
        f"Expected `--start` of first, last, or a time of the files, from {files.times[0]} to {files.times[-1]}; "
        f"got {start!r}."
    )


def later_times(
    files: ClimateFiles, first: int, step_hours: float, steps: int
) -> tuple[list[float], dict[str, str] | None]:
    """Return the times after a step as numbers, in the units and calendar of the files, with these as attributes."""
    numbers, coding = files.subset([first]).coded_times
    if coding is None or numbers[0] is None:
        return [float(files.hours[first] + (k + 1) * step_hours) for k in range(steps)], None
    import cftime

    calendar = {"units": coding["units"], "calendar": coding["calendar"]}
    date = cftime.num2date(numbers[0], **calendar)
    dates = [date + timedelta(hours=(k + 1) * step_hours) for k in range(steps)]
    return [float(cftime.date2num(later, **calendar)) for later in dates], coding

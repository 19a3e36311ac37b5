"""Forecasts for files: NetCDF in, NetCDF out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from gaugenet.data.climate.dataset import ClimateFiles, climate_paths, open_store
from gaugenet.data.climate.field_output import field_file, layouts_of
from gaugenet.data.climate.hindcast_output import hindcast_file
from gaugenet.files import check_outputs, files_in
from gaugenet.tasks.forecast.inference import Forecaster
from gaugenet.tasks.training.options import TaskError, check
from gaugenet.tasks.training.progress import progress
from gaugenet.tasks.training.run import Which


def predict_forecast(
    run: str | Path,
    paths: Sequence[str],
    out: str | Path,
    *,
    steps: int = 20,
    start: str = "last",
    overwrite: bool = False,
    weights: Which = "best",
    missing: str | None = None,
    device: str | None = None,
) -> dict[str, Any]:
    """Forecast from time steps of files, and write the steps that follow as CF NetCDF.

    The file has the grid, the names and the order of dimensions of the input. A forecast from one start continues
    its time axis. Forecasts from many starts have the dimensions `forecast_reference_time` and `lead_time` instead.
    One time step is read and written at a time, so neither the input nor the output needs to fit into memory. Each
    field is one chunk, for `xarray.open_dataset(out, chunks={})`.

    Args:
        run: folder of the run.
        paths: NetCDF files or Zarr stores with the variables of the training.
        out: NetCDF file.
        steps: number of steps.
        start: time step to start from: a date such as `2020-01-31T18`, or `first` or `last`; `all` for every time step,
            `every 4` for every fourth.
        overwrite: replace an output that exists. Inputs and the run are never replaced.
        weights: as in `Forecaster`.
        missing: as in `Forecaster`.
        device: as in `Forecaster`.

    Returns:
        The file that was written, the number of steps, the date of the (first) start, the hours of a forecast, and the
        number of starts.

    Raises:
        RunError, TaskError, DataError: If there is no run of this task, or files cannot be used.
        OutputError: If the output is an input, or exists.
    """
    check(steps >= 1, "steps", "at least 1", steps)
    check_outputs([out], inputs=[*climate_paths(paths), *files_in(run)], overwrite=overwrite)
    forecaster = Forecaster(run, paths, weights=weights, missing=missing, device=device)
    files = forecaster.files
    stride = _stride(start)
    if stride is not None:
        starts = list(range(0, len(files), stride))
        _write_all(out, run, forecaster, starts, steps)
        hours = steps * forecaster.step_hours
        return {"out": str(out), "steps": steps, "start": files.times[0], "hours": hours, "starts": len(starts)}
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
            file.write(step, times[step], _checked(names, found, step))
            bar.advance()
    about = {"start": files.times[first], "hours": steps * forecaster.step_hours, "starts": 1}
    return {"out": str(out), "steps": steps, **about}


def _write_all(out: str | Path, run: str | Path, forecaster: Forecaster, starts: list[int], steps: int) -> None:
    """Write the forecasts from many starts, each field when it is computed."""
    files = forecaster.files
    names = files.variables.names
    layouts, levels = layouts_of(open_store(files.paths[0]), names, files.variables.units, files.paths[0])
    numbers, coding = files.coded_times
    leads = forecaster.step_hours * np.arange(1, steps + 1)
    about: dict[str, Any] = {"time": coding, "source": f"gaugenet run {Path(run).name}"}
    with (
        hindcast_file(out, files.axes, layouts, leads, coordinates=levels, **about) as file,
        progress(len(starts) * steps, "predicting") as bar,
    ):
        for index, start in enumerate(starts):
            number = numbers[start]
            time = float(files.hours[start]) if number is None else number
            for lead, found in enumerate(forecaster.forecast(start, steps)):
                file.write(index, time, lead, _checked(names, found, lead))
                bar.advance()


def _checked(names: Sequence[str], found: Sequence[ndarray], step: int) -> dict[str, ndarray]:
    """Return the fields by name.

    Raises:
        TaskError: If they are not finite.
    """
    fields = np.concatenate(found)
    if not np.isfinite(fields).all():
        raise TaskError(f"The forecast is no longer finite after {step + 1} steps: take fewer --steps.")
    return dict(zip(names, fields))


def _stride(start: str) -> int | None:
    """Return the distance of the starts that `all` or `every N` names; `None` for a single start.

    Raises:
        TaskError: If N is not a positive integer.
    """
    word, _, number = start.strip().partition(" ")
    if word == "all" and not number:
        return 1
    if word != "every":
        return None
    if not number.strip().isdigit() or int(number) < 1:
        raise TaskError(f"Expected `--start 'every N'` with a positive integer, got {start!r}.")
    return int(number)


def start_of(files: ClimateFiles, start: str) -> int:
    """Return the index of the time step that a text names: `first`, `last`, or the beginning of a date.

    Raises:
        TaskError: If there is none.
    """
    if start in ("first", "last"):
        return 0 if start == "first" else len(files) - 1
    wanted = start.strip().replace(" ", "T")
    for step, text in enumerate(files.times if wanted else ()):
        if text.replace(" ", "T").startswith(wanted):
            return step
    raise TaskError(
        f"Expected `--start` of first, last, all, 'every N', or a time of the files, from {files.times[0]} to "
        f"{files.times[-1]}; got {start!r}."
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

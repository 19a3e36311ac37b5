"""Inspection of climate files: grid, times and fields, and what would keep a training from them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from gaugenet.data.climate.axes import time_name
from gaugenet.data.climate.channels import further_dimensions, variable_of
from gaugenet.data.climate.dataset import FILL, ClimateFiles, climate_paths, is_zarr, open_store
from gaugenet.data.climate.latlon import LatLonGrid
from gaugenet.data.climate.pixels import pixels_of
from gaugenet.data.climate.variables import find_variables
from gaugenet.data.meshes.sample import DataError

_SUFFIXES = (".nc", ".nc4", ".cdf")


def is_climate_file(path: str | Path) -> bool:
    """Return whether a path looks like a NetCDF file or a Zarr store."""
    found = Path(path)
    return found.suffix.lower() in _SUFFIXES or is_zarr(found)


def inspect_climate(path: str | Path, *, at_most: int = 64) -> dict[str, Any]:
    """Return what a climate file holds, and the problems that would stop `gaugenet train climate` or `forecast`.

    Args:
        path: NetCDF file or Zarr store.
        at_most: largest number of time steps whose values are read, evenly spaced.

    Returns:
        Plain values for JSON: `file`, `ok`, and `grid`, `times`, `scalars`, `vectors`, `label`, `static`, `levels`,
        `missing` (numbers of values that are not finite, by channel, in the steps that were read), `label_problem`
        (why the label cannot be used, or `None`); or `error`, if the file cannot be used.

    Example:
        >>> from gaugenet.data import SyntheticWeather
        >>> from gaugenet.tasks.climate.inspection import inspect_climate
        >>> found = inspect_climate(SyntheticWeather().write("weather.nc", steps=2))
        >>> found["ok"], found["grid"], found["vectors"]
        (True, '91 x 180 latitudes and longitudes', [['u10', 'v10']])
    """
    try:
        return {"file": str(path)} | _inspected(climate_paths(path)[0], at_most)
    except DataError as error:
        return {"file": str(path), "ok": False, "error": str(error)}


def describe_climate(entry: Mapping[str, Any]) -> str:
    """Return the lines of one dictionary of `inspect_climate`."""
    if "error" in entry:
        return f"{entry['file']}: {entry['error']}"
    lines = [f"{entry['file']}: {entry['grid']}: {'usable' if entry['ok'] else 'NOT usable as it is'}"]
    times = entry["times"]
    lines.append(f"  {times['count']} time steps{_time_text(times)}")
    units = entry["units"]

    def with_unit(name: str) -> str:
        return f"{name} ({units[name]})" if units.get(name) else name

    moving = [name for name in entry["scalars"] if name not in entry["static"]]
    vectors = [f"{u}:{with_unit(v)}" for u, v in entry["vectors"]]
    rows = {"scalars": [with_unit(name) for name in moving], "vectors": vectors, "static": entry["static"]}
    lines += [f"  {title}: {', '.join(names)}" for title, names in rows.items() if names]
    lines += [f"  label: {entry['label']}"] if entry["label"] else []
    lines += [f"  {entry['label_problem']}"] if entry["label_problem"] else []
    for name, dims in entry["levels"].items():
        sizes = ", ".join(f"{size} of {dim}" for dim, size in dims.items())
        lines.append(f"  {name} has {sizes}: choose with --data.levels or --data.scalars NAME@VALUE")
    for name, found in entry["missing"].items():
        lines.append(
            f"  {name}: {found['values']} values that are not finite in {found['steps']} of {entry['steps_read']} time "
            "steps: repair the file, or train with --data.missing mean"
        )
    return "\n".join(lines)


def _inspected(path: Path, at_most: int) -> dict[str, Any]:
    store = open_store(path)
    variables = find_variables(store, levels="all", where=str(path))
    files = ClimateFiles(path, variables=variables)
    read = np.unique(np.round(np.linspace(0, len(files) - 1, min(at_most, len(files)))).astype(int))
    missing, label_problem = _missing(files, read), _label_problem(files, read)
    used = [str(name) for name in dict.fromkeys(map(variable_of, variables.names))]
    levels = {
        n: {d: int(store[n].sizes[d]) for d in further_dimensions(store[n]) if store[n].sizes[d] > 1} for n in used
    }
    return {
        "ok": not missing and label_problem is None,
        "grid": _grid_text(files, path),
        "times": _times(files),
        "scalars": list(variables.scalars),
        "vectors": [list(pair) for pair in variables.vectors],
        "units": dict(variables.units),
        "label": variables.label,
        "label_problem": label_problem,
        "static": [name for name in variables.names if time_name(store[variable_of(name)]) is None],
        "levels": {name: dims for name, dims in levels.items() if dims},
        "missing": missing,
        "steps_read": len(read),
    }


def _grid_text(files: ClimateFiles, path: Path) -> str:
    if isinstance(files.grid, LatLonGrid):
        height, width = files.grid.shape
        return f"{height} x {width} latitudes and longitudes"
    pixels = pixels_of(open_store(path), path)
    return str(pixels) if pixels is not None else f"{files.grid.size} cells"


def _times(files: ClimateFiles) -> dict[str, Any]:
    """Return the number of steps, the first and the last date, the usual hours between them, and the larger gaps."""
    hours = files.hours[np.isfinite(files.hours)]
    found: dict[str, Any] = {"count": len(files), "first": files.times[0], "last": files.times[-1]}
    if len(hours) < 2:
        return found
    values, counts = np.unique(np.round(np.diff(np.sort(hours)), 3), return_counts=True)
    usual = float(values[counts.argmax()])
    return found | {"hours": usual, "gaps": int(counts[values > usual].sum())}


def _time_text(times: Mapping[str, Any]) -> str:
    dates = f", {times['first']} to {times['last']}" if times["first"] else ""
    every = f", every {times['hours']:g} h" if "hours" in times else ""
    return dates + every + (f", with {times['gaps']} gaps" if times.get("gaps") else "")


def _label_problem(files: ClimateFiles, steps: Int[ndarray, "n"]) -> str | None:
    """Return why the label of one of the steps cannot be used."""
    try:
        for k in steps:
            files.read_label(int(k))
    except DataError as error:
        return str(error)
    return None


def _missing(files: ClimateFiles, steps: Int[ndarray, "n"]) -> dict[str, dict[str, int]]:
    """Return for each channel with values that are not finite their number, and the number of such steps."""
    found: dict[str, dict[str, int]] = {}
    for step in (files.steps[int(k)] for k in steps):
        store = open_store(step.path)
        for name in files.variables.names:
            values = step.layout.variables[name].at(store, step.index)
            bad = int((~(np.abs(values) < FILL)).sum())
            if bad:
                entry = found.setdefault(name, {"values": 0, "steps": 0})
                entry["values"] += bad
                entry["steps"] += 1
    return found


__all__ = ["describe_climate", "inspect_climate", "is_climate_file"]

"""ClimateFiles: labelled global fields in NetCDF files or Zarr stores, read one time step at a time."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from gaugenet.data.climate.latlon import LatLonGrid
from gaugenet.data.climate.units import conversion
from gaugenet.data.climate.variables import (
    ClimateVariables,
    find_variables,
    latitude_name,
    longitude_name,
    time_name,
)
from gaugenet.data.meshes.sample import IGNORE_LABEL, DataError

logger = logging.getLogger(__name__)

Missing = Literal["refuse", "mean"]


@dataclass(frozen=True)
class ClimateFrame:
    """One time step.

    Attributes:
        scalars: `(S, H, W)` float32, in the units of the variables.
        vectors: `(P, 2, H, W)` float32, eastward and northward components.
        label: `(H, W)` int64 class indices, `IGNORE_LABEL` where none counts; `None` in files without labels.
        path: the file, and `step`, the place in it.
    """

    scalars: Float[ndarray, "scalars height width"]
    vectors: Float[ndarray, "pairs 2 height width"]
    label: Int[ndarray, "height width"] | None
    path: Path
    step: int


@dataclass(frozen=True)
class _Step:
    path: Path
    index: int
    hour: float


class ClimateFiles(Sequence[ClimateFrame]):
    """The time steps of one or more files with the same grid and variables, in the order of time.

    Nothing but coordinates is read before a frame is asked for, and then only that frame: files may be larger than
    memory. Latitudes may fall or rise, longitudes start anywhere; every file is brought to the order of the first.

    Args:
        paths: NetCDF files, Zarr stores (folders), or folders of NetCDF files.
        variables: what to read; found in the first file by default (see `find_variables`, whose options may be given
            by name).
        missing: what to do with values that are not finite: `refuse`, or put the field's `mean` there (the global mean
            of the frame for scalars, nothing for vectors).

    Raises:
        DataError: no files, a missing variable, units that cannot be converted, another grid, no global grid, further
            dimensions such as levels; when a frame is read, values that are not finite and unknown labels.
    """

    def __init__(
        self,
        paths: str | Path | Sequence[str | Path],
        *,
        variables: ClimateVariables | None = None,
        scalars: str = "auto",
        vectors: str = "auto",
        label: str = "auto",
        missing: Missing = "refuse",
    ) -> None:
        if missing not in ("refuse", "mean"):
            raise DataError(f"Expected `missing` to be 'refuse' or 'mean', got {missing!r}.")
        self.paths = climate_paths(paths)
        self.missing = missing
        first = open_store(self.paths[0])
        if variables is None:
            options = {"scalars": scalars, "vectors": vectors, "label": label}
            variables = find_variables(first, **options, where=str(self.paths[0]))
        self.variables = variables
        self.grid = _grid(first, variables, self.paths[0])
        self.steps = self._all_steps()
        if variables.label is not None and not variables.classes:
            self.variables = replace(variables, **self._classes_of_labels())

    @property
    def class_names(self) -> tuple[str, ...]:
        return self.variables.classes

    @property
    def hours(self) -> Float[ndarray, "steps"]:
        """Hours since 1970 in the calendar of the files, NaN in files without time."""
        return np.array([step.hour for step in self.steps])

    @cached_property
    def times(self) -> list[str]:
        """ISO dates of the steps, empty strings in files without time."""
        return [_time_text(open_store(s.path), s.index, self.variables) for s in self.steps]

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, index):  # type: ignore[no-untyped-def, override]
        if isinstance(index, slice):
            return [self.read(i) for i in range(*index.indices(len(self)))]
        return self.read(range(len(self))[index])

    def __iter__(self) -> Iterator[ClimateFrame]:
        return (self.read(i) for i in range(len(self)))

    def __repr__(self) -> str:
        height, width = self.grid.shape
        return f"ClimateFiles({len(self)} time steps in {len(self.paths)} files, {height} x {width})"

    def subset(self, index: Int[ndarray, "n"] | Sequence[int]) -> ClimateFiles:
        """The same files with only some of the steps."""
        other = object.__new__(ClimateFiles)
        other.__dict__ = {k: v for k, v in self.__dict__.items() if k != "times"}
        other.steps = [self.steps[int(i)] for i in index]
        return other

    def read(self, index: int) -> ClimateFrame:
        """Frame `index`, the only thing that is read."""
        step = self.steps[index]
        store = open_store(step.path)
        flip = _reordering(store, self.variables, self.grid, step.path)
        names = self.variables
        scalars = [self._field(store, name, step, flip, fill_mean=True) for name in names.scalars]
        vectors = [[self._field(store, n, step, flip, fill_mean=False) for n in pair] for pair in names.vectors]
        label = self._label(store, step, flip) if names.label is not None and names.label in store else None
        shape = self.grid.shape
        return ClimateFrame(
            np.array(scalars, dtype=np.float32).reshape(len(scalars), *shape),
            np.array(vectors, dtype=np.float32).reshape(len(vectors), 2, *shape),
            label,
            step.path,
            step.index,
        )

    def _field(self, store: Any, name: str, step: _Step, flip: Any, *, fill_mean: bool) -> Float[ndarray, "h w"]:
        values = flip(_slice(store[name], step.index)).astype(np.float64)
        factor, offset = _converted(store[name], name, self.variables.units.get(name), step.path)
        values = values * factor + offset
        bad = ~np.isfinite(values)
        if bad.any():
            self._missing(bad, name, step)
            values[bad] = values[~bad].mean() if fill_mean and not bad.all() else 0.0
        return values

    def _missing(self, bad: ndarray, name: str, step: _Step) -> None:
        if self.missing == "refuse":
            row, column = np.argwhere(bad)[0]
            position = f"latitude {self.grid.lat[row]:g}, longitude {self.grid.lon[column]:g}"
            raise DataError(
                f"{step.path}: {name!r} has {int(bad.sum())} values that are not finite in time step {step.index}, the "
                f'first at {position}: repair the file, or fill them with `missing="mean"` (--data.missing mean).'
            )

    def _label(self, store: Any, step: _Step, flip: Any) -> Int[ndarray, "height width"]:
        raw = flip(_slice(store[self.variables.label], step.index))
        ignored = ~np.isfinite(raw) if raw.dtype.kind == "f" else np.zeros(raw.shape, dtype=bool)
        numbers = np.where(ignored, 0, raw)
        if not np.array_equal(numbers, np.round(numbers)):
            raise DataError(f"{step.path}: {self.variables.label!r} holds numbers that are no whole numbers.")
        numbers = numbers.astype(np.int64)
        ignored |= np.isin(numbers, self.variables.ignored) | (numbers < 0)
        order = np.argsort(self.variables.values)
        values = np.array(self.variables.values)[order]
        position = np.minimum(np.searchsorted(values, numbers), len(values) - 1)
        unknown = ~ignored & (values[position] != numbers)
        if unknown.any():
            raise DataError(
                f"{step.path}: {self.variables.label!r} holds {int(numbers[unknown][0])} in time step {step.index}, "
                f"which is no class: known are {dict(zip(self.variables.values, self.variables.classes))}."
            )
        return np.where(ignored, IGNORE_LABEL, order[position])

    def _all_steps(self) -> list[_Step]:
        steps = []
        for path in self.paths:
            store = open_store(path)
            _check(store, self.variables, self.grid, path)
            steps += [_Step(path, k, hour) for k, hour in enumerate(_hours(store, self.variables))]
        return sorted(steps, key=lambda s: (np.nan_to_num(s.hour), str(s.path), s.index))

    def _classes_of_labels(self) -> dict[str, Any]:
        """Without `flag_meanings` the classes are the numbers in the files, which are read through once."""
        found: set[int] = {0}
        for step in self.steps:
            raw = _slice(open_store(step.path)[self.variables.label], step.index)
            found |= {int(v) for v in np.unique(raw[np.isfinite(raw)])}
        values = tuple(sorted(v for v in found if v >= 0 and v not in self.variables.ignored))
        return {"classes": tuple("background" if v == 0 else f"class_{v}" for v in values), "values": values}


def climate_paths(paths: str | Path | Sequence[str | Path]) -> tuple[Path, ...]:
    """NetCDF files and Zarr stores; a folder that is no Zarr store stands for the NetCDF files in it.

    Raises:
        DataError: none, or one that does not exist.
    """
    given = [Path(paths)] if isinstance(paths, (str, Path)) else [Path(p) for p in paths]
    found: list[Path] = []
    for path in given:
        if path.is_dir() and not is_zarr(path):
            inside = sorted(p for p in path.iterdir() if p.suffix in (".nc", ".nc4", ".cdf") or is_zarr(p))
            if not inside:
                raise DataError(f"No NetCDF files (.nc) and no Zarr stores in {path}.")
            found += inside
        elif not path.exists():
            raise DataError(f"No file {path}.")
        else:
            found.append(path)
    if not found:
        raise DataError("No climate files: pass NetCDF files or Zarr stores.")
    return tuple(found)


def is_zarr(path: Path) -> bool:
    """Whether a folder is a Zarr store (version 2 or 3)."""
    return path.is_dir() and any((path / name).exists() for name in (".zgroup", ".zmetadata", "zarr.json"))


def open_store(path: Path) -> Any:
    """The file as an `xarray.Dataset` that reads values only when they are asked for; kept open for the next time.

    Raises:
        DataError: not a NetCDF file and not a Zarr store.
    """
    return _opened(path, path.stat().st_mtime_ns if path.exists() else 0)


@lru_cache(maxsize=64)
def _opened(path: Path, changed: int) -> Any:
    import xarray as xr

    try:
        if is_zarr(path):
            return xr.open_zarr(path, chunks=None)
        return xr.open_dataset(path, cache=False)
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{path} cannot be read as NetCDF or Zarr ({reason}).") from error


def _fields(variables: ClimateVariables, store: Any) -> list[str]:
    label = variables.label
    return [*variables.names, *([label] if label is not None and label in store else [])]


def _check(store: Any, variables: ClimateVariables, grid: LatLonGrid, path: Path) -> None:
    """Everything that can be told without reading fields."""
    for name in variables.names:
        if name not in store.data_vars:
            raise DataError(f"{path} has no variable {name!r}: it has {', '.join(map(str, store.data_vars))}.")
    for name in _fields(variables, store):
        variable = store[name]
        lat, lon, time = latitude_name(variable), longitude_name(variable), time_name(variable)
        if lat is None or lon is None:
            raise DataError(f"{path}: {name!r} has no latitude and longitude (dimensions {variable.dims}).")
        others = [d for d in variable.dims if d not in (lat, lon, time) and variable.sizes[d] > 1]
        if others:
            raise DataError(
                f"{path}: {name!r} has the further dimension {others[0]!r} of size {variable.sizes[others[0]]}: select "
                "one, e.g. `dataset.isel(...)`, and write it as a variable of its own."
            )
    for name in variables.names:
        _converted(store[name], name, variables.units.get(name), path)
    _reordering(store, variables, grid, path)


def _grid(store: Any, variables: ClimateVariables, path: Path) -> LatLonGrid:
    for name in variables.names:
        if name not in store.data_vars:
            raise DataError(f"{path} has no variable {name!r}: it has {', '.join(map(str, store.data_vars))}.")
    variable = store[variables.names[0]]
    lat, lon = latitude_name(variable), longitude_name(variable)
    if lat is None or lon is None:
        raise DataError(f"{path}: {variables.names[0]!r} has no latitude and longitude (dimensions {variable.dims}).")
    for name in (lat, lon):
        if name not in store.coords:
            raise DataError(f"{path} has no coordinate {name!r}: the dimension has a size but no degrees.")
    try:
        return LatLonGrid(np.asarray(store[lat].values), np.asarray(store[lon].values))
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def _reordering(store: Any, variables: ClimateVariables, grid: LatLonGrid, path: Path) -> Any:
    """The function that brings a slice of this file to the order of `grid`."""
    other = _grid(store, variables, path)
    if other.shape != grid.shape:
        raise DataError(
            f"{path}: expected the grid {grid.shape} of the first file, got {other.shape}: regrid it before."
        )
    flipped = other.lat[::-1] if (other.lat[0] - other.lat[-1]) * (grid.lat[0] - grid.lat[-1]) < 0 else other.lat
    shift = int(np.abs((other.lon - grid.lon[0] + 180) % 360 - 180).argmin())
    rolled = np.roll(other.lon, -shift)
    if not np.allclose(flipped, grid.lat, atol=1e-3) or np.abs((rolled - grid.lon + 180) % 360 - 180).max() > 1e-3:
        raise DataError(f"{path}: its latitudes or longitudes differ from those of the first file: regrid it before.")
    upside_down = flipped is not other.lat

    def reorder(values: ndarray) -> ndarray:
        return np.roll(values[::-1] if upside_down else values, -shift, axis=1)

    return reorder


def _slice(variable: Any, step: int) -> ndarray:
    """One time step with dimensions latitude, longitude."""
    lat, lon, time = latitude_name(variable), longitude_name(variable), time_name(variable)
    at = {d: step if d == time else 0 for d in variable.dims if d not in (lat, lon)}
    return np.array(variable.isel(at).transpose(lat, lon).values)


def _converted(variable: Any, name: str, wanted: str | None, path: Path) -> tuple[float, float]:
    units = variable.attrs.get("units")
    if wanted is None or units is None:
        return 1.0, 0.0
    found = conversion(units, wanted)
    if found is None:
        raise DataError(f"{path}: expected {name!r} in {wanted!r}, got {units!r}: convert it, or correct its `units`.")
    return found


def _hours(store: Any, variables: ClimateVariables) -> list[float]:
    variable = store[variables.names[0]]
    time = time_name(variable)
    coordinate = store.coords.get(time) if time is not None else store.coords.get("time")
    count = variable.sizes[time] if time is not None else 1
    if coordinate is None:
        return [float("nan")] * count
    values = time_values(coordinate)
    if values is None:
        return [float("nan")] * count
    if values.dtype.kind == "M":
        return ((values - np.datetime64(0, "h")) / np.timedelta64(1, "h")).tolist()
    if values.dtype.kind == "O":
        import cftime

        return [float(cftime.date2num(t, "hours since 1970-01-01", calendar=t.calendar)) for t in values]
    return values.astype(np.float64).tolist()


def time_values(coordinate: Any) -> ndarray | None:
    """Dates of a time coordinate (`datetime64` or `cftime`), numbers if it has no units, `None` if it is other text."""
    values = np.atleast_1d(coordinate.values)
    if not isinstance(values.flat[0], (str, bytes)):
        return values
    try:
        return np.array([v.decode() if isinstance(v, bytes) else v for v in values], dtype="datetime64[ns]")
    except ValueError:
        return None


def _time_text(store: Any, step: int, variables: ClimateVariables) -> str:
    variable = store[variables.names[0]]
    coordinate = store.coords.get(time_name(variable) or "time")
    if coordinate is None:
        return ""
    value = np.atleast_1d(coordinate.values)[step]
    return np.datetime_as_string(value, unit="m") if isinstance(value, np.datetime64) else str(value)

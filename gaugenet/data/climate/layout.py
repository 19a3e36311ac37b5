"""FileLayout: names, units, axes, times and levels of one climate file, resolved once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from gaugenet.data.climate.axes import cell_name, latitude_name, longitude_name, time_name
from gaugenet.data.climate.cells import CellAxes, CellGrid, cells_of, check_same_cells
from gaugenet.data.climate.channels import places_of, variable_of
from gaugenet.data.climate.latlon import LatLonGrid
from gaugenet.data.climate.units import conversion
from gaugenet.data.climate.variables import ClimateVariables, check_same_classes
from gaugenet.data.meshes.sample import DataError


@dataclass(frozen=True)
class VariableLayout:
    """The place of the values of a variable in a file, and their conversion to the unit of the input.

    Attributes:
        name: name of the variable in the file.
        space: names of the dimensions of the space: latitude and longitude, or the cells.
        time: name of the time dimension; `None` if there is none.
        levels: index in each further dimension, such as a level.
        factor, offset: a value in the unit of the input is `factor` times the value in the file, plus `offset`.
    """

    name: str
    space: tuple[str, ...]
    time: str | None
    levels: Mapping[str, int]
    factor: float = 1.0
    offset: float = 0.0

    def at(self, store: Any, step: int) -> ndarray:
        """Read one time step, `(H, W)` or `(cells,)`, from the opened file, in the order and unit of the file."""
        index = dict(self.levels) if self.time is None else {**self.levels, self.time: step}
        return np.array(store[self.name].isel(index).transpose(*self.space).values)

    def converted(self, values: Float[ndarray, "*shape"]) -> Float[ndarray, "*shape"]:
        """Return values in the unit of the input, float64."""
        return values.astype(np.float64) * self.factor + self.offset


@dataclass(frozen=True, eq=False)
class TimeAxis:
    """The times of the steps of a file.

    Attributes:
        values: the values in the file; `None` in files without time.
        dates: `datetime64` or `cftime` dates, or numbers without units; `None` if `values` are other text.
        units, calendar: encoding of the dates in the file.
        count: number of steps.
    """

    values: ndarray | None
    dates: ndarray | None
    units: str
    calendar: str
    count: int

    @property
    def hours(self) -> list[float]:
        """Hours since 1970 in the calendar of the file; numbers without units unchanged; NaN without time."""
        if self.dates is None:
            return [float("nan")] * self.count
        if self.dates.dtype.kind == "M":
            return [float(hour) for hour in (self.dates - np.datetime64(0, "h")) / np.timedelta64(1, "h")]
        if self.dates.dtype.kind == "O":
            import cftime

            return [float(cftime.date2num(t, "hours since 1970-01-01", calendar=t.calendar)) for t in self.dates]
        return [float(number) for number in self.dates]

    def date(self, step: int) -> Any:
        """Return the date of a step; `None` if the file has no dates."""
        return self.dates[step] if self.dates is not None and self.dates.dtype.kind in "MO" else None

    def text(self, step: int) -> str:
        """Return the ISO date of a step, or the value in the file as text; empty without time."""
        if self.values is None:
            return ""
        value = self.values[step]
        return np.datetime_as_string(value, unit="m") if isinstance(value, np.datetime64) else str(value)


@dataclass(frozen=True, eq=False)
class FileLayout:
    """All properties of a file that are known without reading fields.

    Attributes:
        path: the file.
        variables: the layout of each input, and of the label if the file has it.
        time: the times of the steps.
        flipped: whether latitudes have the opposite order of the first file.
        shift: number of columns by which longitudes are rolled to the order of the first file.
        columns: indices that sort the longitudes, before they are rolled; `None` if they rise in the file.
    """

    path: Path
    variables: Mapping[str, VariableLayout]
    time: TimeAxis
    flipped: bool = False
    shift: int = 0
    columns: Int[ndarray, "width"] | None = None

    @classmethod
    def of(cls, store: Any, path: Path, variables: ClimateVariables, grid: LatLonGrid | CellGrid) -> FileLayout:
        """Resolve an opened file against the variables and the grid of the first one.

        Raises:
            DataError: If a variable, its latitude or its longitude is missing, a level must be chosen or is missing, a
                unit cannot be converted, or the grid differs.
        """
        _require(store, path, variables)
        label = variables.label
        names = [*variables.names, *([label] if label is not None and label in store else [])]
        fields = {name: store[variable_of(name)] for name in names}
        axes = {name: _axes(field, name, path) for name, field in fields.items()}
        units = {name: _conversion(fields[name], name, variables.units.get(name), path) for name in variables.names}
        found = {name: VariableLayout(variable_of(name), *axes[name], *units.get(name, (1.0, 0.0))) for name in names}
        time = _time_axis(store, variables.names[0], path)
        own = grid_of(store, path, variables)
        if label in found:
            check_same_classes(store[label].attrs, variables, path)
        if isinstance(own, CellGrid) or isinstance(grid, CellGrid):
            _check_cells(own, grid, path)
            return cls(path, found, time)
        flipped, shift = _reordering(own, grid, path)
        lon = np.asarray(store[axes[names[0]][0][1]].values)
        return cls(path, found, time, flipped, shift, _rising(lon))

    def reordered(self, values: Float[ndarray, "*shape"]) -> Float[ndarray, "*shape"]:
        """Return values of this file in the order of the first file."""
        if values.ndim == 1:
            return values
        values = values if self.columns is None else values[:, self.columns]
        return np.roll(values[::-1] if self.flipped else values, -self.shift, axis=1)


@dataclass(frozen=True, eq=False)
class FileAxes:
    """The dimensions of the fields of a file, to write files in the same form.

    Attributes:
        time, latitude, longitude: names of the dimensions.
        order: these names, in the order of the dimensions.
        lat, lon: degrees, in the order of the file.
        columns: index in the file of each longitude of the grid, whose longitudes rise.
    """

    time: str
    latitude: str
    longitude: str
    order: tuple[str, ...]
    lat: Float[ndarray, "height"]
    lon: Float[ndarray, "width"]
    columns: Int[ndarray, "width"]

    @classmethod
    def of(cls, store: Any, path: Path, variables: ClimateVariables) -> FileAxes:
        """Return the axes of the first input of an opened file; `time` is put first if the file has no time.

        Raises:
            DataError: If that variable has no latitude and longitude.
        """
        variable = store[variable_of(variables.names[0])]
        lat, lon = _latitude_longitude(variable, variables.names[0], path)
        time = time_name(variable)
        order = tuple(str(name) for name in variable.dims if name in (lat, lon, time))
        south_north, west_east = (np.asarray(store[name].values, dtype=np.float64) for name in (lat, lon))
        columns = _rising(west_east)
        columns = np.arange(len(west_east)) if columns is None else columns
        return cls(time or "time", lat, lon, order if time else ("time", *order), south_north, west_east, columns)

    @classmethod
    def plain(cls, grid: LatLonGrid) -> FileAxes:
        """Return `time`, `lat` and `lon`, in this order."""
        return cls("time", "lat", "lon", ("time", "lat", "lon"), grid.lat, grid.lon, np.arange(len(grid.lon)))

    @property
    def space(self) -> tuple[str, ...]:
        """Names of the dimensions of the space."""
        return self.latitude, self.longitude

    @property
    def attributes(self) -> dict[str, str]:
        """Attributes of each field; none, as latitude and longitude are dimensions."""
        return {}

    def define(self, dataset: Any) -> None:
        """Define the latitudes and longitudes of an open `netCDF4.Dataset`."""
        for name, values, units, long, axis in (
            (self.latitude, self.lat, "degrees_north", "latitude", "Y"),
            (self.longitude, self.lon, "degrees_east", "longitude", "X"),
        ):
            dataset.createDimension(name, len(values))
            variable = dataset.createVariable(name, "f8", (name,))
            variable.setncatts({"units": units, "standard_name": long, "axis": axis})
            variable[:] = values

    def as_in_file(self, values: Float[ndarray, "height width"]) -> Float[ndarray, "one two"]:
        """Return values on the grid in the order of the file."""
        return self.arranged(values, self.order)

    def arranged(self, values: Float[ndarray, "height width"], dims: Sequence[str]) -> Float[ndarray, "one two"]:
        """Return values on the grid in the order of the file, for a variable with these dimensions."""
        out = np.empty_like(values)
        out[:, self.columns] = values
        return out if dims.index(self.latitude) < dims.index(self.longitude) else out.T


def axes_of(store: Any, path: Path, variables: ClimateVariables) -> FileAxes | CellAxes:
    """Return the axes of the first input of an opened file; `time` is put first if the file has no time.

    Raises:
        DataError: If that variable has no latitude and longitude.
    """
    variable = store[variable_of(variables.names[0])]
    if cell_name(variable) is not None:
        return CellAxes.of(store, variable, time_name(variable))
    return FileAxes.of(store, path, variables)


def grid_of(store: Any, path: Path, variables: ClimateVariables) -> LatLonGrid | CellGrid:
    """Return the grid of an opened file: latitudes in the order of the file and rising longitudes, or cells.

    Raises:
        DataError: If a variable or its coordinates are missing, or the grid is not global.
    """
    _require(store, path, variables)
    first = store[variable_of(variables.names[0])]
    if cell_name(first) is not None:
        return cells_of(store, first, path)
    lat, lon = _latitude_longitude(first, variables.names[0], path)
    for name in (lat, lon):
        if name not in store.coords:
            raise DataError(f"{path} has no coordinate {name!r}: the dimension has a size but no degrees.")
    try:
        degrees = np.asarray(store[lon].values)
        order = _rising(degrees)
        return LatLonGrid(np.asarray(store[lat].values), degrees if order is None else degrees[order])
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def _rising(lon: ndarray) -> Int[ndarray, "width"] | None:
    """Return the indices that sort the longitudes; `None` if they rise already or cannot be sorted."""
    if lon.ndim != 1 or lon.dtype.kind not in "iuf" or not np.isfinite(lon).all() or (np.diff(lon) > 0).all():
        return None
    return np.argsort(lon, kind="stable")


def coded_times(steps: Sequence[tuple[TimeAxis, int]]) -> tuple[list[float | None], dict[str, str] | None]:
    """Return the times of several files as numbers, and the unit and calendar of the first file as attributes.

    The number of a step is `None` if a file has no dates.
    """
    import xarray as xr

    dates = [axis.date(step) for axis, step in steps]
    if any(date is None for date in dates):
        return [None] * len(steps), None
    first = steps[0][0]
    coded = xr.coding.times.encode_cf_datetime(np.array(dates), first.units, first.calendar, dtype=np.dtype("f8"))
    return [float(v) for v in coded[0]], {"units": coded[1], "calendar": coded[2]}


def _require(store: Any, path: Path, variables: ClimateVariables) -> None:
    for name in map(variable_of, variables.names):
        if name not in store.data_vars:
            raise DataError(f"{path} has no variable {name!r}: it has {', '.join(map(str, store.data_vars))}.")


def _latitude_longitude(variable: Any, name: str, path: Path) -> tuple[str, str]:
    lat, lon = latitude_name(variable), longitude_name(variable)
    if lat is None or lon is None:
        raise DataError(
            f"{path}: {name!r} has no latitude and longitude (dimensions {variable.dims}): expected them as "
            "dimensions, or along a dimension of cells."
        )
    return lat, lon


def _axes(variable: Any, name: str, path: Path) -> tuple[tuple[str, ...], str | None, dict[str, int]]:
    """Return the dimensions of the space, the time and the further dimensions of a variable."""
    cell = cell_name(variable)
    space = (cell,) if cell is not None else _latitude_longitude(variable, name, path)
    return space, time_name(variable), places_of(name, variable, path)


def _check_cells(own: LatLonGrid | CellGrid, grid: LatLonGrid | CellGrid, path: Path) -> None:
    if not isinstance(own, CellGrid) or not isinstance(grid, CellGrid):
        kinds = {True: "cells", False: "latitudes and longitudes"}
        raise DataError(
            f"{path}: expected {kinds[isinstance(grid, CellGrid)]} as in the first file, got "
            f"{kinds[isinstance(own, CellGrid)]}: regrid it first."
        )
    check_same_cells(own, grid, path)


def _conversion(variable: Any, name: str, wanted: str | None, path: Path) -> tuple[float, float]:
    units = variable.attrs.get("units")
    if wanted is None or units is None:
        return 1.0, 0.0
    found = conversion(units, wanted)
    if found is None:
        raise DataError(f"{path}: expected {name!r} in {wanted!r}, got {units!r}: convert it, or correct its `units`.")
    return found


def _reordering(own: LatLonGrid, grid: LatLonGrid, path: Path) -> tuple[bool, int]:
    """Return whether rows are reversed and by how many columns `own` is rolled to the order of `grid`."""
    if own.shape != grid.shape:
        raise DataError(f"{path}: expected the grid {grid.shape} of the first file, got {own.shape}: regrid it first.")
    flipped = bool((own.lat[0] - own.lat[-1]) * (grid.lat[0] - grid.lat[-1]) < 0)
    lat = own.lat[::-1] if flipped else own.lat
    shift = int(np.abs((own.lon - grid.lon[0] + 180) % 360 - 180).argmin())
    rolled = np.roll(own.lon, -shift)
    if not np.allclose(lat, grid.lat, atol=1e-3) or np.abs((rolled - grid.lon + 180) % 360 - 180).max() > 1e-3:
        raise DataError(f"{path}: latitudes or longitudes differ from the first file: regrid it first.")
    return flipped, shift


def _time_axis(store: Any, name: str, path: Path) -> TimeAxis:
    variable = store[variable_of(name)]
    time = time_name(variable)
    coordinate = store.coords.get(time or "time")
    count = variable.sizes[time] if time is not None else 1
    if coordinate is None:
        return TimeAxis(None, None, "", "", count)
    values = np.atleast_1d(coordinate.values)
    if not values.size:
        raise DataError(f"{path} has no time steps.")
    if values.dtype.kind == "M" and np.isnat(values).any():
        step = int(np.flatnonzero(np.isnat(values))[0])
        raise DataError(f"{path}: time step {step} has no time (NaT): correct the time of the file.")
    units, calendar = (coordinate.encoding.get(k, d) for k, d in _USUAL_CODING.items())
    return TimeAxis(values, _dates(values), units, calendar, count)


_USUAL_CODING = {"units": "hours since 1970-01-01", "calendar": "standard"}


def _dates(values: ndarray) -> ndarray | None:
    """Return dates (`datetime64` or `cftime`), numbers if they have no units, or `None` for other text."""
    if not isinstance(values.flat[0], (str, bytes)):
        return values
    try:
        return np.array([v.decode() if isinstance(v, bytes) else v for v in values], dtype="datetime64[ns]")
    except ValueError:
        return None

"""CF-conforming NetCDF files of fields, on the dimensions of the input file or of a grid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from gaugenet.data.climate.cells import CellAxes
from gaugenet.data.climate.channels import places_of, variable_of
from gaugenet.data.climate.layout import FileAxes
from gaugenet.data.climate.output import new_dataset, one_step_chunks


@dataclass(frozen=True)
class FieldLayout:
    """The form in which the channels of one variable are written.

    Attributes:
        name: name of the variable.
        dims: its dimensions, in order.
        attributes: units, standard name and others.
        channels: each channel with its index in the further dimensions.
    """

    name: str
    dims: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    channels: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Coordinate:
    """A further dimension, such as a level: its size, its values (`None` if it has none) and their attributes."""

    size: int
    values: ndarray | None
    attributes: Mapping[str, Any]


class ChannelFile:
    """An open NetCDF file that knows the layout of each channel."""

    def __init__(self, dataset: Any, axes: FileAxes | CellAxes, layouts: Sequence[FieldLayout]) -> None:
        self._dataset, self._axes = dataset, axes
        self._layout = {channel: layout for layout in layouts for channel in (layout.channels or {layout.name: {}})}

    def _put(self, channel: str, values: ndarray, at: Mapping[str, int], dims: tuple[str, ...] | None = None) -> None:
        """Write a channel at places of further dimensions; `dims` are those of the file if the layout has others."""
        layout = self._layout[channel]
        places = {**layout.channels.get(channel, {}), **at}
        index = tuple(places.get(name, slice(None)) for name in dims or layout.dims)
        self._dataset[layout.name][index] = self._axes.arranged(values.astype(np.float32), layout.dims)


class FieldFile(ChannelFile):
    """An open NetCDF file to which time steps are written one by one; see `field_file`."""

    def write(self, step: int, time: float | None, fields: Mapping[str, Float[ndarray, "*shape"]]) -> None:
        """Write the channels of step `step`; `time` is a number in the units of the file, or `None`."""
        self._dataset[self._axes.time][step] = step if time is None else time
        for channel, values in fields.items():
            self._put(channel, values, {self._axes.time: step})

    def write_static(self, fields: Mapping[str, Float[ndarray, "*shape"]]) -> None:
        """Write channels of variables that have no time."""
        for channel, values in fields.items():
            self._put(channel, values, {self._axes.time: 0})


@contextmanager
def field_file(
    path: str | Path,
    axes: FileAxes | CellAxes,
    layouts: Sequence[FieldLayout],
    *,
    coordinates: Mapping[str, Coordinate] | None = None,
    time: Any = None,
    source: str = "",
    title: str = "Fields",
) -> Iterator[FieldFile]:
    """Open a NetCDF file of fields on the grid of the input; it appears at `path` if the block ends without error.

    Args:
        path: the file.
        axes: names and order of the latitudes, longitudes (or cells) and times.
        layouts: the variables.
        coordinates: the further dimensions, by name.
        time: units and calendar of the times; `None` to number the steps.
        source: the attribute `source`, what made the fields.
        title: the attribute `title`.
    """
    with new_dataset(path, time, source, name=axes.time, title=title) as dataset:
        axes.define(dataset)
        for name, coordinate in (coordinates or {}).items():
            define_coordinate(dataset, name, coordinate)
        for layout in layouts:
            define_field(dataset, layout, axes, layout.dims, one_step_chunks(dataset, layout.dims, axes.time))
        yield FieldFile(dataset, axes, layouts)


def layouts_of(
    store: Any, channels: Sequence[str], units: Mapping[str, str | None], where: Any
) -> tuple[list[FieldLayout], dict[str, Coordinate]]:
    """Return the layouts in which channels of an opened file are written back: its dimensions, order and chosen levels.

    Args:
        store: `xarray.Dataset`.
        channels: names such as `u10` and `z@500`.
        units: the unit of each channel.
        where: name of the file in error messages.
    """
    names = list(dict.fromkeys(map(variable_of, channels)))
    places = {channel: places_of(channel, store[variable_of(channel)], where) for channel in channels}
    kept: dict[str, list[int]] = {}
    for channel in channels:
        for dimension, place in places[channel].items():
            kept[dimension] = sorted({*kept.get(dimension, []), place})
    layouts = []
    for name in names:
        own = [channel for channel in channels if variable_of(channel) == name]
        index = {c: {d: kept[d].index(place) for d, place in places[c].items()} for c in own}
        attributes = {k: v for k, v in store[name].attrs.items() if k in ("long_name", "standard_name")}
        attributes |= {"units": units[own[0]]} if units.get(own[0]) is not None else {}
        layouts.append(FieldLayout(name, tuple(map(str, store[name].dims)), attributes, index))
    return layouts, {name: _coordinate(store, name, index) for name, index in kept.items()}


def _coordinate(store: Any, name: str, index: list[int]) -> Coordinate:
    if name not in store.coords:
        return Coordinate(len(index), None, {})
    variable = store.coords[name]
    return Coordinate(len(index), np.atleast_1d(variable.values)[index], dict(variable.attrs))


def define_field(
    dataset: Any, layout: FieldLayout, axes: FileAxes | CellAxes, dims: tuple[str, ...], chunks: tuple[int, ...]
) -> None:
    """Define the compressed variable of a layout, on dimensions of the open `netCDF4.Dataset`."""
    stored = {"zlib": True, "complevel": 1, "chunksizes": chunks, "fill_value": np.float32(9.96921e36)}
    variable = dataset.createVariable(layout.name, "f4", dims, **stored)
    variable.setncatts({**layout.attributes, **axes.attributes})


def define_coordinate(dataset: Any, name: str, coordinate: Coordinate) -> None:
    """Define a further dimension of an open `netCDF4.Dataset`."""
    dataset.createDimension(name, coordinate.size)
    if coordinate.values is not None:
        values = coordinate.values
        kind = values.dtype if values.dtype.kind in "iuf" else str
        variable = dataset.createVariable(name, kind, (name,))
        variable.setncatts(coordinate.attributes)
        variable[:] = values if kind is not str else values.astype(object)

"""CF-conforming NetCDF files of forecasts from many starts, written field by field in chunks of one field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jaxtyping import Float
from numpy import ndarray

from gaugenet.data.climate.cells import CellAxes
from gaugenet.data.climate.field_output import ChannelFile, Coordinate, FieldLayout, define_coordinate, define_field
from gaugenet.data.climate.layout import FileAxes
from gaugenet.data.climate.output import new_dataset
from gaugenet.data.meshes.sample import DataError

START, LEAD = "forecast_reference_time", "lead_time"
"""Dimensions in the place of the time of the input: the start of a forecast, and the hours since then."""


class HindcastFile(ChannelFile):
    """An open NetCDF file to which fields are written one by one; see `hindcast_file`."""

    def write(self, start: int, time: float, lead: int, fields: Mapping[str, Float[ndarray, "*shape"]]) -> None:
        """Write the channels of one lead of the forecast `start`, whose time is a number in the units of the file."""
        self._dataset[START][start] = time
        for channel, values in fields.items():
            dims = _dimensions(self._layout[channel], self._axes)
            self._put(channel, values, {START: start, LEAD: lead}, dims)


@contextmanager
def hindcast_file(
    path: str | Path,
    axes: FileAxes | CellAxes,
    layouts: Sequence[FieldLayout],
    leads: Float[ndarray, "leads"],
    *,
    coordinates: Mapping[str, Coordinate] | None = None,
    time: Any = None,
    source: str = "",
    title: str = "Forecasts",
) -> Iterator[HindcastFile]:
    """Open a NetCDF file of forecasts; it appears at `path` if the block ends without error.

    Args:
        path: the file.
        axes: names and order of the dimensions of the input.
        layouts: the variables; `forecast_reference_time` and `lead_time` take the place of their time.
        leads: the lead times in hours.
        coordinates: the further dimensions, by name.
        time: units and calendar of the starts; `None` to number them.
        source: the attribute `source`, what made the fields.
        title: the attribute `title`.

    Raises:
        DataError: If the input has another dimension or variable of the name `forecast_reference_time` or `lead_time`.
    """
    _check_names(axes, layouts, coordinates or {})
    with new_dataset(path, time, source, name=START, title=title) as dataset:
        if time is not None:
            dataset[START].standard_name = "forecast_reference_time"
        dataset.createDimension(LEAD, len(leads))
        lead = dataset.createVariable(LEAD, "f8", (LEAD,))
        lead.setncatts({"standard_name": "forecast_period", "units": "hours"})
        lead[:] = leads
        axes.define(dataset)
        for name, coordinate in (coordinates or {}).items():
            define_coordinate(dataset, name, coordinate)
        for layout in layouts:
            dims = _dimensions(layout, axes)
            chunks = tuple(len(dataset.dimensions[name]) if name in axes.space else 1 for name in dims)
            define_field(dataset, layout, axes, dims, chunks)
        yield HindcastFile(dataset, axes, layouts)


def _check_names(
    axes: FileAxes | CellAxes, layouts: Sequence[FieldLayout], coordinates: Mapping[str, Coordinate]
) -> None:
    own = axes.coordinates if isinstance(axes, CellAxes) else ()
    taken = {*axes.space, *own, *coordinates, *(layout.name for layout in layouts)}
    taken |= {name for layout in layouts for name in layout.dims if name != axes.time}
    for name in (START, LEAD):
        if name in taken:
            raise DataError(
                f"Expected an input without another dimension or variable {name!r}, which is a dimension of forecasts "
                "from many starts: rename it, or forecast from one start."
            )


def _dimensions(layout: FieldLayout, axes: FileAxes | CellAxes) -> tuple[str, ...]:
    return tuple(new for name in layout.dims for new in ((START, LEAD) if name == axes.time else (name,)))


__all__ = ["LEAD", "START", "HindcastFile", "hindcast_file"]

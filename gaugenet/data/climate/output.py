"""CF-conforming NetCDF files of probabilities and labels, on the grid of the input or on the icosahedron."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

import gaugenet
from gaugenet.data.climate.cells import CellAxes, CellGrid
from gaugenet.data.climate.latlon import LatLonGrid
from gaugenet.data.climate.layout import FileAxes
from gaugenet.files import atomic_path
from gaugenet.geometry.sphere.coordinates import lat_lon

_TITLE = "Segmentation of weather patterns"


class ClassMapFile:
    """An open NetCDF file to which time steps are written one by one; see `grid_file` and `cell_file`."""

    def __init__(
        self,
        dataset: Any,
        classes: Sequence[str],
        shape: tuple[str, ...],
        *,
        time: str = "time",
        axes: FileAxes | CellAxes | None,
    ) -> None:
        self._dataset, self._time, self._axes = dataset, time, axes
        self._place = shape.index(time)
        self._names = [f"probability_{_safe_name(c)}" for c in classes]
        stored = {"zlib": True, "complevel": 1, "chunksizes": one_step_chunks(dataset, shape, time)}
        for name, text in zip(self._names, classes):
            variable = dataset.createVariable(name, "f4", shape, **stored)
            variable.setncatts({"long_name": f"probability of {text}", "units": "1"})
            variable.valid_range = np.array([0, 1], dtype=np.float32)
        label = dataset.createVariable("label", "u1", shape, **stored)
        label.setncatts(
            {
                "long_name": "most probable class that reaches its threshold",
                "flag_values": np.arange(len(classes), dtype=np.uint8),
                "flag_meanings": " ".join(_safe_name(c) for c in classes),
            }
        )
        for name in [*self._names, "label"]:
            dataset[name].setncatts({"coordinates": "lat lon"} if axes is None else axes.attributes)

    def write(self, step: int, time: Any, probability: Float[ndarray, "classes *n"], label: Int[ndarray, "*n"]) -> None:
        """Write step `step`; `time` is its number in the input, or `None`."""
        self._dataset[self._time][step] = step if time is None else time
        for name, values in zip(self._names, probability):
            self._put(name, step, np.clip(values, 0, 1, dtype=np.float32))  # readers mask values outside [0, 1]
        self._put("label", step, np.asarray(label, dtype=np.uint8))

    def _put(self, name: str, step: int, values: ndarray) -> None:
        index = (slice(None),) * self._place + (step,)
        self._dataset[name][index] = values if self._axes is None else self._axes.as_in_file(values)


@contextmanager
def grid_file(
    path: str | Path,
    grid: LatLonGrid | CellGrid,
    classes: Sequence[str],
    *,
    time: Any = None,
    source: str = "",
    axes: FileAxes | CellAxes | None = None,
) -> Iterator[ClassMapFile]:
    """Open a file on a latitude-longitude grid, in its order; it appears at `path` if the block ends without error.

    Args:
        path: the file.
        grid: the grid of the input.
        classes: names of the classes.
        time: attributes of the times of the input (`units`, `calendar`).
        source: the attribute `source`, what made the labels.
        axes: names and order of the dimensions of the input; by default `time`, `lat`, `lon`.
    """
    if axes is None:
        if isinstance(grid, CellGrid):
            raise ValueError("Expected `axes` for a file on cells, got None: pass those of the input.")
        axes = FileAxes.plain(grid)
    with new_dataset(path, time, source, name=axes.time, title=_TITLE) as dataset:
        axes.define(dataset)
        yield ClassMapFile(dataset, classes, axes.order, time=axes.time, axes=axes)


@contextmanager
def cell_file(
    path: str | Path,
    points: Float[ndarray, "cells 3"],
    area: Float[ndarray, "cells"],
    classes: Sequence[str],
    *,
    time: Any = None,
    source: str = "",
) -> Iterator[ClassMapFile]:
    """Open a file on points of the sphere, with `lat`, `lon` and the area of each cell; otherwise as `grid_file`."""
    with new_dataset(path, time, source, title=_TITLE) as dataset:
        dataset.createDimension("cell", len(points))
        lat, lon = lat_lon(points)
        for name, values, attributes in (
            ("lat", lat, {"units": "degrees_north", "standard_name": "latitude"}),
            ("lon", lon, {"units": "degrees_east", "standard_name": "longitude"}),
            ("cell_area", area, {"units": "sr", "long_name": "area of the cell on the unit sphere"}),
        ):
            variable = dataset.createVariable(name, "f8", ("cell",))
            variable.setncatts(attributes)
            variable[:] = values
        yield ClassMapFile(dataset, classes, ("time", "cell"), axes=None)


@contextmanager
def new_dataset(path: str | Path, time: Any, source: str, *, title: str, name: str = "time") -> Iterator[Any]:
    """Open a `netCDF4.Dataset` for writing; it appears at `path` if the block ends without error.

    Args:
        path: the file.
        time: units and calendar of the times; `None` to number the steps.
        source: the attribute `source`, what made the data.
        title: the attribute `title`.
        name: name of the unlimited time dimension.
    """
    import netCDF4

    with atomic_path(path) as temporary:
        dataset = netCDF4.Dataset(temporary, "w", format="NETCDF4")
        try:
            now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
            dataset.setncatts(
                {
                    "Conventions": "CF-1.10",
                    "title": title,
                    "source": source or f"gaugenet {gaugenet.__version__}",
                    "history": f"{now} gaugenet {gaugenet.__version__}",
                }
            )
            dataset.createDimension(name, None)
            variable = dataset.createVariable(name, "f8", (name,))
            attributes = (
                {"standard_name": "time", "axis": "T"}
                if time is not None
                else {"long_name": "step in the file", "units": "1"}
            )
            variable.setncatts(attributes | ({} if time is None else time))
            yield dataset
        finally:
            dataset.close()


def _safe_name(text: str) -> str:
    """Return a class name with only the characters that NetCDF and `flag_meanings` allow."""
    return re.sub(r"[^A-Za-z0-9_]+", "_", text.strip()) or "class"


def one_step_chunks(dataset: Any, shape: tuple[str, ...], time: str) -> tuple[int, ...]:
    """Return chunks of one time step for a variable with these dimensions."""
    return tuple(1 if name == time else len(dataset.dimensions[name]) for name in shape)

"""Unstructured climate files: fields on one dimension of cells (ICON, MPAS, stations) and on HEALPix pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from gaugenet._typing import typed_array
from gaugenet.data.climate.axes import cell_name, latitude_name, place_of_cells
from gaugenet.data.climate.pixels import describes_grid, is_healpix, pixels_of
from gaugenet.data.climate.sampling import PointLocations
from gaugenet.data.meshes.sample import DataError
from gaugenet.geometry.sphere.coordinates import east_north, lat_lon, sphere_points

_AREA_NAMES = ("cell_area", "areaCell", "area")
_LARGEST_HOLE = 0.6
"""Largest angle, in radians, between a cell and the nearest other one that a global file may have."""


@dataclass(frozen=True, eq=False)
class CellGrid:
    """Cells of the sphere without rows, in the order of a file: the counterpart of `LatLonGrid`.

    Args:
        lat, lon: `(N,)` degrees of the centres.
        given_area: `(N,)` areas in any unit; by default the areas of the Voronoi cells.

    Raises:
        DataError: If the cells are not global, two of them coincide, or areas are not positive.

    Example:
        >>> from gaugenet.data.climate.cells import CellGrid
        >>> from gaugenet.geometry import HEALPix
        >>> sky = HEALPix(4)
        >>> grid = CellGrid(sky.lat.numpy(), sky.lon.numpy())
        >>> grid.shape, round(float(grid.area.sum()), 6)
        ((192,), 12.566371)
    """

    lat: Float[ndarray, "cells"]
    lon: Float[ndarray, "cells"]
    given_area: Float[ndarray, "cells"] | None = None

    def __post_init__(self) -> None:
        for name in ("lat", "lon"):
            values = np.asarray(getattr(self, name), dtype=np.float64)
            if values.ndim != 1 or not np.isfinite(values).all():
                raise DataError(f"Expected finite degrees of shape (N,) in `{name}`, got shape {values.shape}.")
            object.__setattr__(self, name, values)
        if self.lat.shape != self.lon.shape:
            raise DataError(f"Expected `lat` and `lon` of one length, got {len(self.lat)} and {len(self.lon)}.")
        if len(self.lat) < 12 or np.abs(self.lat).max() > 90 + 1e-6:
            raise DataError(
                f"Expected at least 12 cells with latitudes from -90 to 90 degrees, got {len(self.lat)} cells up to "
                f"{np.abs(self.lat).max(initial=0.0):g}."
            )
        if self.given_area is not None:
            area = np.asarray(self.given_area, dtype=np.float64)
            if area.shape != self.lat.shape or not ((area > 0) & np.isfinite(area)).all():
                raise DataError("Expected a positive area of each cell: correct the areas of the file, or remove them.")
            object.__setattr__(self, "given_area", area)
        self._check_coverage()

    def _check_coverage(self) -> None:
        from scipy.spatial import cKDTree

        tree = cKDTree(self.points)
        nearest = tree.query(self.points, k=2)[0][:, 1]
        if nearest.min() < 1e-9:
            cell = int(nearest.argmin())
            raise DataError(
                f"Two cells have the same centre, latitude {self.lat[cell]:g}, longitude {self.lon[cell]:g}: remove "
                "one of them."
            )
        spacing = np.sqrt(4 * np.pi / len(self.lat))
        probes = sphere_points(np.degrees(np.arcsin(1 - 2 * (np.arange(500) + 0.5) / 500)), 137.50776 * np.arange(500))
        hole = float(tree.query(probes)[0].max())
        if hole > max(_LARGEST_HOLE, 6 * spacing):
            raise DataError(
                f"The cells leave a hole of {np.degrees(hole):.0f} degrees: expected a global grid. Regional files "
                "cannot be used."
            )

    @property
    def shape(self) -> tuple[int]:
        return (len(self.lat),)

    @property
    def size(self) -> int:
        return len(self.lat)

    @property
    def points(self) -> Float[ndarray, "cells 3"]:
        """Unit vectors of the centres."""
        return sphere_points(self.lat, self.lon)

    @property
    def frames(self) -> Float[ndarray, "cells 3 2"]:
        """East and north at the centres."""
        return east_north(self.lat, self.lon)

    @cached_property
    def area(self) -> Float[ndarray, "cells"]:
        """Areas on the unit sphere; they sum to 4 pi."""
        area = self.locations.area if self.given_area is None else self.given_area
        return typed_array(area * (4 * np.pi / area.sum()))

    @cached_property
    def locations(self) -> PointLocations:
        """Interpolation between the centres, with the areas of the file if it has them."""
        return PointLocations(self.points, area=self.given_area, frames=self.frames)

    def __repr__(self) -> str:
        return f"{self.size} cells"


@dataclass(frozen=True, eq=False)
class CellAxes:
    """The dimensions of the fields of an unstructured file, to write files in the same form; see `FileAxes`.

    Attributes:
        time, cell: names of the dimensions.
        order: these names, in the order of the dimensions.
        size: number of cells.
        coordinates: variables of the input along the cells alone, with their attributes, which are written again.
        mapping: scalar variables of the input that describe the grid, such as `crs`, with their attributes.
    """

    time: str
    cell: str
    order: tuple[str, ...]
    size: int
    coordinates: Mapping[str, tuple[ndarray, Mapping[str, Any]]]
    mapping: Mapping[str, Mapping[str, Any]]
    located: str

    @classmethod
    def of(cls, store: Any, variable: Any, time: str | None) -> CellAxes:
        """Return the axes of an input of an opened file; `time` is put first if the file has no time."""
        cell = str(cell_name(variable))
        order = tuple(str(name) for name in variable.dims if name in (cell, time))
        own = {
            str(name): (np.asarray(entry.values), {k: v for k, v in entry.attrs.items() if k != "_FillValue"})
            for name, entry in store.coords.items()
            if entry.dims == (cell,) and entry.dtype.kind in "iuf"
        }
        kept = {name: entry for name, entry in own.items() if not entry[1].get(DERIVED)}
        mapping = {str(n): dict(v.attrs) for n, v in store.variables.items() if not v.dims and describes_grid(v.attrs)}
        described = [*mapping.values(), *(attributes for _, attributes in kept.values())]
        pixels = None if any(map(is_healpix, described)) else pixels_of(store, Path("the input"))
        mapping |= {"crs": pixels.mapping} if pixels is not None else {}  # else the output would have no order
        located = " ".join(str(name) for name in place_of_cells(variable) or () if str(name) in kept)
        size = int(variable.sizes[cell])
        return cls(time or "time", cell, order if time else ("time", *order), size, kept, mapping, located)

    @property
    def space(self) -> tuple[str, ...]:
        """Names of the dimensions of the space."""
        return (self.cell,)

    def define(self, dataset: Any) -> None:
        """Define the cells of an open `netCDF4.Dataset`, with the coordinates of the input."""
        dataset.createDimension(self.cell, self.size)
        for name, (values, attributes) in self.coordinates.items():
            variable = dataset.createVariable(name, values.dtype, (self.cell,))
            variable.setncatts({k: v for k, v in attributes.items() if k != "coordinates"})
            variable[:] = values
        for name, attributes in self.mapping.items():
            dataset.createVariable(name, "i4").setncatts(attributes)

    @property
    def attributes(self) -> dict[str, str]:
        """Attributes of each field, which name the coordinates and the grid."""
        found = {"coordinates": self.located} if self.located else {}
        return found | ({"grid_mapping": next(iter(self.mapping))} if self.mapping else {})

    def arranged(self, values: Float[ndarray, "cells"], dims: Sequence[str]) -> Float[ndarray, "cells"]:
        """Return values in the order of the file, which is the order of the cells."""
        return values

    def as_in_file(self, values: Float[ndarray, "cells"]) -> Float[ndarray, "cells"]:
        """Return values in the order of the file."""
        return values


DERIVED = "_gaugenet_derived"
"""Attribute of coordinates that were computed from the number of a HEALPix pixel, and are not in the file."""


def with_cells(store: Any, where: Path) -> Any:
    """Return an opened dataset in which the fields of an unstructured file have coordinates of latitude and longitude.

    Files on latitudes and longitudes are returned unchanged. Latitudes and longitudes of cells become coordinates. The
    pixels of HEALPix files get them from `nside` and the order, which are attributes of the dataset, of a grid mapping
    such as `crs`, or of the coordinate of the pixels.

    Raises:
        DataError: If the attributes of a HEALPix file contradict its number of pixels, or do not name its order.
    """
    if any(latitude_name(variable) for variable in store.data_vars.values()):
        return store
    for dimension in map(str, store.sizes):
        names = place_of_cells(store, dimension)
        if names is not None:
            areas = [name for name in _AREA_NAMES if name in store.data_vars and store[name].dims == (dimension,)]
            return store.set_coords([*names, *areas])
    pixels = pixels_of(store, where)
    if pixels is None:
        return store
    lat, lon = lat_lon(pixels.points)
    along = pixels.dimension
    return store.assign_coords(
        {
            "pixel_latitude": (along, lat, {"standard_name": "latitude", "units": "degrees_north", DERIVED: 1}),
            "pixel_longitude": (along, lon, {"standard_name": "longitude", "units": "degrees_east", DERIVED: 1}),
        }
    )


def cells_of(store: Any, variable: Any, where: Path) -> CellGrid:
    """Return the cells on which a variable of an opened unstructured file is given.

    Raises:
        DataError: If they cannot be used, see `CellGrid`.
    """
    names, cell = place_of_cells(variable), cell_name(variable)
    if names is None or cell is None:
        raise DataError(f"{where}: {variable.name!r} has no latitude and longitude of its cells.")
    lat, lon = (_degrees(store.coords[name]) for name in names)
    area = next((store.coords[n] for n in _AREA_NAMES if n in store.coords and store.coords[n].dims == (cell,)), None)
    if area is None and store.coords[names[0]].attrs.get(DERIVED):
        values: ndarray | None = np.ones(len(lat))
    else:
        values = None if area is None else np.asarray(area.values, dtype=np.float64)
    try:
        return CellGrid(lat, lon, values)
    except DataError as error:
        raise DataError(f"{where}: {error}") from error


def check_same_cells(own: CellGrid, first: CellGrid, where: Path) -> None:
    """Refuse cells that differ from the cells of the first file.

    Raises:
        DataError: If the number or the places of the cells differ.
    """
    if own.size != first.size:
        raise DataError(f"{where}: expected the {first.size} cells of the first file, got {own.size}: regrid it first.")
    if np.abs(own.points - first.points).max() > 2e-5:
        raise DataError(f"{where}: the cells differ from those of the first file, or have another order.")


def _degrees(coordinate: Any) -> Float[ndarray, "cells"]:
    """Return degrees; ICON and MPAS files have radians."""
    values, units = np.asarray(coordinate.values, dtype=np.float64), str(coordinate.attrs.get("units", "")).lower()
    in_radians = units.startswith("rad") or (not units and np.abs(values).max(initial=0.0) <= 2 * np.pi + 1e-6)
    return np.degrees(values) if in_radians else values


__all__ = ["CellAxes", "CellGrid", "cells_of", "check_same_cells", "with_cells"]

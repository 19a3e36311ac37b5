"""ClimateFiles: labelled global fields in NetCDF files or Zarr stores, read one time step at a time."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from gaugenet.data.climate.cells import CellGrid, with_cells
from gaugenet.data.climate.layout import FileLayout, axes_of, coded_times, grid_of
from gaugenet.data.climate.sampling import GridLocations, Locations
from gaugenet.data.climate.variables import ClimateVariables, find_variables
from gaugenet.data.meshes.sample import IGNORE_LABEL, DataError
from gaugenet.files import refuse_pickled_store

logger = logging.getLogger(__name__)

Missing = Literal["refuse", "mean"]
FILL = 1e19
"""Values of at least this size are fill values, such as 1e20, whether or not the file declares them."""
_CLASSES = 255
"""Labels are written as bytes."""


@dataclass(frozen=True)
class ClimateFrame:
    """One time step.

    Attributes:
        scalars: `(S, H, W)`, or `(S, cells)` in unstructured files, float32, in the units of the variables.
        vectors: `(P, 2, H, W)` or `(P, 2, cells)` float32, eastward and northward components.
        label: `(H, W)` int64 class indices, `IGNORE_LABEL` where a cell is ignored; `None` in files without labels.
        path: the file.
        step: index of the time step in the file.
    """

    scalars: Float[ndarray, "scalars *shape"]
    vectors: Float[ndarray, "pairs 2 *shape"]
    label: Int[ndarray, "*shape"] | None
    path: Path
    step: int


@dataclass(frozen=True)
class _Step:
    layout: FileLayout
    index: int
    hour: float

    @property
    def path(self) -> Path:
        return self.layout.path


class FrameSequence(Sequence[ClimateFrame]):
    """A sequence of frames, each read when it is indexed."""

    @abstractmethod
    def read(self, index: int) -> ClimateFrame:
        """Read one frame."""

    @overload
    def __getitem__(self, index: int) -> ClimateFrame: ...

    @overload
    def __getitem__(self, index: slice) -> list[ClimateFrame]: ...

    def __getitem__(self, index: int | slice) -> ClimateFrame | list[ClimateFrame]:
        if isinstance(index, slice):
            return [self.read(i) for i in range(*index.indices(len(self)))]
        return self.read(range(len(self))[index])

    def __iter__(self) -> Iterator[ClimateFrame]:
        return (self.read(i) for i in range(len(self)))


class ClimateFiles(FrameSequence):
    """The time steps of one or more files with the same grid and variables, in the order of time.

    The grid has latitudes and longitudes, or cells with both: unstructured files of ICON, MPAS and others, and HEALPix.

    Only coordinates are read at first; indexing reads one frame. So files may be larger than memory. Latitudes may rise
    or fall. Longitudes may start anywhere, wrap or fall, and are sorted. Every file is brought to the order of the
    first.

    Args:
        paths: NetCDF files, Zarr stores (folders), or folders of NetCDF files.
        variables: what to read; by default what `find_variables` finds in the first file.
        scalars, vectors, label, levels: options of `find_variables`.
        missing: what to do with values that are not finite: `refuse` them, or replace them by the `mean` (the global
            mean of the frame for scalars, 0 for vectors).

    Raises:
        DataError: If there are no files, a variable is missing, units cannot be converted, a grid is not global or
            differs from the first, or a level must be chosen. When a frame is read: if values are not finite, or a
            label is unknown.

    Example:
        >>> from gaugenet.data import ClimateFiles, SyntheticWeather
        >>> path = SyntheticWeather().write("weather.nc", steps=2)
        >>> frames = ClimateFiles(path)
        >>> frames
        ClimateFiles(2 time steps in 1 files, 91 x 180)
        >>> frames.variables.scalars, frames.variables.vectors
        (('tmq',), (('u10', 'v10'),))
        >>> frames[0].vectors.shape
        (1, 2, 91, 180)
    """

    def __init__(
        self,
        paths: str | Path | Sequence[str | Path],
        *,
        variables: ClimateVariables | None = None,
        scalars: str = "auto",
        vectors: str = "auto",
        label: str = "auto",
        levels: str = "",
        missing: Missing = "refuse",
    ) -> None:
        if missing not in ("refuse", "mean"):
            raise DataError(f"Expected `missing` to be 'refuse' or 'mean', got {missing!r}.")
        self.paths = climate_paths(paths)
        self.missing = missing
        first = open_store(self.paths[0])
        if variables is None:
            options = {"scalars": scalars, "vectors": vectors, "label": label, "levels": levels}
            variables = find_variables(first, **options, where=str(self.paths[0]))
        self.variables = variables
        self.grid = grid_of(first, self.paths[0], variables)
        self.axes = axes_of(first, self.paths[0], variables)
        self.steps = self._all_steps()
        if not self.steps:
            raise DataError(f"{', '.join(map(str, self.paths))}: no time steps.")
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
        return [step.layout.time.text(step.index) for step in self.steps]

    @property
    def coded_times(self) -> tuple[list[float | None], dict[str, str] | None]:
        """Numbers of the steps, and the unit and calendar of the first file; see `layout.coded_times`."""
        return coded_times([(step.layout.time, step.index) for step in self.steps])

    @cached_property
    def locations(self) -> Locations:
        """Where the values of the frames are."""
        return self.grid.locations if isinstance(self.grid, CellGrid) else GridLocations(self.grid)

    def __len__(self) -> int:
        return len(self.steps)

    def __repr__(self) -> str:
        grid = self.grid if isinstance(self.grid, CellGrid) else "{} x {}".format(*self.grid.shape)
        return f"ClimateFiles({len(self)} time steps in {len(self.paths)} files, {grid})"

    def subset(self, index: Int[ndarray, "n"] | Sequence[int]) -> ClimateFiles:
        """Return the same files with only some of the steps."""
        other = object.__new__(ClimateFiles)
        other.__dict__ = {k: v for k, v in self.__dict__.items() if k != "times"}
        other.steps = [self.steps[int(i)] for i in index]
        return other

    def read(self, index: int) -> ClimateFrame:
        """Read the frame `index`, and nothing else."""
        step, names = self.steps[index], self.variables
        store = open_store(step.path)
        scalars = [self._field(store, name, step, fill_mean=True) for name in names.scalars]
        vectors = [[self._field(store, n, step, fill_mean=False) for n in pair] for pair in names.vectors]
        shape = self.grid.shape
        return ClimateFrame(
            np.array(scalars, dtype=np.float32).reshape(len(scalars), *shape),
            np.array(vectors, dtype=np.float32).reshape(len(vectors), 2, *shape),
            self._label(store, step),
            step.path,
            step.index,
        )

    def read_label(self, index: int) -> Int[ndarray, "*shape"] | None:
        """Read the label of the frame `index` alone; `None` if there is no label variable."""
        step = self.steps[index]
        return self._label(open_store(step.path), step)

    def _field(self, store: Any, name: str, step: _Step, *, fill_mean: bool) -> Float[ndarray, "*shape"]:
        variable = step.layout.variables[name]
        values = variable.converted(step.layout.reordered(variable.at(store, step.index)))
        bad = ~(np.abs(values) < FILL)  # NaN, infinite, or a fill value that the file does not declare
        if bad.any():
            self._missing(bad, name, step)
            values[bad] = values[~bad].mean() if fill_mean and not bad.all() else 0.0
        return values

    def _missing(self, bad: ndarray, name: str, step: _Step) -> None:
        if self.missing == "refuse":
            first = np.argwhere(bad)[0]
            position = f"latitude {self.grid.lat[first[0]]:g}, longitude {self.grid.lon[first[-1]]:g}"
            raise DataError(
                f"{step.path}: {name!r} has {int(bad.sum())} values that are not finite in time step {step.index}, the "
                f"first at {position} (numbers from 1e19 on count as missing): repair the file, or fill them with "
                '`missing="mean"` (--data.missing mean of `gaugenet train`, --missing mean of the others).'
            )

    def _label(self, store: Any, step: _Step) -> Int[ndarray, "*shape"] | None:
        variable = step.layout.variables.get(self.variables.label or "")
        if variable is None:
            return None
        raw = step.layout.reordered(variable.at(store, step.index))
        if raw.dtype.kind not in "iufb" or np.isinf(raw).any():
            what = "infinite values" if raw.dtype.kind == "f" else f"values of type {raw.dtype}"
            raise DataError(f"{step.path}: expected integers in {self.variables.label!r}, got {what}.")
        ignored = np.isnan(raw) if raw.dtype.kind == "f" else np.zeros(raw.shape, dtype=bool)
        numbers = np.where(ignored, 0, raw)
        if not np.array_equal(numbers, np.round(numbers)):
            raise DataError(
                f"{step.path}: {self.variables.label!r} holds numbers that are not integers: expected class numbers."
            )
        numbers = numbers.astype(np.int64)
        ignored |= np.isin(numbers, self.variables.ignored) | (numbers < 0)
        order = np.argsort(self.variables.values)
        values = np.array(self.variables.values)[order]
        position = np.minimum(np.searchsorted(values, numbers), len(values) - 1)
        unknown = ~ignored & (values[position] != numbers)
        if unknown.any():
            raise DataError(
                f"{step.path}: {self.variables.label!r} holds {int(numbers[unknown][0])} in time step {step.index}, "
                f"which is not a class: expected one of {dict(zip(self.variables.values, self.variables.classes))}."
            )
        return np.where(ignored, IGNORE_LABEL, order[position])

    def _all_steps(self) -> list[_Step]:
        steps = []
        for path in self.paths:
            layout = FileLayout.of(open_store(path), path, self.variables, self.grid)
            steps += [_Step(layout, k, hour) for k, hour in enumerate(layout.time.hours)]
        return sorted(steps, key=lambda s: (np.nan_to_num(s.hour), str(s.path), s.index))

    def _classes_of_labels(self) -> dict[str, Any]:
        """Return the numbers in the files as classes, for files without `flag_meanings`; reads all labels once."""
        found: set[int] = {0}
        for step in self.steps:
            variable = step.layout.variables.get(self.variables.label or "")
            if variable is not None:
                raw = variable.at(open_store(step.path), step.index)
                if raw.dtype.kind not in "iufb":
                    raise DataError(f"{step.path}: expected numbers in {self.variables.label!r}, got {raw.dtype}.")
                found |= {int(v) for v in np.unique(raw[np.isfinite(raw)])}
                if len(found) > _CLASSES:
                    raise DataError(
                        f"{step.path}: {self.variables.label!r} holds more than {_CLASSES} different numbers, "
                        "too many for classes: name the label variable with --data.label."
                    )
        values = tuple(sorted(v for v in found if v >= 0 and v not in self.variables.ignored))
        return {"classes": tuple("background" if v == 0 else f"class_{v}" for v in values), "values": values}


def climate_paths(paths: str | Path | Sequence[str | Path]) -> tuple[Path, ...]:
    """Return the NetCDF files and Zarr stores; a folder that is not a Zarr store is replaced by those in it.

    Raises:
        DataError: If there are none, or one does not exist.
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
    """Return whether a folder is a Zarr store (version 2 or 3)."""
    return path.is_dir() and any((path / name).exists() for name in (".zgroup", ".zmetadata", "zarr.json"))


def open_store(path: Path) -> Any:
    """Return the file as a lazy `xarray.Dataset`; the 64 used last stay open.

    Raises:
        DataError: If the file is neither NetCDF nor a Zarr store.
    """
    return _opened(path, path.stat().st_mtime_ns if path.exists() else 0)


@lru_cache(maxsize=64)
def _opened(path: Path, changed: int) -> Any:
    import xarray as xr

    try:
        if is_zarr(path):
            refuse_pickled_store(path)
            return with_cells(xr.open_zarr(path, chunks=None), path)
        return with_cells(xr.open_dataset(path, cache=False), path)
    except DataError:
        raise
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0].partition(". ")[0] if str(error) else type(error).__name__
        raise DataError(f"{path} cannot be read as NetCDF or Zarr ({reason}).") from error

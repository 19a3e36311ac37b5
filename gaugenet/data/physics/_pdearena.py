"""Files in the layout of PDEArena: groups `train`, `valid` and `test` of arrays, as HDF5 or NetCDF."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor

from gaugenet.data.meshes.sample import DataError

GROUPS = ("train", "valid", "test")
"""Groups of the published files, in the order in which they are looked for."""


@contextmanager
def opened(path: str | Path, group: str | None, needed: Sequence[str]) -> Iterator[tuple[Any, str]]:
    """Open a group of a file, by default the only one, as `xarray.Dataset`; give it with the name of the group.

    Raises:
        FileNotFoundError: If there is no such file.
        DataError: If the file is of another kind, or does not contain the group or a variable.
    """
    import xarray

    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    found = _groups(path) if group is None else [group]
    if len(found) != 1:
        raise DataError(f"{path}: expected `group`, the file contains {', '.join(found) or 'none of ' + str(GROUPS)}.")
    try:
        data = xarray.open_dataset(path, group=found[0], engine="netcdf4", decode_times=False)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: expected a NetCDF or HDF5 file with the group {found[0]!r}: {error}") from error
    with data:
        missing = [name for name in needed if name not in data.variables]
        if missing:
            known = ", ".join(map(str, data.variables))
            raise DataError(f"{path}: expected the variables {', '.join(missing)} in {found[0]}, it has {known}.")
        yield data, found[0]


def on_grid(array: ndarray, axes: Sequence[str], what: str) -> Tensor:
    """Return an array of the file in float32, on the axes of `Grid`: x along the columns, y against the rows.

    Args:
        array: the array.
        axes: sample, time, then x, y and what follows: their order is reversed.
        what: file and variable, for errors.

    Raises:
        DataError: If it has another number of axes, is no array of numbers, or is not finite.
    """
    names = f"({', '.join(axes)})"
    if array.ndim != len(axes) or array.dtype.kind not in "iuf":
        raise DataError(f"{what}: expected numbers on {names}, got {array.dtype} of shape {array.shape}.")
    if not np.isfinite(array).all():
        place = tuple(int(n) for n in np.argwhere(~np.isfinite(array))[0])
        raise DataError(f"{what} is not finite, first at {names} = {place}: remove this trajectory.")
    x = torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))
    return x.permute(0, 1, *reversed(range(2, len(axes)))).flip(-2).contiguous()


def _groups(path: Path) -> list[str]:
    import netCDF4

    try:
        with netCDF4.Dataset(path) as file:
            return [name for name in GROUPS if name in file.groups]
    except OSError as error:
        raise DataError(f"{path}: expected a NetCDF or HDF5 file: {error}") from error


__all__ = ["GROUPS", "on_grid", "opened"]

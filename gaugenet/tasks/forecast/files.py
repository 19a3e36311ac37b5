"""The files of a forecast: forecast and static fields, their split in time, and the fields that a run stores."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet.data.climate.axes import time_name
from gaugenet.data.climate.channels import variable_of
from gaugenet.data.climate.dataset import ClimateFiles, climate_paths, open_store
from gaugenet.data.climate.time_blocks import check_apart, split_by_blocks
from gaugenet.data.climate.variables import ClimateVariables, find_variables
from gaugenet.data.meshes.sample import DataError
from gaugenet.files import write_npz
from gaugenet.geometry import Icosphere
from gaugenet.tasks.climate.inputs import SphereInputs
from gaugenet.tasks.forecast.options import ForecastData
from gaugenet.tasks.training.options import TaskError
from gaugenet.tasks.training.run import RunError

_KEPT = "fields.npz"


@dataclass(frozen=True)
class ForecastFiles:
    """Opened files.

    Attributes:
        train: the time steps to train on.
        val: the time steps to validate on, `None` for none.
        static: files of static fields.
        split: description of how the parts are separated.
    """

    train: ClimateFiles
    val: ClimateFiles | None
    static: list[ClimateFiles]
    split: str


def open_forecast(data: ForecastData) -> ForecastFiles:
    """Open the files of a training and split them in time.

    Raises:
        TaskError: If no files are given.
        DataError: If files cannot be used, or the parts leak into each other.
    """
    if not data.files:
        raise TaskError("No data: pass NetCDF files or Zarr stores with --data FILE.nc ...")
    first = climate_paths(data.files)[0]
    names = {"scalars": data.scalars, "vectors": data.vectors, "levels": data.levels}
    variables = find_variables(open_store(first), label="", where=str(first), **names)
    moving, still = by_time(variables, first)
    files = ClimateFiles(data.files, variables=moving, missing=data.missing)
    static = [ClimateFiles(first, variables=still, missing=data.missing)] if still.names else []
    static += [ClimateFiles(path, label="", missing=data.missing) for path in data.static or ()]
    if data.val:
        val = ClimateFiles(data.val, variables=moving, missing=data.missing)
        return ForecastFiles(files, val, static, check_apart(files.hours, val.hours, gap_hours=data.gap_hours))
    if data.val_fraction == 0:
        return ForecastFiles(files, None, static, f"All {len(files)} steps train, none validates.")
    split = split_by_blocks(
        files.hours, val_fraction=data.val_fraction, block_hours=data.block_hours, gap_hours=data.gap_hours
    )
    return ForecastFiles(files.subset(split.train), files.subset(split.val), static, split.summary)


def by_time(variables: ClimateVariables, path: Path) -> tuple[ClimateVariables, ClimateVariables]:
    """Return the variables of a file with a time, and the variables without.

    Raises:
        DataError: If none has a time, or only one component of a vector has.
    """
    store = open_store(path)
    has_time = {name: time_name(store[variable_of(name)]) is not None for name in variables.names}
    if not any(has_time.values()):
        raise DataError(f"{path}: expected fields with a time to forecast, got {', '.join(variables.names)} without.")
    for u, v in variables.vectors:
        if has_time[u] != has_time[v]:
            raise DataError(f"{path}: of the vector {u!r}, {v!r} only one component has a time.")
    moving, still = (
        replace(
            variables,
            scalars=tuple(name for name in variables.scalars if has_time[name] == moves),
            vectors=tuple(pair for pair in variables.vectors if has_time[pair[0]] == moves),
        )
        for moves in (True, False)
    )
    return moving, still


def field_names(variables: ClimateVariables) -> list[str]:
    """Return a name for each field: the variable of a scalar, both variables of a vector."""
    return [*variables.scalars, *(f"{u}, {v}" for u, v in variables.vectors)]


def inputs_of(files: ClimateFiles, sphere: Icosphere, data: ForecastData) -> SphereInputs:
    """Return the interpolation of frames at the vertices, without latitude, which is one of the conditions."""
    sizes = {"scalars": len(files.variables.scalars), "pairs": len(files.variables.vectors)}
    return SphereInputs(sphere, files.locations, latitude=False, smooth=data.smooth, **sizes)


def keep_fields(
    run: str | Path, *, climatology: Float[Tensor, "channels vertices"], static: Float[Tensor, "extra vertices"]
) -> None:
    """Write the mean of the training part and the static fields, which forecasts need, into a run."""
    write_npz(Path(run) / _KEPT, {"climatology": climatology.numpy(), "static": static.numpy()})


def kept_fields(run: str | Path) -> dict[str, Tensor]:
    """Read the fields that `keep_fields` wrote.

    Raises:
        RunError: If it is missing or broken.
    """
    path = Path(run) / _KEPT
    try:
        with np.load(path, allow_pickle=False) as values:
            return {name: torch.from_numpy(values[name]) for name in ("climatology", "static")}
    except (OSError, ValueError, KeyError) as error:
        raise RunError(f"{path} is missing or broken ({error}): restore it or train again.") from error

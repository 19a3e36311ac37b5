"""The climate files of a task: their layout, their split in time, and the conversion of frames to inputs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gaugenet.data.climate.dataset import ClimateFiles
from gaugenet.data.climate.happi import Happi20Files
from gaugenet.data.climate.time_blocks import check_apart, split_by_blocks
from gaugenet.data.climate.variables import ClimateVariables
from gaugenet.geometry import Icosphere
from gaugenet.tasks.climate.inputs import SphereInputs
from gaugenet.tasks.climate.options import ClimateData
from gaugenet.tasks.training.options import TaskError

Files = ClimateFiles | Happi20Files


def open_files(
    paths: Sequence[str | Path] | None,
    data: ClimateData,
    *,
    variables: ClimateVariables | None = None,
) -> Files:
    """Open the time steps of climate files in any of the known layouts.

    Raises:
        TaskError: If no files are given.
        DataError: If files cannot be used.
    """
    if not paths:
        raise TaskError("No data: pass NetCDF files or Zarr stores with --data FILE.nc ...")
    first = Path(paths[0])
    is_npz = first.is_dir() and any(first.glob("data-*.npz"))
    if data.layout == "happi20" or (data.layout == "auto" and is_npz):
        if len(paths) > 1:
            raise TaskError(f"Expected one folder of npz files, got {len(paths)}.")
        return Happi20Files(first)
    options: dict[str, Any] = {"missing": data.missing}
    if variables is None:
        names: dict[str, Any] = {
            "scalars": data.scalars,
            "vectors": data.vectors,
            "label": data.label,
            "levels": data.levels,
        }
        return ClimateFiles(paths, **names, **options)
    return ClimateFiles(paths, variables=variables, **options)


def open_split(data: ClimateData) -> tuple[Files, Files | None, str]:
    """Open the steps of training and of validation, with a description of how they are separated.

    Raises:
        TaskError: If the files have no labels of at least two classes.
        DataError: If the parts leak into each other, or the validation files do not match the training files.
    """
    files = open_files(data.files, data)
    if files.variables.label is None:
        raise TaskError("The files have no label variable: name it with --data.label.")
    if len(files.class_names) < 2:
        raise TaskError(f"Expected labels of at least two classes, got {list(files.class_names)}.")
    if data.val:
        val = open_files(data.val, data, variables=files.variables)
        return files, val, check_apart(files.hours, val.hours, gap_hours=data.gap_hours)
    if data.val_fraction == 0:
        return files, None, f"All {len(files)} steps train, none validates."
    split = split_by_blocks(
        files.hours, val_fraction=data.val_fraction, block_hours=data.block_hours, gap_hours=data.gap_hours
    )
    return files.subset(split.train), files.subset(split.val), split.summary


def inputs_of(files: Files, data: ClimateData) -> SphereInputs:
    """Return how frames become inputs."""
    sizes: dict[str, Any] = {"scalars": len(files.variables.scalars), "pairs": len(files.variables.vectors)}
    return SphereInputs(Icosphere(data.level), files.locations, latitude=data.latitude, **sizes)


def memory_shares(train: Files, val: Files | None, gigabytes: float) -> tuple[float, float]:
    """Return the bytes of memory that each part may use, in proportion to its steps."""
    count = len(train) + (len(val) if val is not None else 0)
    return gigabytes * 1e9 * len(train) / count, gigabytes * 1e9 * (count - len(train)) / count

"""Climate-pattern segmentation from files to a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gaugenet.data.climate.dataset import ClimateFiles
from gaugenet.data.climate.happi import Happi20Files
from gaugenet.data.climate.sampling import GridPlaces, Places
from gaugenet.data.climate.time_blocks import check_apart, split_by_blocks
from gaugenet.data.climate.variables import ClimateVariables
from gaugenet.geometry import Icosphere
from gaugenet.tasks.climate.inputs import GlobeInputs
from gaugenet.tasks.climate.options import ClimateData, ClimateLoss
from gaugenet.tasks.climate.task import ClimateTask
from gaugenet.tasks.training.options import OptimOptions, TaskError
from gaugenet.tasks.training.run import RunDescription
from gaugenet.tasks.training.train import train_task

Files = ClimateFiles | Happi20Files


def train_climate(
    out: str | Path,
    *,
    data: ClimateData,
    model: dict[str, Any] | None = None,
    loss: ClimateLoss | None = None,
    optim: OptimOptions | None = None,
    trainer: dict[str, Any] | None = None,
    seed: int = 0,
    resume: bool = False,
    overwrite: bool = False,
    init: str | None = None,
    threads: int | None = None,
    config: str | None = None,
) -> RunDescription:
    """Train an `IcosahedralUNet` on climate files, and write the run.

    Args:
        out: folder of the run.
        data, loss, optim: see the classes.
        model: further arguments of `IcosahedralUNet`.
        trainer, seed, resume, overwrite, init, threads, config: as in `train_task`.

    Raises:
        TaskError, DataError, RunError: bad options, unusable files, or a run in the way.
    """
    return train_task(
        ClimateTask(),
        out,
        {"data": data, "model": model or {}, "loss": loss or ClimateLoss(), "optim": optim or OptimOptions()},
        trainer=trainer,
        seed=seed,
        resume=resume,
        overwrite=overwrite,
        init=init,
        threads=threads,
        config=config,
    )


def open_files(
    paths: Sequence[str | Path] | None,
    data: ClimateData,
    *,
    variables: ClimateVariables | None = None,
) -> Files:
    """The time steps of climate files in whatever layout they are.

    Raises:
        TaskError: no files given. DataError: files that cannot be used.
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
        return ClimateFiles(paths, scalars=data.scalars, vectors=data.vectors, label=data.label, **options)
    return ClimateFiles(paths, variables=variables, **options)


def open_split(data: ClimateData) -> tuple[Files, Files | None, str]:
    """Training and validation steps, and what was done to keep them apart.

    Raises:
        DataError: parts that leak into each other, files without labels, validation files unlike the training files.
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


def places_of(files: Files) -> Places:
    """Where the values of the files are."""
    return GridPlaces(files.grid) if isinstance(files, ClimateFiles) else files.places


def inputs_of(files: Files, data: ClimateData) -> GlobeInputs:
    """How frames become inputs."""
    sizes = {"scalars": len(files.variables.scalars), "pairs": len(files.variables.vectors)}
    return GlobeInputs(Icosphere(data.level), places_of(files), latitude=data.latitude, **sizes)


def memory_shares(train: Files, val: Files | None, gigabytes: float) -> tuple[float, float]:
    """Bytes that each part may keep."""
    count = len(train) + (len(val) if val is not None else 0)
    return tuple(gigabytes * 1e9 * n / count for n in (len(train), count - len(train)))  # type: ignore[return-value]

"""Climate-pattern segmentation from files to a run."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gaugenet.data.climate.dataset import ClimateFiles
from gaugenet.data.climate.happi import Happi20Files
from gaugenet.data.climate.sampling import GridLocations, Locations
from gaugenet.data.climate.time_blocks import check_apart, split_by_blocks
from gaugenet.data.climate.variables import ClimateVariables
from gaugenet.data.normalization import Normalization
from gaugenet.files import write_text
from gaugenet.geometry import Icosphere
from gaugenet.tasks.climate.inputs import SphereInputs
from gaugenet.tasks.climate.losses import class_weights
from gaugenet.tasks.climate.options import ClimateData, ClimateLoss
from gaugenet.tasks.climate.samples import SphereDataModule, SphereDataset, class_shares
from gaugenet.tasks.climate.task import ClimateTask, Readout
from gaugenet.tasks.mesh.train import (
    CONFIG,
    check_room,
    check_same,
    draw_curves,
    is_first_process,
    make_room,
    use_threads,
)
from gaugenet.tasks.training.fit import fit
from gaugenet.tasks.training.options import OptimOptions, TaskError
from gaugenet.tasks.training.run import RunDescription, build_model, load_weights

logger = logging.getLogger(__name__)

Files = ClimateFiles | Happi20Files
NETWORK = "IcosahedralUNet"


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
        trainer: arguments of Lightning's trainer.
        seed: everything random follows from it.
        resume: go on where the run was left.
        overwrite: delete the files of a run that is there already.
        init: folder of another run, from whose best weights this training starts.
        threads: CPU threads of torch.
        config: text to keep beside the run as `config.yaml`.

    Raises:
        TaskError, DataError, RunError: bad options, unusable files, or a run in the way.
    """
    loss, optim, run = loss or ClimateLoss(), optim or OptimOptions(), Path(out)
    use_threads(threads)
    if is_first_process():
        check_room(run, resume=resume, overwrite=overwrite)
    train_files, val_files, split = open_split(data)
    logger.info(split)
    inputs = inputs_of(train_files, data)
    normalization = Normalization.of(train_files, inputs.locations.area)
    share = memory_shares(train_files, val_files, data.memory)
    training = SphereDataset(train_files, inputs, normalization, augment=data, seed=seed, memory=share[0])
    validation: SphereDataset | list[Any] = []
    validated = None
    if val_files is not None:
        val_inputs = inputs_of(val_files, data)
        validation, validated = (
            SphereDataset(val_files, val_inputs, normalization, memory=share[1]),
            Readout.of(val_inputs),
        )
    weight = class_weights(class_shares(training, len(train_files.class_names)), loss.balance)

    network, description = _network(train_files, inputs, data, model or {}, seed)
    task = ClimateTask(
        network,
        sphere=inputs.sphere,
        class_weight=weight,
        validated=validated,
        loss=loss,
        options=optim,
        seed=seed,
    )
    lost = inputs.round_trip(training.fields(0))
    description.data |= {"normalization": normalization.as_dict(), "split": split, "round_trip_error": lost}
    if init is not None:
        load_weights(init, network, "best")
    if resume:
        check_same(description, run)
    if is_first_process():
        make_room(run, resume=resume)
        if config is not None and not (resume and (run / CONFIG).exists()):
            write_text(run / CONFIG, config)
    count = sum(p.numel() for p in network.parameters())
    logger.info("%d vertices, %d training globes, %d parameters.", inputs.sphere.num_vertices, len(training), count)
    logger.info("Fields sent to the icosphere and back differ by %.1f %% (rms by area, first time step).", 100 * lost)
    loaders = SphereDataModule(
        training, validation, batch_size=data.batch_size, seed=seed, num_workers=data.num_workers
    )
    fit(task, loaders, run, description, resume=resume, trainer=trainer)
    if is_first_process():
        draw_curves(run)
    return description


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


def locations_of(files: Files) -> Locations:
    """Where the values of the files are."""
    return GridLocations(files.grid) if isinstance(files, ClimateFiles) else files.locations


def inputs_of(files: Files, data: ClimateData) -> SphereInputs:
    """How frames become inputs."""
    sizes = {"scalars": len(files.variables.scalars), "pairs": len(files.variables.vectors)}
    return SphereInputs(Icosphere(data.level), locations_of(files), latitude=data.latitude, **sizes)


def memory_shares(train: Files, val: Files | None, gigabytes: float) -> tuple[float, float]:
    """Bytes that each part may keep."""
    count = len(train) + (len(val) if val is not None else 0)
    return tuple(gigabytes * 1e9 * n / count for n in (len(train), count - len(train)))  # type: ignore[return-value]


def _network(
    files: Files, inputs: SphereInputs, data: ClimateData, model: dict[str, Any], seed: int
) -> tuple[torch.nn.Module, RunDescription]:
    """The network with its first weights, and the description of the run."""
    from lightning.pytorch import seed_everything

    seed_everything(seed, verbose=False)
    if not data.latitude and str(model.get("group", "")).startswith("D"):
        logger.warning(
            "Without latitude a network of %s cannot tell cyclones from anticyclones, their mirror images: use "
            "--model.group C_6, or --data.latitude true.",
            model["group"],
        )
    arguments = {**model, "in_type": inputs.in_type, "out_type": len(files.class_names)}
    network = build_model(NETWORK, arguments)
    description = RunDescription(
        task="climate",
        model=NETWORK,
        arguments=network.config,  # type: ignore[arg-type]
        data={**data.as_dict(), "variables": files.variables.as_dict(), "latitudes": _latitudes(files)},
        classes=list(files.class_names),
        items="vertex",
        seed=seed,
    )
    return network, description


def _latitudes(files: Files) -> str:
    """What the grid was, for the reader of `run.json`."""
    if not isinstance(files, ClimateFiles):
        return f"{files.locations.shape[0]} points"
    height, width = files.grid.shape
    return f"{height} x {width}, {np.abs(np.diff(files.grid.lat)).mean():.3g} degrees"

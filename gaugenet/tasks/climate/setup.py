"""The start of a training of patterns on the globe: its data, its network and its loss."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from gaugenet.data.climate.dataset import ClimateFiles
from gaugenet.data.climate.latlon import LatLonGrid
from gaugenet.data.normalization import Normalization
from gaugenet.models import IcosahedralUNet
from gaugenet.tasks.climate.files import Files, inputs_of, memory_shares, open_split
from gaugenet.tasks.climate.inputs import SphereInputs
from gaugenet.tasks.climate.module import ClimateModule, Readout
from gaugenet.tasks.climate.options import ClimateData
from gaugenet.tasks.climate.samples import SphereDataModule, SphereDataset, class_shares
from gaugenet.tasks.climate.task import ClimateTask
from gaugenet.tasks.training.label_loss import class_weights
from gaugenet.tasks.training.options import TaskError
from gaugenet.tasks.training.run import RunDescription, build_model
from gaugenet.tasks.training.task import Training

logger = logging.getLogger(__name__)

_NETWORK = "IcosahedralUNet"


def begin(options: Mapping[str, Any], *, seed: int) -> Training:
    """Open the files, build the network, and fit the normalization and the weights of the classes."""
    data, loss = options["data"], options["loss"]
    train_files, val_files, split = open_split(data)
    logger.info(split)
    inputs = inputs_of(train_files, data)
    normalization = Normalization.of(train_files, inputs.locations.area)
    memory = memory_shares(train_files, val_files, data.memory)
    training = SphereDataset(train_files, inputs, normalization, augment=data, seed=seed, memory=memory[0])
    validation: SphereDataset | list[Any] = []
    validated = None
    if val_files is not None:
        val_inputs = inputs_of(val_files, data)
        validation, validated = (
            SphereDataset(val_files, val_inputs, normalization, memory=memory[1]),
            Readout.of(val_inputs),
        )
    loss.check_classes(train_files.class_names)
    share = _check_labels(training, validation, train_files.class_names)
    weight = class_weights(loss, share, share * len(training) * inputs.sphere.num_vertices)
    network, description = _network(train_files, inputs, data, options["model"], seed)
    module = ClimateModule(
        network,
        sphere=inputs.sphere,
        class_weight=weight,
        validated=validated,
        loss=loss,
        options=options["optim"],
        seed=seed,
    )
    lost = inputs.round_trip(training.fields(0))
    description.loss = loss.describe(train_files.class_names, weight.tolist())
    description.data |= {"normalization": normalization.as_dict(), "split": split, "round_trip_error": lost}
    count = sum(p.numel() for p in network.parameters())

    def load(run: Path) -> SphereDataModule:
        logger.info("%d vertices, %d training globes, %d parameters.", inputs.sphere.num_vertices, len(training), count)
        logger.info(
            "Fields sent to the icosphere and back differ by %.1f %% (rms by area, first time step).", 100 * lost
        )
        sizes = {"batch_size": data.batch_size, "num_workers": data.num_workers}
        return SphereDataModule(training, validation, seed=seed, **sizes)

    return Training(module, description, load)


def _check_labels(
    training: SphereDataset, validation: SphereDataset | Sequence[Any], classes: Sequence[str]
) -> torch.Tensor:
    """Refuse parts without labels, log which classes cannot be learned, and return the shares of the classes.

    A class that occurs only in the validation part gives a warning, as on meshes. Blocks of time can separate rare
    events in this way, and the scores of the other classes remain valid.

    Raises:
        TaskError: If the training or the validation has no label at all.
    """
    shares = {
        name: _shares(part, len(classes))
        for name, part in (("training", training), ("validation", validation))
        if isinstance(part, SphereDataset)
    }
    for name, share in shares.items():
        if not share.any():
            raise TaskError(
                f"No label in the {name} data: all of them are negative, 255 or missing, which means unknown."
            )
    learned = shares["training"] > 0
    if missing := [n for n, seen, of in zip(classes, learned, shares.get("validation", learned)) if of and not seen]:
        logger.warning("Classes of the validation that no training data have, and no network can learn: %s.", missing)
    if int(learned.sum()) == 1:
        logger.warning("All labels that were seen in the training data are %r.", classes[int(learned.int().argmax())])
    return shares["training"]


def _shares(part: SphereDataset, count: int) -> torch.Tensor:
    """Return the shares of the classes over a selection of the frames, or over all if the selection has no label."""
    found = class_shares(part, count)
    return found if found.any() else class_shares(part, count, at_most=len(part))


def _network(
    files: Files, inputs: SphereInputs, data: ClimateData, model: dict[str, Any], seed: int
) -> tuple[IcosahedralUNet, RunDescription]:
    """Return the network with its first weights, and the description of the run."""
    from lightning.pytorch import seed_everything

    seed_everything(seed, verbose=False)
    if not data.latitude and str(model.get("group", "")).startswith("D"):
        logger.warning(
            "Without latitude a network of %s cannot tell cyclones from anticyclones, their mirror images: use "
            "--model.group C_6, or --data.latitude true.",
            model["group"],
        )
    arguments = {**model, "in_type": inputs.in_type, "out_type": len(files.class_names)}
    network = cast("IcosahedralUNet", build_model(_NETWORK, arguments))
    network.check_level(data.level)
    description = RunDescription(
        task=ClimateTask.name,
        model=_NETWORK,
        arguments=network.config,
        data={**data.as_dict(), "variables": files.variables.as_dict(), "latitudes": _latitudes(files)},
        classes=list(files.class_names),
        items="vertex",
        seed=seed,
    )
    return network, description


def _latitudes(files: Files) -> str:
    """Describe the grid, for the reader of `run.json`."""
    if not isinstance(files, ClimateFiles):
        return f"{files.locations.shape[0]} points"
    if not isinstance(files.grid, LatLonGrid):
        return str(files.grid)
    height, width = files.grid.shape
    return f"{height} x {width}, {np.abs(np.diff(files.grid.lat)).mean():.3g} degrees"

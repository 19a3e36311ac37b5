"""The start of a training of forecasts: its files, its network and its loss."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from gaugenet.data.climate.dataset import ClimateFiles
from gaugenet.data.climate.variables import ClimateVariables
from gaugenet.data.normalization import Normalization
from gaugenet.geometry import Icosphere
from gaugenet.models import IcosahedralUNet
from gaugenet.tasks.climate.files import memory_shares
from gaugenet.tasks.climate.samples import SphereDataModule
from gaugenet.tasks.forecast.clock import Clock
from gaugenet.tasks.forecast.conditions import Conditions, StaticFiles
from gaugenet.tasks.forecast.files import ForecastFiles, field_names, inputs_of, keep_fields, open_forecast
from gaugenet.tasks.forecast.module import ForecastModule
from gaugenet.tasks.forecast.options import ForecastData
from gaugenet.tasks.forecast.samples import ForecastDataset, climatology, usual_change
from gaugenet.tasks.forecast.stepper import ForecastStepper, StateLayout
from gaugenet.tasks.forecast.task import ForecastTask
from gaugenet.tasks.forecast.windows import step_of, windows_of
from gaugenet.tasks.training.run import RunDescription
from gaugenet.tasks.training.task import Training

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Prepared:
    """Everything that a training needs except the network.

    Attributes:
        files: the opened files.
        train, val: roll-outs; `val` may be `None`.
        layout: the channels of states and conditions.
        change: typical change of each channel in a step.
        step_hours: length of a step.
        normalization: of the training part.
        conditions: inputs of a step in addition to the state.
    """

    files: ForecastFiles
    train: ForecastDataset
    val: ForecastDataset | None
    layout: StateLayout
    change: Tensor
    step_hours: float
    normalization: Normalization
    conditions: Conditions

    @property
    def variables(self) -> ClimateVariables:
        """Variables that are forecast."""
        return self.files.train.variables

    def as_dict(self) -> dict[str, Any]:
        """Return the values that a run stores."""
        static, clock = self.conditions.static, self.conditions.clock
        return {
            "step_hours": self.step_hours,
            "variables": self.variables.as_dict(),
            "normalization": self.normalization.as_dict(),
            "layout": self.layout.as_dict(),
            "static": {"scalars": static.scalars, "pairs": static.pairs},
            "calendar": clock.calendar if clock else None,
            "usual_change": self.change.tolist(),
            "split": self.files.split,
        }


def prepare(data: ForecastData, sphere: Any, *, seed: int) -> Prepared:
    """Open the files, and compute the normalization and the typical change.

    Args:
        data: the options.
        sphere: an `Icosphere`, or anything else with `pos`, `frame`, `mass`, `corners` and `num_vertices`.
        seed: of augmentation.

    Raises:
        TaskError, DataError: If files are missing or cannot be used.
    """
    files = open_forecast(data)
    step = step_of(files.train, data.step_hours)
    normalization = Normalization.of(files.train, files.train.locations.area)
    conditions = _conditions(files, sphere, data)
    shares = memory_shares(files.train, files.val, data.memory)

    def windows(part: ClimateFiles, steps: int, memory: float, **augment: Any) -> ForecastDataset:
        found = windows_of(part, step_hours=step, steps=steps)
        logger.info(found.summary)
        inputs = inputs_of(part, sphere, data)
        return ForecastDataset(part, found, inputs, normalization, conditions, memory=memory, seed=seed, **augment)

    logger.info(files.split)
    train = windows(files.train, data.rollout, shares[0], augment=data)
    val = windows(files.val, data.val_rollout, shares[1]) if files.val is not None else None
    variables = files.train.variables
    counts = len(variables.scalars), len(variables.vectors), conditions.scalars, conditions.pairs
    layout = StateLayout(*counts, data.latitude)
    change = usual_change(train, layout, field_names(variables))
    return Prepared(files, train, val, layout, change, step, normalization, conditions)


def begin(options: Mapping[str, Any], *, seed: int) -> Training:
    """Prepare the data, and build the network with its loss."""
    data, sphere = options["data"], Icosphere(options["data"].level)
    prepared = prepare(data, sphere, seed=seed)
    variables = prepared.variables
    weights = options["loss"].weights_of([*variables.scalars, *(u for u, _ in variables.vectors)])
    network = build_network(prepared.layout, options["model"], seed=seed)
    network.check_level(sphere.level)
    stepper = ForecastStepper(network, prepared.layout, sphere, prepared.change)
    module = ForecastModule(stepper, weights=weights, loss=options["loss"], options=options["optim"], seed=seed)
    description = RunDescription(
        task=ForecastTask.name,
        model=type(network).__name__,
        arguments=network.config,
        data={**data.as_dict(), **prepared.as_dict()},
        classes=field_names(variables),
        items="vertex",
        seed=seed,
    )

    def load(run: Path) -> SphereDataModule:
        count = sum(p.numel() for p in network.parameters())
        logger.info("%d vertices, steps of %g h, %d parameters.", sphere.num_vertices, prepared.step_hours, count)
        keep_fields(run, climatology=climatology(prepared.train), static=prepared.conditions.static.read(None))
        sizes = {"batch_size": data.batch_size, "num_workers": data.num_workers}
        return SphereDataModule(prepared.train, prepared.val or [], seed=seed, **sizes)

    return Training(module, description, load)


def build_network(layout: StateLayout, options: Mapping[str, Any], *, seed: int) -> IcosahedralUNet:
    """Return the network with its first weights; the last layer is zero, so it starts as persistence."""
    from lightning.pytorch import seed_everything

    seed_everything(seed, verbose=False)
    network = IcosahedralUNet(layout.in_type, layout.out_type, **options)
    for parameter in network.head.parameters():
        nn.init.zeros_(parameter)
    return network


def _conditions(files: ForecastFiles, sphere: Any, data: ForecastData) -> Conditions:
    clock = Clock.of(files.train) if data.clock else None
    if data.clock and clock is None:
        logger.warning("The files have no dates: the network is not given the sun and the season.")
    return Conditions(
        sphere, StaticFiles(files.static, sphere, smooth=data.smooth), latitude=data.latitude, clock=clock
    )

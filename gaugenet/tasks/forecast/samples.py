"""Roll-outs for training: the states of a window of time, and the conditions of its steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.data import Dataset

from gaugenet.data.climate.dataset import ClimateFiles
from gaugenet.data.meshes.sample import DataError
from gaugenet.data.normalization import Normalization
from gaugenet.tasks.climate.inputs import SphereInputs, random_pose
from gaugenet.tasks.climate.samples import SphereDataset
from gaugenet.tasks.forecast.conditions import Conditions, Pose
from gaugenet.tasks.forecast.options import ForecastData
from gaugenet.tasks.forecast.stepper import StateLayout
from gaugenet.tasks.forecast.windows import Windows
from gaugenet.tasks.training.loading import Key


class ForecastDataset(Dataset[Any]):
    """Windows addressed by `(epoch, index)`: a key gives the same pose in every process.

    Args:
        files: the files, read one time step at a time.
        windows: the time steps of each roll-out.
        inputs: the interpolation of frames at the vertices.
        normalization: of the training part.
        conditions: further inputs of a step.
        augment: options of the augmentation; `None` for unchanged globes.
        seed: seed of the augmentation.
        memory: bytes of frames that are cached.
    """

    def __init__(
        self,
        files: ClimateFiles,
        windows: Windows,
        inputs: SphereInputs,
        normalization: Normalization,
        conditions: Conditions,
        *,
        augment: ForecastData | None = None,
        seed: int = 0,
        memory: float = 2e9,
    ) -> None:
        self.files, self.windows, self.inputs, self.conditions = files, windows, inputs, conditions
        self.augment, self.seed = augment, seed
        self.globes = SphereDataset(files, inputs, normalization, memory=memory)
        self._hours = files.hours

    def __len__(self) -> int:
        return len(self.windows.index)

    def state(self, step: int, pose: Pose = None) -> Float[Tensor, "channels vertices"]:
        """Return a time step at the vertices, normalized."""
        return self.inputs.read(self.globes.fields(step), pose=pose)[0]

    def __getitem__(self, key: Key) -> dict[str, Tensor]:
        epoch, index = key
        pose = None
        if self.augment is not None and (self.augment.rotate or self.augment.mirror):
            draw = np.random.default_rng([self.seed, epoch, index])
            pose = random_pose(draw, rotate=self.augment.rotate, mirror=self.augment.mirror)
        window = self.windows.index[index]
        return {
            "states": torch.stack([self.state(int(step), pose) for step in window]),
            "conditions": self.conditions.at(self._hours[window[:-1]], pose),
            "side": self.conditions.side(pose),
        }


def usual_change(
    windows: ForecastDataset, layout: StateLayout, names: list[str], *, at_most: int = 64
) -> Float[Tensor, "channels"]:
    """Return the root mean square change of each channel in one step, by area, over a limited number of windows.

    Raises:
        DataError: If a field does not change.
    """
    area = windows.inputs.sphere.mass / windows.inputs.sphere.mass.sum()
    starts = np.unique(np.round(np.linspace(0, len(windows) - 1, min(at_most, len(windows)))).astype(int))
    total = torch.zeros(layout.channels, dtype=torch.float64)
    for start in starts:
        first, second = (windows.state(int(step)).double() for step in windows.windows.index[start, :2])
        total += (second - first).square() @ area / len(starts)
    scalars, vectors = total[: layout.scalars], total[layout.scalars :].unflatten(0, (2, layout.pairs)).mean(0)
    change = torch.cat([scalars, vectors]).sqrt()
    for name, value in zip(names, change.tolist()):
        if not value > 1e-7:
            raise DataError(
                f"{name!r} does not change in time: give it as a static field (--data.static), or leave it out."
            )
    return torch.tensor(layout.spread(change.tolist()))


def climatology(dataset: ForecastDataset, *, at_most: int = 400) -> Float[Tensor, "channels vertices"]:
    """Return the mean at the vertices over a limited number of time steps, evenly spread."""
    count = len(dataset.files)
    chosen = np.unique(np.round(np.linspace(0, count - 1, min(at_most, count))).astype(int))
    total = torch.zeros_like(dataset.state(0), dtype=torch.float64)
    for step in chosen:
        total += dataset.state(int(step)) / len(chosen)
    return total.float()

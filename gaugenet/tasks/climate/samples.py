"""Globes for training: frames read lazily, cached up to a limit, rotated and mirrored by seed, epoch and frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch
from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader, Dataset

from gaugenet._caching import BoundedCache
from gaugenet.data.climate.dataset import ClimateFrame
from gaugenet.data.normalization import Normalization
from gaugenet.tasks.climate.inputs import SphereFields, SphereInputs, random_pose
from gaugenet.tasks.climate.options import ClimateData
from gaugenet.tasks.training.loading import EpochBatches, Key


class Globes(Protocol):
    """A dataset of globes addressed by `(epoch, index)`."""

    def __len__(self) -> int: ...
    def __getitem__(self, key: Key) -> Any: ...


class SphereDataset(Dataset[Any]):
    """Inputs and labels addressed by `(epoch, index)`: a key gives the same pose in every process.

    Args:
        frames: the frames, read one at a time.
        inputs: how a frame becomes an input.
        normalization: of the training part.
        augment: options of the augmentation; `None` for unchanged globes, with the labels of the file as `truth`.
        seed: seed of the augmentation.
        memory: bytes of frames that are cached.
    """

    def __init__(
        self,
        frames: Sequence[ClimateFrame],
        inputs: SphereInputs,
        normalization: Normalization,
        *,
        augment: ClimateData | None = None,
        seed: int = 0,
        memory: float = 2e9,
    ) -> None:
        self.frames, self.inputs, self.normalization = frames, inputs, normalization
        self.augment, self.seed = augment, seed
        # every epoch reads all frames in turn, so cached frames are not replaced
        self._cached: BoundedCache[SphereFields] = BoundedCache(max_bytes=memory, replace=False)

    def __len__(self) -> int:
        return len(self.frames)

    def fields(self, index: int) -> SphereFields:
        """Return the normalized frame."""
        return self._cached.get(
            index, lambda: SphereFields.of(self.frames[index], self.inputs.locations, self.normalization)
        )

    def __getitem__(self, key: Key) -> dict[str, Any]:
        epoch, index = key
        pose, gain = None, 1.0
        if self.augment is not None:
            draw = np.random.default_rng([self.seed, epoch, index])
            pose = random_pose(draw, rotate=self.augment.rotate, mirror=self.augment.mirror)
            gain = float(self.augment.gain ** draw.uniform(-1, 1))
        fields = self.fields(index)
        x, y = self.inputs.read(fields, pose=pose, gain=gain)
        if fields.label is None or y is None:
            return {"x": x}
        return {"x": x, "y": y} | ({} if self.augment else {"truth": torch.from_numpy(fields.label.astype(np.int64))})


class SphereDataModule(LightningDataModule):
    """Training and validation globes.

    Args:
        train, val: globes; `val` may be empty.
        batch_size: globes in a step, over all processes.
        seed: seed of the order.
        num_workers: processes that prepare globes ahead.
    """

    def __init__(
        self,
        train: Globes,
        val: Globes | Sequence[Any],
        *,
        batch_size: int,
        seed: int = 0,
        num_workers: int = 0,
    ) -> None:
        super().__init__()
        self.train, self.val = train, val
        self.batch_size, self.seed, self.num_workers = batch_size, seed, num_workers

    def train_dataloader(self) -> DataLoader[Any]:
        return self._loader(self.train, seed=self.seed)

    def val_dataloader(self) -> DataLoader[Any]:
        return self._loader(self.val, seed=None)

    def _loader(self, spheres: Any, *, seed: int | None) -> DataLoader[Any]:
        rank, world = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        batches = EpochBatches(len(spheres), self.batch_size, seed=seed, rank=rank, world=world)
        workers = self.num_workers if seed is not None else 0
        return DataLoader(spheres, batch_sampler=batches, num_workers=workers, persistent_workers=workers > 0)


def class_shares(spheres: SphereDataset, num_classes: int, *, at_most: int = 64) -> torch.Tensor:
    """Return the share `(K,)` of each class in the labelled area, over at most `at_most` frames."""
    chosen = np.unique(np.round(np.linspace(0, len(spheres) - 1, min(at_most, len(spheres)))).astype(int))
    area = spheres.inputs.locations.area.reshape(-1)
    total = np.zeros(num_classes)
    for index in chosen:
        label = spheres.fields(int(index)).label
        if label is not None:
            known = label >= 0
            total += np.bincount(label[known], area[known], minlength=num_classes)
    return torch.from_numpy(total / max(total.sum(), 1e-300))

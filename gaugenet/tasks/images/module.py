"""Classifiers of images as the trainer sees them: cross-entropy, error rates, and batches of images in memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float, Int
from lightning.pytorch import LightningDataModule
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, Dataset, Sampler

from gaugenet.data.images.digits import Digits
from gaugenet.tasks.images.options import ImageOptions
from gaugenet.tasks.training.module import TrainingModule
from gaugenet.tasks.training.options import OptimOptions

VALIDATED_AT_ONCE = 250
"""Images that are classified together where no gradient is needed."""


class ImageModule(TrainingModule):
    """A module that trains a network `(B, 1, H, W) -> (B, classes)`, values in [0, 1], to classify images.

    A batch holds the indices of its images. The training step draws the augmented images, so that its random numbers
    determine them.

    Args:
        model: the network.
        train: images and labels to train on.
        val: images and labels to validate on.
        options: see the class.
    """

    monitor = "val_error"
    mode = "min"
    shown = (("loss", "train_loss", "{:.4f}"), ("train", "train_error", "{:.2%}"), ("val", "val_error", "{:.2%}"))
    remedy = "lower `lr`."

    def __init__(self, model: nn.Module, train: Digits, val: Digits | None, options: ImageOptions) -> None:
        optim = OptimOptions(
            lr=options.lr, weight_decay=options.weight_decay, schedule=options.schedule, clip=0.0, ema=0.0
        )
        super().__init__(model, options=optim, seed=options.seed)
        self.train_images, self.val_images, self.image_options = train, val, options

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        if batch_idx == 0:  # one stream of random numbers for each epoch, which begins with the order of the images
            torch.manual_seed(_epoch_seed(self.seed, self.current_epoch))
            torch.randperm(len(self.train_images))

    def loss(self, batch: Int[Tensor, "batch"]) -> Tensor:
        logits, label = self._classified(self.train_images, batch)
        loss = cross_entropy(logits.float(), label)
        self.log_mean("train_loss", loss.detach(), len(label))
        self.log_mean("train_error", (logits.detach().argmax(-1) != label).float().mean(), len(label))
        return loss

    def validation_step(self, batch: Int[Tensor, "batch"], batch_idx: int) -> None:
        if self.val_images is None:
            return
        logits, label = self._classified(self.val_images, batch)
        self.log_mean("val_error", (logits.float().argmax(-1) != label).float().mean(), len(label))

    def _classified(self, images: Digits, batch: Tensor) -> tuple[Float[Tensor, "batch classes"], Tensor]:
        chosen = images[batch.cpu().numpy()]
        logits: Tensor = self.model(to_images(chosen, self.device))
        return logits, torch.from_numpy(chosen.labels).to(self.device)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return parameter groups: biases and scales of normalizations do not decay."""
        named = list(self.model.named_parameters())
        constant = [p for name, p in named if "bias" in name or "norm" in name or "scale" in name]
        others = [p for name, p in named if not ("bias" in name or "norm" in name or "scale" in name)]
        return [
            {"params": others, "weight_decay": self.options.weight_decay},
            {"params": constant, "weight_decay": 0.0},
        ]

    def optimizer(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        kind = torch.optim.AdamW if self.image_options.optimizer == "adamw" else torch.optim.Adam
        return kind(groups, lr=self.options.lr, fused=True)


class ImageDataModule(LightningDataModule):
    """A data module whose batches are indices of images.

    Args:
        train: number of images to train on.
        val: number of images to validate on, perhaps 0.
        options: batch size and seed.
    """

    def __init__(self, train: int, val: int, options: ImageOptions) -> None:
        super().__init__()
        self.train, self.val, self.options = range(train), range(val), options

    def train_dataloader(self) -> DataLoader[Tensor]:
        batches = _ShuffledBatches(len(self.train), self.options.batch_size, self.options.seed)
        return DataLoader(_Itself(), sampler=batches, batch_size=None)

    def val_dataloader(self) -> DataLoader[Tensor]:
        return DataLoader(_Itself(), sampler=_parts(torch.arange(len(self.val)), VALIDATED_AT_ONCE), batch_size=None)


class _ShuffledBatches(Sampler[Tensor]):
    """Batches of indices in an order that depends on the seed and the epoch alone; the last one may be smaller."""

    def __init__(self, count: int, batch_size: int, seed: int) -> None:
        self.count, self.batch_size, self.seed, self.epoch = count, batch_size, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch: Lightning calls this before every epoch, also after a resume."""
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-self.count // self.batch_size)

    def __iter__(self) -> Iterator[Tensor]:
        generator = torch.Generator().manual_seed(_epoch_seed(self.seed, self.epoch))
        yield from _parts(torch.randperm(self.count, generator=generator), self.batch_size)


def _parts(indices: Tensor, size: int) -> list[Tensor]:
    return [indices[k : k + size] for k in range(0, len(indices), size)]


class _Itself(Dataset[Tensor]):
    """A dataset in which every key is its own value."""

    def __getitem__(self, key: Tensor) -> Tensor:
        return key


def _epoch_seed(seed: int, epoch: int) -> int:
    """Return the seed of all random numbers of an epoch."""
    return seed * 100_003 + epoch


def to_images(digits: Digits, device: str | torch.device) -> Float[Tensor, "batch 1 height width"]:
    """Return images with values in [0, 1], channels last in memory; the background stays 0, like the padding."""
    images = torch.from_numpy(digits.images).to(device)[:, None].float() / 255
    return images.to(memory_format=torch.channels_last)

"""Options of the training of an image classifier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gaugenet.tasks.training.schedule import Schedule


@dataclass(frozen=True)
class ImageOptions:
    """Options of the training of an image classifier.

    Attributes:
        epochs: passes over the training images.
        batch_size: images in a step.
        lr: largest learning rate.
        weight_decay: on all weights that have more than one dimension.
        optimizer: `adamw`, with decoupled weight decay, or `adam`, with a penalty.
        schedule: of the learning rate, see `learning_rate_factor`.
        precision: `float32`, or `bfloat16` for autocast (several times faster on processors with AMX and on GPUs).
        seed: of the order, dropout and augmentation.
        device: device of the training.
    """

    epochs: int = 30
    batch_size: int = 64
    lr: float = 3e-3
    weight_decay: float = 1e-2
    optimizer: Literal["adamw", "adam"] = "adamw"
    schedule: Schedule = "one_cycle"
    precision: Literal["float32", "bfloat16"] = "float32"
    seed: int = 0
    device: str = "cpu"

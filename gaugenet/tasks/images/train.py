"""Training and scoring classifiers of images with a plain loop that goes on where it was killed."""

from __future__ import annotations

import logging
import pickle
import time
import zipfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from gaugenet.data.images.digits import Digits
from gaugenet.files import atomic_path
from gaugenet.tasks.training.options import TaskError
from gaugenet.tasks.training.schedule import Schedule, learning_rate_factor

logger = logging.getLogger(__name__)

STATE = "state.pt"
Row = dict[str, float]


@dataclass(frozen=True)
class ImageOptions:
    """How a classifier of images is trained.

    Attributes:
        epochs: passes over the training images.
        batch_size: images a step.
        lr: largest learning rate.
        weight_decay: on all weights that are not of one dimension.
        optimizer: `adamw`, with decoupled weight decay, or `adam`, with a penalty.
        schedule: of the learning rate, see `learning_rate_factor`.
        precision: `float32`, or `bfloat16` for autocast (several times faster on processors with AMX and on GPUs).
        seed: of shuffles, dropout and augmentation.
        device: where to compute.
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


@dataclass
class _Course:
    """What has happened so far: stored in the checkpoint."""

    rows: list[Row] = field(default_factory=list)
    cpu_seconds: float = 0.0


def fit_images(
    model: nn.Module, train: Digits, folder: str | Path, options: ImageOptions, *, val: Digits | None = None
) -> list[Row]:
    """Train by cross-entropy; one row an epoch with the loss, the errors and the CPU time so far.

    After each epoch the whole state is written to `folder`. Called again with the same arguments, a training that was
    killed goes on from there and ends with the same weights (on a CPU) as one that was not; of a finished one the
    weights are read.

    Args:
        model: maps `(B, 1, H, W)`, values in [0, 1], to logits `(B, classes)`; trained in place.
        train: images and labels.
        folder: made when missing.
        options: see `ImageOptions`.
        val: images that the error is measured on after each epoch.

    Raises:
        TaskError: the folder holds the training of another network or with other options, or the loss is not finite.
    """
    model.to(options.device)
    optimizers = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}
    optimizer = optimizers[options.optimizer](_parameter_groups(model, options), lr=options.lr, fused=True)
    path, course = Path(folder) / STATE, _Course()
    identity = {**asdict(options), "model": str(model), "images": len(train)}
    if path.is_file():
        course = _load(path, identity, model, optimizer)
    for epoch in range(len(course.rows), options.epochs):
        start = time.process_time()
        row = {"epoch": float(epoch), **_train_epoch(model, optimizer, train, options, epoch)}
        if val is not None and len(val):
            row["val_error"] = error_rate(predict_images(model, val, options), val)
        course.cpu_seconds += time.process_time() - start
        row["cpu_seconds"] = course.cpu_seconds
        course.rows.append(row)
        _save(path, identity, model, optimizer, course)
        logger.info("epoch %d/%d  %s", epoch + 1, options.epochs, _words(row))
    return course.rows


@torch.no_grad()
def predict_images(model: nn.Module, digits: Digits, options: ImageOptions) -> Float[Tensor, "images classes"]:
    """The logits of all images, in evaluation mode and the precision of the options."""
    was_training = model.training
    model.eval()
    with _autocast(options):
        parts = [model(to_images(digits[start : start + 250], options.device)) for start in range(0, len(digits), 250)]
    model.train(was_training)
    return torch.cat(parts).float().cpu()


def error_rate(logits: Float[Tensor, "images classes"], digits: Digits) -> float:
    """Share of images whose largest logit is not that of their class."""
    return (logits.argmax(-1) != _labels(digits)).float().mean().item()


def _train_epoch(
    model: nn.Module, optimizer: torch.optim.Optimizer, train: Digits, options: ImageOptions, epoch: int
) -> Row:
    """All that is random follows from the seed and the epoch."""
    model.train()
    steps = -(-len(train) // options.batch_size)
    loss_sum = torch.zeros((), device=options.device)
    wrong = torch.zeros((), device=options.device)
    with torch.random.fork_rng():
        torch.manual_seed(options.seed * 100_003 + epoch)
        order = torch.randperm(len(train)).numpy()
        for step in range(steps):
            batch = train[order[step * options.batch_size : (step + 1) * options.batch_size]]
            for group in optimizer.param_groups:
                group["lr"] = options.lr * learning_rate_factor(
                    epoch * steps + step, options.epochs * steps, schedule=options.schedule
                )
            label = _labels(batch).to(options.device)
            with _autocast(options):
                logits = model(to_images(batch, options.device))
            loss = cross_entropy(logits.float(), label)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss_sum += loss.detach() * len(batch)
            wrong += (logits.detach().argmax(-1) != label).sum()
    if not loss_sum.isfinite():
        raise TaskError(f"The loss is no longer finite in epoch {epoch}: lower `lr`.")
    return {"train_loss": loss_sum.item() / len(train), "train_error": wrong.item() / len(train)}


def _autocast(options: ImageOptions) -> torch.autocast:
    low = options.precision == "bfloat16"
    return torch.autocast(torch.device(options.device).type, torch.bfloat16, enabled=low)


def to_images(digits: Digits, device: str) -> Float[Tensor, "batch 1 height width"]:
    """Values in [0, 1], channels last in memory; the background stays 0, as beyond the border."""
    images = torch.from_numpy(digits.images).to(device)[:, None].float() / 255
    return images.to(memory_format=torch.channels_last)


def _labels(digits: Digits) -> Int[Tensor, "batch"]:
    return torch.from_numpy(digits.labels)


def _parameter_groups(model: nn.Module, options: ImageOptions) -> list[dict[str, Any]]:
    """Biases and scales of normalizations are not decayed: what initialization leaves constant."""
    decayed: list[nn.Parameter] = []
    undecayed: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        (undecayed if "bias" in name or "norm" in name or "scale" in name else decayed).append(parameter)
    return [{"params": decayed, "weight_decay": options.weight_decay}, {"params": undecayed, "weight_decay": 0.0}]


def _save(
    path: Path, identity: dict[str, Any], model: nn.Module, optimizer: torch.optim.Optimizer, course: _Course
) -> None:
    state = {"identity": identity, "model": model.state_dict(), "optimizer": optimizer.state_dict(), **asdict(course)}
    with atomic_path(path) as temporary:
        torch.save(state, temporary)


def _load(path: Path, identity: dict[str, Any], model: nn.Module, optimizer: torch.optim.Optimizer) -> _Course:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        found = {**asdict(ImageOptions()), **state["identity"]}
    except (RuntimeError, OSError, EOFError, KeyError, TypeError, pickle.UnpicklingError, zipfile.BadZipFile) as error:
        raise TaskError(
            f"{path} is no state of a training ({type(error).__name__}): remove it to start again."
        ) from error
    if other := [key for key in identity if found.get(key) != identity[key]]:
        raise TaskError(
            f"{path} holds a training with another {', '.join(other)}: choose another folder, or remove the file."
        )
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    return _Course(state["rows"], state["cpu_seconds"])


def _words(row: Row) -> str:
    shown = [f"loss {row['train_loss']:.4f}", f"train {row['train_error']:.2%}"]
    shown += [f"val {row['val_error']:.2%}"] if "val_error" in row else []
    return "  ".join([*shown, f"{row['cpu_seconds']:.0f} CPU-s"])

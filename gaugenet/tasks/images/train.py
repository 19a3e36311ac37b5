"""Training and scoring classifiers of images, in memory, with the trainer of all tasks."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gaugenet.data.images.digits import Digits
from gaugenet.files import UNREADABLE
from gaugenet.tasks.images.module import VALIDATED_AT_ONCE, ImageDataModule, ImageModule, to_images
from gaugenet.tasks.images.options import ImageOptions
from gaugenet.tasks.training.checkpoint import LAST
from gaugenet.tasks.training.fit import fit
from gaugenet.tasks.training.history import read_table
from gaugenet.tasks.training.lock import run_lock
from gaugenet.tasks.training.options import TaskError
from gaugenet.tasks.training.run import DESCRIPTION, RunDescription, RunError

Row = dict[str, float]
_TASK = "images"
_BEFORE = "state.pt"
"""Where trainings were kept before they went through the trainer of all tasks."""


def fit_images(
    model: nn.Module, train: Digits, folder: str | Path, options: ImageOptions, *, val: Digits | None = None
) -> list[Row]:
    """Train with cross-entropy; return a row for each epoch with the loss, the errors and the CPU time so far.

    After each epoch the complete state is written to `folder`, a run as `gaugenet train` writes it. Call it again with
    the same arguments to continue a training that was killed: it ends with the same weights (on a CPU) as one that was
    not interrupted. For a finished training, the weights are read.

    Args:
        model: maps `(B, 1, H, W)`, values in [0, 1], to logits `(B, classes)`; trained in place.
        train: images and labels.
        folder: created if missing.
        options: see `ImageOptions`.
        val: images that are scored after each epoch.

    Raises:
        TaskError: If the folder holds a training of another network or with other options, or the loss is not finite.
    """
    run = Path(folder)
    identity = {**asdict(options), "model": str(model), "images": len(train)}
    if (run / _BEFORE).is_file() and not (run / LAST).is_file():
        return _read_before(run / _BEFORE, identity, model, options)
    _check_identity(run, identity)
    module = ImageModule(model, train, val, options)
    data = ImageDataModule(len(train), 0 if val is None else len(val), options)
    again = f"call `fit_images` for {run} once more"
    try:
        with run_lock(run), torch.random.fork_rng():
            fit(
                module,
                data,
                run,
                _describe(model, train, identity),
                resume=True,
                trainer=_trainer(options),
                again=again,
            )
    except RunError as error:
        raise TaskError(
            f"{run} holds no state of a training that can be read: empty it to start again. {error}"
        ) from error
    model.to(options.device)
    return [{name: row[name] for name in _shown(row)} for row in read_table(run)]


@torch.no_grad()
def predict_images(model: nn.Module, digits: Digits, options: ImageOptions) -> Float[Tensor, "images classes"]:
    """Return the logits of all images, in evaluation mode and the precision of the options."""
    was_training = model.training
    model.eval()
    starts = range(0, len(digits), VALIDATED_AT_ONCE)
    with torch.autocast(torch.device(options.device).type, torch.bfloat16, enabled=options.precision == "bfloat16"):
        parts = [model(to_images(digits[k : k + VALIDATED_AT_ONCE], options.device)) for k in starts]
    model.train(was_training)
    return torch.cat(parts).float().cpu()


def error_rate(logits: Float[Tensor, "images classes"], digits: Digits) -> float:
    """Return the share of images whose largest logit belongs to another class.

    Example:
        >>> import numpy as np, torch
        >>> from gaugenet.data import Digits
        >>> from gaugenet.tasks import error_rate
        >>> logits = torch.tensor([[2.0, 1.0], [2.0, 1.0], [0.0, 1.0], [3.0, 1.0]])
        >>> error_rate(logits, Digits(np.zeros((4, 28, 28), np.uint8), np.array([0, 1, 1, 1])))
        0.5
    """
    return (logits.argmax(-1) != torch.from_numpy(digits.labels)).float().mean().item()


def _describe(model: nn.Module, train: Digits, identity: dict[str, Any]) -> RunDescription:
    return RunDescription(
        task=_TASK,
        model=type(model).__name__,
        arguments=dict(getattr(model, "config", {})),
        data=identity,
        classes=[str(k) for k in range(int(train.labels.max()) + 1)],
        items="image",
        seed=identity["seed"],
    )


def _trainer(options: ImageOptions) -> dict[str, Any]:
    device = torch.device(options.device)
    return {
        "max_epochs": options.epochs,
        "accelerator": {"cuda": "gpu"}.get(device.type, device.type),
        "devices": 1 if device.index is None else [device.index],
        "precision": "bf16-mixed" if options.precision == "bfloat16" else "32-true",
    }


def _shown(row: Row) -> list[str]:
    names = ("epoch", "train_loss", "train_error", "val_error", "cpu_seconds")
    return [name for name in names if name in row]


def _check_identity(run: Path, identity: dict[str, Any]) -> None:
    """Raise `TaskError` if the folder holds another training."""
    if not (run / DESCRIPTION).is_file():
        return
    found = {**asdict(ImageOptions()), **RunDescription.load(run).data}
    _compare(run, found, identity)


def _compare(path: Path, found: dict[str, Any], identity: dict[str, Any]) -> None:
    if other := [key for key in identity if found.get(key) != identity[key]]:
        raise TaskError(
            f"{path} holds a training with another {', '.join(other)}: choose another folder, or remove it."
        )


def _read_before(path: Path, identity: dict[str, Any], model: nn.Module, options: ImageOptions) -> list[Row]:
    """Read a finished training that an earlier version wrote as one file."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        found = {**asdict(ImageOptions()), **state["identity"]}
        rows: list[Row] = [{**row, "epoch": row["epoch"] + 1} for row in state["rows"]]  # they were counted from 0
    except UNREADABLE as error:
        raise TaskError(
            f"{path} is not a saved state of a training ({type(error).__name__}): remove it to start again."
        ) from error
    _compare(path, found, identity)
    if len(rows) < options.epochs:
        raise TaskError(
            f"{path} holds {len(rows)} of {options.epochs} epochs, by an earlier version of gaugenet: "
            "remove it to start again."
        )
    model.load_state_dict(state["model"])
    model.to(options.device)
    return rows

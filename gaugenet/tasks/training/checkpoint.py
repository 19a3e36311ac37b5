"""Checkpoints that stay valid if the process is killed at any moment: the states after the last two epochs."""

from __future__ import annotations

import logging
import os
import zipfile
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint

from gaugenet.files import UNREADABLE, disk_errors, reason_unread
from gaugenet.tasks.training.averaging import WeightAverage
from gaugenet.tasks.training.history import FIRST_EPOCH, counted_from_one, epoch_metrics
from gaugenet.tasks.training.module import TrainingModule
from gaugenet.tasks.training.run import RunDescription, RunError, Which, save_weights

logger = logging.getLogger(__name__)

LAST = "last.ckpt"
PREVIOUS = "previous.ckpt"


def find_checkpoint(run: str | Path) -> Path | None:
    """Return the newest complete checkpoint of a run, or `None`: `last.ckpt`, or with a warning the one before it.

    Raises:
        RunError: If there are checkpoints, but none of them can be read.
    """
    broken: list[str] = []
    for name in (LAST, PREVIOUS):
        path = Path(run) / name
        if not path.is_file():
            continue
        problem = _problem(path)
        if problem is None:
            if broken:
                logger.warning("%s cannot be read; going on from %s, one epoch earlier.", "; ".join(broken), path)
            return path
        broken.append(f"{path} ({problem})")
    if broken:
        raise RunError(f"No checkpoint of {run} can be read: {'; '.join(broken)}. Start again without --resume.")
    return None


def _problem(path: Path) -> str | None:
    if not zipfile.is_zipfile(path):
        return "truncated"
    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except UNREADABLE as error:
        return reason_unread(error)
    return None if isinstance(state, dict) and "state_dict" in state else "not a training checkpoint"


class RunCheckpoint(Checkpoint):
    """A callback that writes the run after every epoch: the state to resume from, the last and the best weights.

    Args:
        run: the run's folder.
        description: the content of `run.json`; its `metrics` are filled in here.
        monitor: metric that decides which weights are best, e.g. `"val_accuracy"`. Without a validation part, and
            until the first epoch that is validated, the last weights are the best.
        mode: `"max"` or `"min"`.
        average: the callback with averaged weights, which are then saved as the learned weights.
    """

    def __init__(
        self,
        run: str | Path,
        description: RunDescription,
        *,
        monitor: str | None = "val_accuracy",
        mode: str = "max",
        average: WeightAverage | None = None,
    ) -> None:
        if mode not in ("max", "min"):
            raise ValueError(f"Expected `mode` to be 'max' or 'min', got {mode!r}.")
        self.run = Path(run)
        self.description = description
        self.monitor = monitor
        self.sign = 1.0 if mode == "max" else -1.0
        self.average = average
        self.best: dict[str, float] = {}
        self.class_scores: dict[str, dict[str, dict[str, float | None]]] = {}

    # Lightning calls checkpoint callbacks last, when the other callbacks have finished the epoch.
    def on_train_epoch_end(self, trainer: Trainer, pl_module: TrainingModule) -> None:  # type: ignore[override]
        metrics = epoch_metrics(trainer)
        is_best = self._is_best(metrics)
        if is_best:
            self.best = metrics
        if scores := pl_module.class_scores():
            named = dict(zip(self.description.classes, scores, strict=True))
            self.class_scores |= dict.fromkeys(["best", "last"] if is_best else ["last"], named)
        # Weights before state: if killed in between, the epoch is repeated and writes the same weights again.
        if trainer.is_global_zero:
            self._save_weights(pl_module, metrics, is_best)
        self._save_state(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.is_global_zero and not trainer.interrupted:
            self.description.finished = True
            self.description.save(self.run)

    def _is_best(self, metrics: dict[str, float]) -> bool:
        if self.monitor is None:
            return True
        if self.monitor not in metrics:
            return self.monitor not in self.best
        return self.sign * metrics[self.monitor] > self.sign * self.best.get(self.monitor, -self.sign * float("inf"))

    def _save_state(self, trainer: Trainer) -> None:
        temporary = self.run / f".{LAST}.tmp"
        with disk_errors(self.run):
            trainer.save_checkpoint(temporary)  # every process takes part
        if trainer.is_global_zero:
            with open(temporary, "rb") as file:
                os.fsync(file.fileno())
            if (self.run / LAST).exists():
                os.replace(self.run / LAST, self.run / PREVIOUS)
            os.replace(temporary, self.run / LAST)

    def _save_weights(self, pl_module: TrainingModule, metrics: dict[str, float], is_best: bool) -> None:
        model = pl_module.model
        names: list[Which] = ["last", "best"] if is_best else ["last"]
        for which in names:
            if self.average is None:
                save_weights(self.run, model, which)
            else:
                with self.average.applied(pl_module):
                    save_weights(self.run, model, which)
        self.description.metrics = {"best": self.best, "last": metrics}
        self.description.class_scores = self.class_scores
        self.description.save(self.run)

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "class_scores": self.class_scores, "first_epoch": FIRST_EPOCH}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best = counted_from_one(state_dict["best"], state_dict)
        self.class_scores = state_dict.get("class_scores", {})

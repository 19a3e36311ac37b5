"""Fitting: the Lightning trainer with this library's callbacks, from the start or from a checkpoint."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import EarlyStopping

from gaugenet.tasks.training.averaging import WeightAverage
from gaugenet.tasks.training.checkpoint import RunCheckpoint, find_checkpoint
from gaugenet.tasks.training.history import History
from gaugenet.tasks.training.loggers import open_loggers
from gaugenet.tasks.training.module import TrainingModule
from gaugenet.tasks.training.options import OWN_TRAINER_ARGUMENTS, TaskError
from gaugenet.tasks.training.run import RunDescription
from gaugenet.tasks.training.task import TrainingData
from gaugenet.tasks.training.trainer import silence_lightning

logger = logging.getLogger(__name__)


def fit(
    module: TrainingModule,
    data: TrainingData,
    run: str | Path,
    description: RunDescription,
    *,
    resume: bool = False,
    trainer: dict[str, Any] | None = None,
    again: str | None = None,
) -> RunDescription:
    """Train and write the run after every epoch; return the description with the metrics of the best and last weights.

    Resuming is exact: all random numbers follow from the seed and the step, and the state of the last complete epoch
    is restored.

    Args:
        module: network, loss and optimizer.
        data: a `LightningDataModule` whose `val` holds the data for validation, perhaps empty.
        run: folder of the run; created if missing.
        description: the content of `run.json`.
        resume: continue from the newest complete checkpoint in `run`, or start if there is none.
        trainer: arguments of `lightning.pytorch.Trainer`, e.g. `{"max_epochs": 100, "devices": 2}`; `logger` by name,
            see `gaugenet.tasks.training.loggers`, or an object.
        again: how to continue after an interruption, for messages; by default the command that resumes the run.

    Raises:
        TaskError: If `trainer` holds an argument that is set here, or the loss is no longer finite.
        RunError: If `resume` is set and no checkpoint can be read.
        KeyboardInterrupt: If Ctrl-C is pressed; the run can be resumed.
    """
    arguments = dict(trainer or {})
    if taken := OWN_TRAINER_ARGUMENTS & set(arguments):
        raise TaskError(f"The trainer arguments {sorted(taken)} are set by the training itself: leave them out.")
    run = Path(run)
    run.mkdir(parents=True, exist_ok=True)
    loggers = open_loggers(arguments.pop("logger", None), run)
    checkpoint = find_checkpoint(run) if resume else None
    if resume and checkpoint is None:
        logger.info("No checkpoint in %s yet: starting from the beginning.", run)
    with warnings.catch_warnings():
        silence_lightning()
        arguments.setdefault("deterministic", "warn" if torch.cuda.is_available() else False)
        if not len(data.val):
            arguments["limit_val_batches"] = 0
        loop = Trainer(
            **arguments,
            logger=loggers or False,
            callbacks=_callbacks(run, description, module, validated=len(data.val) > 0),
            default_root_dir=str(run),
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
            num_sanity_val_steps=0,
            gradient_clip_val=module.options.clip or None,
        )
        try:
            loop.fit(module, datamodule=data, ckpt_path=checkpoint, weights_only=True)  # type: ignore[arg-type]
        except SystemExit:  # Lightning's reaction to Ctrl-C
            if not loop.interrupted:
                raise
            again = again or f"`gaugenet train {description.task} --out {run} --resume`"
            raise KeyboardInterrupt(f"interrupted in epoch {loop.current_epoch + 1}; go on with {again}.") from None
    return description


def _callbacks(run: Path, description: RunDescription, module: TrainingModule, *, validated: bool) -> list[Callback]:
    options = module.options
    average = WeightAverage(options.ema) if options.ema > 0 else None
    callbacks: list[Callback] = [average] if average else []
    callbacks.append(History(run))
    if options.patience:
        if not validated:
            raise TaskError(
                "Early stopping (--optim.patience) needs a validation part: hold one out, e.g. with --holdout."
            )
        callbacks.append(EarlyStopping(module.monitor, mode=module.mode, patience=options.patience, check_finite=False))
    monitor = module.monitor if validated else None
    callbacks.append(RunCheckpoint(run, description, monitor=monitor, mode=module.mode, average=average))
    return callbacks

"""Arguments of Lightning's trainer, checked before the data are prepared."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from typing import Any

from gaugenet.tasks.training.loggers import parse_loggers
from gaugenet.tasks.training.options import TaskError, check

_PRECISIONS = (None, "32-true", "32", 32, "16-mixed", "16", 16, "bf16-mixed", "bf16")
"""What a network computes in; features, geometry and weights are float32."""
_COUNTS = ("max_steps", "max_epochs")
_POSITIVE = ("num_nodes", "accumulate_grad_batches", "log_every_n_steps", "check_val_every_n_epoch")
_NOT_NEGATIVE = (
    "min_epochs",
    "min_steps",
    "limit_train_batches",
    "overfit_batches",
    "reload_dataloaders_every_n_epochs",
)


def check_trainer(arguments: Mapping[str, Any] | None) -> None:
    """Refuse arguments that Lightning's trainer cannot run with.

    Raises:
        TaskError: If a number is out of range, or the trainer cannot be made, for example on a missing device.
    """
    from lightning.pytorch import Trainer

    arguments = dict(arguments or {})
    if isinstance(arguments.get("logger"), str):
        parse_loggers(arguments["logger"])
    for names, expected, least in (
        (_COUNTS, "positive, or -1 for no limit", 1),
        (_POSITIVE, "at least 1", 1),
        (_NOT_NEGATIVE, "at least 0", 0),
    ):
        for name in names:
            value = arguments.get(name)
            if value is not None:
                check(value >= least or (names is _COUNTS and value == -1), f"trainer.{name}", expected, value)
    if arguments.get("limit_train_batches") == 0:
        raise TaskError("Expected `trainer.limit_train_batches` positive, got 0: nothing would be learned.")
    if arguments.get("precision") not in _PRECISIONS:
        raise TaskError(
            f"Expected `trainer.precision` of 32-true, bf16-mixed or 16-mixed, got {arguments['precision']}: weights "
            "and geometry are float32."
        )
    quiet = {
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            silence_lightning()
            Trainer(**{**arguments, **quiet})
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise TaskError(f"Lightning's trainer refuses its options: {reason}") from error


def silence_lightning() -> None:
    """Silence advice of Lightning that does not apply here, such as workers for data in memory."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for text in (
        ".*does not have many workers.*",
        ".*is smaller than the logging interval.*",
        ".*The `srun` command.*",
        ".*Checkpoint directory.*",
        ".*Experiment logs directory.*",
        ".*GPU available but not used.*",
        ".*isinstance.treespec, LeafSpec.*",
    ):
        warnings.filterwarnings("ignore", text)

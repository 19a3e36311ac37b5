"""Default options of the three tasks, where they differ from those of the option classes."""

from __future__ import annotations

from typing import Any

DEFAULTS: dict[str, dict[str, Any]] = {
    "segmentation": {"trainer.max_epochs": 100},
    "correspondence": {"trainer.max_epochs": 100, "data.batch_size": 1},
    "classification": {"trainer.max_epochs": 60, "data.batch_size": 8},
    "climate": {"trainer.max_epochs": 40, "optim.ema": 0.99},
}

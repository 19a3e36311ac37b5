"""Default options of the three tasks, where they differ from those of the option classes."""

from __future__ import annotations

from typing import Any

DEFAULTS: dict[str, dict[str, Any]] = {
    "segmentation": {"trainer.max_epochs": 100},
    "correspondence": {"trainer.max_epochs": 100, "data.batch_size": 1},
    "classification": {"trainer.max_epochs": 60, "data.batch_size": 8},
    "climate": {
        "trainer.max_epochs": 30,
        "optim.ema": 0.99,
        "optim.lr": 4e-3,
        "model.group": "D_6",  # with latitude, see SphereInputs: mirror images of the globe are the same weather
        "model.growth": 1.5,
        "model.dropout": 0.1,
    },
}

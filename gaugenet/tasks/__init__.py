"""Tasks: training, scoring and using networks that label faces, vertices or whole meshes.

Names are imported when they are asked for: reading a run needs neither Lightning nor the data package.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOME = {
    "load_run": "run",
    "RunDescription": "run",
    "RunError": "run",
    "TaskError": "options",
    "OptimOptions": "options",
    "GaugeTask": "task",
    "GraphDataModule": "loading",
    "fit": "training",
    "train": "pipeline",
    "evaluate": "evaluation",
    "predict": "prediction",
    "Predictor": "inference",
    "DataOptions": "data_options",
    "GeometryOptions": "data_options",
    "Scores": "metrics",
    "ScoreKeeper": "metrics",
    "confusion_matrix": "metrics",
    "face_log_probabilities": "losses",
    "item_log_probabilities": "outputs",
    "ImageOptions": "images",
    "error_rate": "images",
    "fit_images": "images",
    "predict_images": "images",
    "rotation_errors": "image_results",
    "result_table": "image_results",
    "train_and_test": "image_results",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__

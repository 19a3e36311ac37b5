"""Tasks: training, scoring and using networks, one class a task.

Names are imported when they are asked for: reading a run needs neither Lightning nor the data package.
"""

from __future__ import annotations

import importlib
import warnings
from typing import Any

from gaugenet._deprecation import deprecated_names

_HOME = {
    "load_run": "training.run",
    "RunDescription": "training.run",
    "RunError": "training.run",
    "TaskError": "training.options",
    "OptimOptions": "training.options",
    "Task": "training.task",
    "TrainingModule": "training.module",
    "TASKS": "table",
    "find_task": "table",
    "task_of_run": "table",
    "train_task": "training.train",
    "MeshLabelModule": "mesh.module",
    "MeshLabelTask": "mesh.task",
    "ClimateTask": "climate.task",
    "ClimateData": "climate.options",
    "ClimateLoss": "climate.options",
    "train_climate": "climate.train",
    "evaluate_climate": "climate.evaluation",
    "predict_climate": "climate.prediction",
    "GraphDataModule": "training.loading",
    "fit": "training.fit",
    "train": "mesh.train",
    "evaluate": "mesh.evaluation",
    "predict": "mesh.prediction",
    "Predictor": "mesh.inference",
    "DataOptions": "mesh.data_options",
    "GeometryOptions": "mesh.data_options",
    "Scores": "mesh.metrics",
    "MetricAccumulator": "mesh.metrics",
    "confusion_matrix": "mesh.metrics",
    "face_log_probabilities": "mesh.losses",
    "item_log_probabilities": "mesh.outputs",
    "ImageOptions": "images.options",
    "error_rate": "images.train",
    "fit_images": "images.train",
    "predict_images": "images.train",
    "rotation_errors": "images.results",
    "result_table": "images.results",
    "train_and_test": "images.results",
}

_RENAMED = {"GaugeTask": "MeshLabelModule"}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name in _RENAMED:
        warnings.warn(f"{__name__}.{name} is now called {_RENAMED[name]}.", DeprecationWarning, stacklevel=2)
        name = _RENAMED[name]
    if name not in _HOME:
        return deprecated_names(__name__)(name)
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__

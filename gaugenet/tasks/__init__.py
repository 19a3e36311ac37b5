"""Tasks: training, scoring and using networks, one class a task.

Names are imported when they are asked for: reading a run needs neither Lightning nor the data package.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gaugenet._lazy import lazy_exports

if TYPE_CHECKING:
    from gaugenet.tasks.climate.evaluation import evaluate_climate
    from gaugenet.tasks.climate.options import ClimateData, ClimateLoss
    from gaugenet.tasks.climate.prediction import predict_climate
    from gaugenet.tasks.climate.task import ClimateTask
    from gaugenet.tasks.climate.train import train_climate
    from gaugenet.tasks.forecast.evaluation import evaluate_forecast
    from gaugenet.tasks.forecast.options import ForecastData, ForecastLoss
    from gaugenet.tasks.forecast.prediction import predict_forecast
    from gaugenet.tasks.forecast.task import ForecastTask
    from gaugenet.tasks.forecast.train import train_forecast
    from gaugenet.tasks.images.options import ImageOptions
    from gaugenet.tasks.images.results import result_table, rotation_errors, train_and_test
    from gaugenet.tasks.images.train import error_rate, fit_images, predict_images
    from gaugenet.tasks.mesh.data_options import DataOptions, GeometryOptions
    from gaugenet.tasks.mesh.evaluation import evaluate
    from gaugenet.tasks.mesh.inference import Predictor
    from gaugenet.tasks.mesh.losses import face_log_probabilities
    from gaugenet.tasks.mesh.metrics import MetricAccumulator, Scores, confusion_matrix
    from gaugenet.tasks.mesh.module import MeshLabelModule
    from gaugenet.tasks.mesh.outputs import item_log_probabilities
    from gaugenet.tasks.mesh.prediction import predict
    from gaugenet.tasks.mesh.task import MeshLabelTask
    from gaugenet.tasks.mesh.train import train
    from gaugenet.tasks.molecules.evaluation import evaluate_molecules
    from gaugenet.tasks.molecules.inference import LearnedForces, MoleculePredictor
    from gaugenet.tasks.molecules.options import MoleculeData, MoleculeLoss
    from gaugenet.tasks.molecules.prediction import predict_molecules
    from gaugenet.tasks.molecules.task import MoleculeTask
    from gaugenet.tasks.molecules.train import train_molecules
    from gaugenet.tasks.regression.evaluation import evaluate_fields
    from gaugenet.tasks.regression.inference import FieldPredictor
    from gaugenet.tasks.regression.module import RegressionModule
    from gaugenet.tasks.regression.options import RegressionData, RegressionLoss
    from gaugenet.tasks.regression.prediction import predict_fields
    from gaugenet.tasks.regression.task import RegressionTask
    from gaugenet.tasks.table import TASKS, find_task, task_of_run
    from gaugenet.tasks.training.cross_validation import CrossValidation, cross_validate
    from gaugenet.tasks.training.fit import fit
    from gaugenet.tasks.training.loading import GraphDataModule
    from gaugenet.tasks.training.loss_options import LossOptions
    from gaugenet.tasks.training.module import TrainingModule
    from gaugenet.tasks.training.options import OptimOptions, TaskError
    from gaugenet.tasks.training.run import RunDescription, RunError, load_run
    from gaugenet.tasks.training.task import Task
    from gaugenet.tasks.training.train import train_task
else:
    __getattr__, __dir__ = lazy_exports(__name__)

__all__ = [
    "ClimateData",
    "ClimateLoss",
    "ClimateTask",
    "CrossValidation",
    "DataOptions",
    "FieldPredictor",
    "ForecastData",
    "ForecastLoss",
    "ForecastTask",
    "GeometryOptions",
    "GraphDataModule",
    "ImageOptions",
    "LearnedForces",
    "LossOptions",
    "MeshLabelModule",
    "MeshLabelTask",
    "MetricAccumulator",
    "MoleculeData",
    "MoleculeLoss",
    "MoleculePredictor",
    "MoleculeTask",
    "OptimOptions",
    "Predictor",
    "RegressionData",
    "RegressionLoss",
    "RegressionModule",
    "RegressionTask",
    "RunDescription",
    "RunError",
    "Scores",
    "TASKS",
    "Task",
    "TaskError",
    "TrainingModule",
    "confusion_matrix",
    "cross_validate",
    "error_rate",
    "evaluate",
    "evaluate_climate",
    "evaluate_fields",
    "evaluate_forecast",
    "evaluate_molecules",
    "face_log_probabilities",
    "find_task",
    "fit",
    "fit_images",
    "item_log_probabilities",
    "load_run",
    "predict",
    "predict_climate",
    "predict_fields",
    "predict_forecast",
    "predict_images",
    "predict_molecules",
    "result_table",
    "rotation_errors",
    "task_of_run",
    "train",
    "train_and_test",
    "train_climate",
    "train_forecast",
    "train_molecules",
    "train_task",
]

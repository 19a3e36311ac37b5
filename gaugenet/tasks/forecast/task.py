"""The task that forecasts fields on the globe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

from gaugenet.tasks.climate.task import COASTLINES
from gaugenet.tasks.training.options import use_threads
from gaugenet.tasks.training.task import (
    DEVICE,
    OPTIM_WITHOUT_LABELS,
    OVERWRITE,
    RESULTS,
    THREADS,
    WEIGHTS,
    OptionGroup,
    Prediction,
    Task,
    Training,
    Usage,
    option,
)

_EVALUATE = """Score the forecasts of a run on files: root mean square error by lead time against persistence and
climatology, anomaly correlation and spectra, all by area. Writes evaluation_NAME.json, scores.png, map.png and
globe.html into the run, or into --out."""
_PREDICT = """Forecast from one time step of files, and write the steps that follow as CF NetCDF, on the grid and on the
dimensions of the input."""

_STEPS = option("--steps", type=int, default=20, metavar="N", help="length of a forecast in steps")
_COMMON = (
    WEIGHTS,
    option(
        "--missing", type=Literal["refuse", "mean"] | None, default=None, help="values that are not finite; as trained"
    ),
    THREADS,
    DEVICE,
)


class ForecastTask(Task):
    """Fields at t + dt from fields at t, by an `IcosahedralUNet` that predicts the change."""

    name = "forecast"
    summary = "fields on the globe one step later: NetCDF files with scalars and winds"
    groups = (
        OptionGroup("data", "gaugenet.tasks.forecast.options:ForecastData"),
        OptionGroup("model", "gaugenet.models._icosahedral:Trunk", built=False),
        OptionGroup("loss", "gaugenet.tasks.forecast.options:ForecastLoss"),
        OPTIM_WITHOUT_LABELS,
    )
    defaults: ClassVar[Mapping[str, Any]] = {
        "trainer.max_epochs": 30,
        "optim.ema": 0.99,
        "optim.lr": 4e-3,
        "model.group": "D_6",  # mirror images of the globe have the same dynamics
        "model.width": 6,
        "model.growth": 1.5,  # with the norm `batch`: `layer` would hide the strength of a wind from the nonlinearities
    }
    shortcuts: ClassVar[Mapping[str, str]] = {
        "--data": "--data.files",
        "--val": "--data.val",
        "--level": "--data.level",
        "--rollout": "--data.rollout",
    }
    lists = frozenset({"--data.files", "--data.val", "--data.static"})
    headline = ("val_rmse", "val_persistence", "train_loss")
    evaluation = Usage(
        _EVALUATE,
        (
            option("--data", nargs="+", required=True, metavar="FILE", help="files, or folders of them"),
            _STEPS,
            option("--stride", type=int, default=1, metavar="N", help="start at every Nth possible start"),
            option("--rotations", type=int, default=0, metavar="N", help="also score N rotations of the globe"),
            option("--icosahedral", action="store_true", help="also test the 60 rotations of the icosahedron"),
            COASTLINES,
            RESULTS,
            OVERWRITE,
            *_COMMON,
        ),
    )
    prediction = Usage(
        _PREDICT,
        (
            option("files", nargs="+", metavar="FILE", help="climate files, or folders of them"),
            option("--out", type=Path, required=True, metavar="OUT.nc", help="NetCDF file on the input's grid"),
            _STEPS,
            option(
                "--start",
                type=str,
                default="last",
                help="first, last, all, 'every N', or a time: 2020-01-31T18",
            ),
            OVERWRITE,
            *_COMMON,
        ),
    )

    def begin(self, options: Mapping[str, Any], *, seed: int) -> Training:
        from gaugenet.tasks.forecast.setup import begin

        return begin(options, seed=seed)

    def evaluate(self, run: Path, *, threads: int | None = None, **options: Any) -> dict[str, Any]:
        """Score the forecasts of a run, see `evaluate_forecast`."""
        from gaugenet.tasks.forecast.evaluation import evaluate_forecast

        use_threads(threads)
        return evaluate_forecast(run, **options)

    def describe(self, result: Mapping[str, Any]) -> str:
        from gaugenet.tasks.forecast.report import describe_scores

        return describe_scores(result)

    def predict(
        self, run: Path, *, files: Sequence[str] = (), threads: int | None = None, **options: Any
    ) -> Prediction:
        """Forecast from files, see `predict_forecast`."""
        from gaugenet.tasks.forecast.prediction import predict_forecast

        use_threads(threads)
        found = predict_forecast(run, files, **options)
        several = f" and {found['starts'] - 1} later starts" if found["starts"] > 1 else ""
        return Prediction(
            [f"{found['out']}: {found['steps']} steps, {found['hours']:g} h from {found['start']}{several}"]
        )

    def draw(self, run: Path, file: Path, **look: Any) -> str:
        """Copy the page or the map of the last evaluation."""
        from gaugenet.tasks.climate.pictures import copy_picture

        return copy_picture(run, file)

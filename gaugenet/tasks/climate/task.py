"""The task that finds weather patterns on the globe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

from gaugenet.tasks.training.options import TaskError, use_threads
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

_EVALUATE = """Score a climate run on labelled files: average precision, IoU, recall and precision of every class by
area, and objects found within 300 km. Writes evaluation_NAME.json, map.png and
globe.html into the run, or into --out."""
_PREDICT = """Label climate files: probabilities and labels of every time step, as CF NetCDF on the grid of the input
(OUT.nc) and on the icosahedron (OUT.icosphere.nc)."""

_COMMON = (
    WEIGHTS,
    option("--tta", type=int, default=0, metavar="N", help="average over N poses of the globe"),
    option(
        "--missing", type=Literal["refuse", "mean"] | None, default=None, help="values that are not finite; as trained"
    ),
    THREADS,
    DEVICE,
    option("--precision", type=Literal["float32", "bfloat16"], default="float32", help="bfloat16 is faster with AMX"),
)

COASTLINES = option(
    "--coastlines", type=bool, default=True, help="draw the coasts of the Earth; false for other planets"
)


class ClimateTask(Task):
    """Classes of all places on the globe, from winds and scalars, by an `IcosahedralUNet`."""

    name = "climate"
    summary = "weather patterns on the globe: NetCDF files with winds and labels"
    groups = (
        OptionGroup("data", "gaugenet.tasks.climate.options:ClimateData"),
        OptionGroup("model", "gaugenet.models._icosahedral:Trunk", built=False),
        OptionGroup("loss", "gaugenet.tasks.climate.options:ClimateLoss"),
        OPTIM_WITHOUT_LABELS,
    )
    defaults: ClassVar[Mapping[str, Any]] = {
        "trainer.max_epochs": 30,
        "optim.ema": 0.99,
        "optim.lr": 4e-3,
        "model.group": "D_6",  # with latitude, see SphereInputs: mirror images of the globe are the same weather
        "model.growth": 1.5,
        "model.dropout": 0.1,
    }
    shortcuts: ClassVar[Mapping[str, str]] = {
        "--data": "--data.files",
        "--val": "--data.val",
        "--level": "--data.level",
    }
    lists = frozenset({"--data.files", "--data.val"})
    headline = ("val_ap", "val_iou", "train_loss")
    evaluation = Usage(
        _EVALUATE,
        (
            option("--data", nargs="+", required=True, metavar="FILE", help="labelled files, or folders of them"),
            option("--rotations", type=int, default=0, metavar="N", help="also score N rotations of the globe"),
            option("--icosahedral", action="store_true", help="also score the 60 rotations of the icosahedron"),
            option("--calibrate", action="store_true", help="calibrate the run by these files, and store that in it"),
            option("--within_km", type=float, default=300.0, help="distance within which an object is found"),
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
            option(
                "--icosphere",
                type=Path | None,
                default=None,
                metavar="FILE",
                help="and on the icosahedron; by OUT's name",
            ),
            OVERWRITE,
            *_COMMON,
        ),
    )

    def begin(self, options: Mapping[str, Any], *, seed: int) -> Training:
        from gaugenet.tasks.climate.setup import begin

        return begin(options, seed=seed)

    def evaluate(self, run: Path, *, threads: int | None = None, **options: Any) -> dict[str, Any]:
        """Score a run on labelled files, see `evaluate_climate`."""
        from gaugenet.tasks.climate.evaluation import evaluate_climate

        use_threads(threads)
        return evaluate_climate(run, **options)

    def describe(self, result: Mapping[str, Any]) -> str:
        from gaugenet.tasks.climate.report import describe_scores

        return describe_scores(result)

    def predict(
        self,
        run: Path,
        *,
        files: Sequence[str] = (),
        icosphere: Path | None = None,
        threads: int | None = None,
        **options: Any,
    ) -> Prediction:
        """Label climate files, see `predict_climate`."""
        from gaugenet.tasks.climate.prediction import predict_climate

        use_threads(threads)
        result = predict_climate(run, files, sphere=icosphere, **options)
        parts = ", ".join(f"{name} {100 * share:.2f} %" for name, share in result["area"].items())
        return Prediction([f"{result['grid']} and {result['icosphere']}: {result['steps']} time steps  {parts}"])

    def draw(self, run: Path, file: Path, **look: Any) -> str:
        """Copy the page or the map of the last evaluation."""
        from gaugenet.tasks.climate.pictures import copy_picture

        if "worst" in look:
            raise TaskError("--worst is for meshes: a climate run has one map and one globe.")
        return copy_picture(run, file)

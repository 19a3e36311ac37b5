"""The task that predicts fields on meshes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from gaugenet.tasks.mesh.folded_task import FoldedTask
from gaugenet.tasks.mesh.task import FEATURE, N_JOBS, UNIT, MeshLabelTask
from gaugenet.tasks.training.task import (
    DEVICE,
    OPTIM_WITHOUT_LABELS,
    OVERWRITE,
    RESULTS,
    WEIGHTS,
    FoldScores,
    OptionGroup,
    Prediction,
    Training,
    Usage,
    option,
)

if TYPE_CHECKING:
    from gaugenet.data import MeshDataset
    from gaugenet.tasks.regression.options import RegressionData

_SAMPLES = option(
    "--samples", type=int, default=0, metavar="N", help="N networks by dropout, for the mean and the spread; 0: none"
)
_ENSEMBLE = option(
    "--ensemble", nargs="+", type=Path, default=[], metavar="RUN", help="further runs, for the mean and the spread"
)
_LABELS = frozenset(
    {
        *("format", "labels", "label_property", "holdout", "held_out", "remesh"),
        *("val_people", "train_per_class", "val_per_class"),
    }
)
"""Options of labelled data sets that a regression does not have."""
_OF_FOLDS = ("nmae", "relative_l2")
_EVALUATE = """Score a run of `gaugenet train regression` on a split of a data set with its targets. Writes
evaluation_SPLIT.json, predictions_SPLIT.npz, and parity, errors and maps as pictures."""
_PREDICT = """Predict fields on meshes. For NAME.ply the folder OUT receives NAME.fields.npz (an array a target, vectors
in coordinates of space), NAME.fields.ply (all that the input holds, and the predictions as properties),
NAME.fields.vtp (for ParaView, whose filter Glyph draws arrows) and a line in predictions.json.

Meshes that cannot be used are named, the others are predicted all the same; exit status 1 if there was one."""


class RegressionTask(FoldedTask):
    """Scalars, vectors and tensors at vertices, at faces or of whole meshes, by a `MeshUNet`."""

    name = "regression"
    summary = "scalars, vectors and tensors on meshes: at vertices, at faces or of whole meshes"
    groups = (
        OptionGroup(
            "data",
            "gaugenet.tasks.regression.options:RegressionData",
            skip=_LABELS,
        ),
        OptionGroup("geometry", "gaugenet.tasks.mesh.data_options:GeometryOptions"),
        OptionGroup(
            "model",
            "gaugenet.models.mesh_unet:MeshUNet",
            skip=frozenset({"in_type", "out_type", "out_channels", "group", "levels", "readout"}),
            built=False,
        ),
        OptionGroup("loss", "gaugenet.tasks.regression.options:RegressionLoss"),
        OPTIM_WITHOUT_LABELS,
    )
    shortcuts: ClassVar[Mapping[str, str]] = {k: v for k, v in MeshLabelTask.shortcuts.items() if k != "--holdout"}
    defaults: ClassVar[Mapping[str, Any]] = {"trainer.max_epochs": 100, "model.dropout": 0.0}
    headline = ("val_loss", "train_loss")
    evaluation = Usage(
        _EVALUATE,
        (
            option("--data", type=Path, required=True, metavar="DIR", help="folder of the data set"),
            option("--split", type=Literal["train", "val", "test"], default="test", help="part of the data set"),
            RESULTS,
            OVERWRITE,
            WEIGHTS,
            _SAMPLES,
            _ENSEMBLE,
            option(
                "--repair",
                type=Literal["never", "lossless", "always"] | None,
                default=None,
                help="how meshes may be repaired; as in training by default",
            ),
            option("--cache", type=Path | None, default=None, help="folder of prepared meshes; RUN/cache by default"),
            FEATURE,
            UNIT,
            N_JOBS,
            DEVICE,
        ),
    )
    prediction = Usage(
        _PREDICT,
        (
            option("meshes", nargs="+", type=Path, metavar="MESH", help="mesh files, or folders of them"),
            option("--out", type=Path, required=True, metavar="DIR", help="folder for the results"),
            option("--repair", action="store_true", help="repair meshes even where faces are lost"),
            OVERWRITE,
            WEIGHTS,
            _SAMPLES,
            _ENSEMBLE,
            FEATURE,
            UNIT,
            N_JOBS,
            DEVICE,
        ),
    )

    def begin(self, options: Mapping[str, Any], *, seed: int) -> Training:
        from gaugenet.tasks.regression.setup import begin

        return begin(options, seed=seed)

    def pool(self, options: RegressionData) -> tuple[MeshDataset, list[Path]]:
        from gaugenet.tasks.regression.options import pooled

        return pooled(options)

    def fold_scores(self, result: Mapping[str, Any]) -> FoldScores:
        figures = {f"{name} {score}": s[score] for name, s in result["fields"].items() for score in _OF_FOLDS}
        return FoldScores({name: value for name, value in figures.items() if value is not None})

    def evaluate(self, run: Path, **options: Any) -> dict[str, Any]:
        """Score a run on a split, see `gaugenet.tasks.evaluate_fields`."""
        from gaugenet.tasks.regression.evaluation import evaluate_fields

        return evaluate_fields(run, **options)

    def describe(self, result: Mapping[str, Any]) -> str:
        from gaugenet.tasks.regression.report import describe_scores

        return describe_scores(result)

    def predict(self, run: Path, *, repair: bool = False, **options: Any) -> Prediction:
        """Predict fields, see `gaugenet.tasks.predict_fields`."""
        from gaugenet.tasks.regression.prediction import predict_fields
        from gaugenet.tasks.regression.report import describe_mesh

        entries = predict_fields(run, repair="always" if repair else None, **options)
        return Prediction.of(entries, describe_mesh)

    def draw(self, run: Path, file: Path, **look: Any) -> str:
        from gaugenet.tasks.regression.pictures import draw_run

        return draw_run(run, file, **look)

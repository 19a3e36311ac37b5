"""The tasks that label meshes: faces or vertices, points of a template, or whole shapes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from gaugenet.tasks.mesh.folded_task import FoldedTask
from gaugenet.tasks.training.task import (
    DEVICE,
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
    from gaugenet.tasks.mesh.data_options import DataOptions, Format

_TTA = option("--tta", type=int, default=0, metavar="N", help="average over N random rotations of each mesh")
_FLOW = option(
    "--label_flow",
    type=float | None,
    default=None,
    metavar="D",
    help="let probabilities of faces flow this far, over the square root of the area; as in training by default",
)
FEATURE = option(
    "--feature",
    action="append",
    default=[],
    metavar="MODULE:CLASS",
    help="a feature class of your own that the run was trained with; a run cannot name code",
)
UNIT = option(
    "--unit",
    action="append",
    default=[],
    metavar="NAME=UNIT",
    help="unit of a field in these files, where it differs from training and the files do not tell",
)
N_JOBS = option("--n_jobs", type=int, default=-1, help="meshes handled at once; -1 uses all cores")

_EVALUATE = """Score a run on a labelled split and write evaluation_SPLIT.json, predictions_SPLIT.npz and
confusion.png into its folder, or into --out. Accuracy is the plain mean over all faces of the split ("hard face" in
the MeshCNN benchmarks), vertices or meshes, whichever have the labels; the mean of the accuracies of the
meshes follows. Runs of `gaugenet train climate` are scored on files, by area: see `gaugenet evaluate RUN --help`."""
_PREDICT = """Label meshes with a trained network. For NAME.obj the folder OUT receives NAME.faces.npy and
NAME.vertices.npy (in the order of the file and in the numbers of the training labels), NAME.labels.ply (colored) and
a line in predictions.json.

A run of `gaugenet train climate` takes NetCDF files instead: `gaugenet predict RUN IN.nc --out OUT.nc` (see
`gaugenet predict RUN --help`).

Meshes that cannot be used are named, the others are labelled all the same; exit status 1 if there was one."""


class MeshLabelTask(FoldedTask):
    """Labels on meshes, by a `MeshUNet`: the common base of the three tasks."""

    groups = (
        OptionGroup("data", "gaugenet.tasks.mesh.data_options:DataOptions", skip=frozenset({"held_out"})),
        OptionGroup("geometry", "gaugenet.tasks.mesh.data_options:GeometryOptions"),
        OptionGroup(
            "model",
            "gaugenet.models.mesh_unet:MeshUNet",
            skip=frozenset({"in_type", "out_type", "out_channels", "group", "levels", "readout"}),
            built=False,
        ),
        OptionGroup("loss", "gaugenet.tasks.training.loss_options:LossOptions"),
        OptionGroup("optim", "gaugenet.tasks.training.options:OptimOptions"),
    )
    shortcuts: ClassVar[Mapping[str, str]] = {
        "--data": "--data.root",
        "--holdout": "--data.holdout",
        "--cache": "--data.cache",
        "--n_jobs": "--data.n_jobs",
    }
    headline = ("val_accuracy", "val_iou", "train_accuracy")
    evaluation = Usage(
        _EVALUATE,
        (
            option("--data", type=Path, required=True, metavar="DIR", help="folder of the data set"),
            option("--split", type=Literal["train", "val", "test"], default="test", help="part of the data set"),
            RESULTS,
            OVERWRITE,
            WEIGHTS,
            _TTA,
            _FLOW,
            option(
                "--gauge-check", action="store_true", help="draw a random frame at every vertex and tell what moves"
            ),
            option(
                "--one-to-one",
                action="store_true",
                help="correspondences: give each label to at most one vertex of a mesh",
            ),
            option(
                "--repair",
                type=Literal["never", "lossless", "always"] | None,
                default=None,
                help="how meshes may be repaired; as in training by default",
            ),
            option(
                "--format",
                type=Literal["auto", "meshcnn", "folder", "faust", "shrec"] | None,
                default=None,
                help="layout of the data; as in training by default",
            ),
            option(
                "--cache",
                type=Path | None,
                default=None,
                help="folder of prepared meshes; by default cache/ next to the results",
            ),
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
            option("--probabilities", action="store_true", help="also write the probabilities of all classes"),
            option(
                "--repair",
                action="store_true",
                help="repair meshes even where faces are lost; labels are transferred back to the mesh as given",
            ),
            OVERWRITE,
            WEIGHTS,
            _TTA,
            _FLOW,
            FEATURE,
            UNIT,
            N_JOBS,
            DEVICE,
        ),
    )

    def begin(self, options: Mapping[str, Any], *, seed: int) -> Training:
        from gaugenet.tasks.mesh.setup import begin

        return begin(self.name, options, seed=seed)

    def pool(self, options: DataOptions) -> tuple[MeshDataset, list[Path]]:
        from gaugenet.tasks.mesh.data_options import pooled

        return pooled(self.name, options)  # type: ignore[arg-type]

    def fold_scores(self, result: Mapping[str, Any]) -> FoldScores:
        from gaugenet.tasks.mesh.folds import fold_figures

        return FoldScores(*fold_figures(result))

    def evaluate(self, run: Path, *, format: Format | None = None, **options: Any) -> dict[str, Any]:
        """Score a run on a labelled split, see `gaugenet.tasks.evaluate`."""
        from gaugenet.tasks.mesh.evaluation import evaluate

        return evaluate(run, layout=format, **options)

    def describe(self, result: Mapping[str, Any]) -> str:
        from gaugenet.tasks.mesh.report import describe_scores

        return describe_scores(result)

    def predict(self, run: Path, *, repair: bool = False, **options: Any) -> Prediction:
        """Label meshes, see `gaugenet.tasks.predict`."""
        from gaugenet.tasks.mesh.prediction import predict
        from gaugenet.tasks.mesh.report import describe_mesh

        entries = predict(run, repair="always" if repair else None, **options)
        return Prediction.of(entries, describe_mesh)

    def draw(self, run: Path, file: Path, **look: Any) -> str:
        from gaugenet.tasks.mesh.pictures import draw_meshes

        return draw_meshes(run, file, **look)


class SegmentationTask(MeshLabelTask):
    """A class for every face or vertex."""

    name = "segmentation"
    summary = "a class for every face (or vertex): MeshCNN layout, or a folder of labelled meshes"
    defaults: ClassVar[Mapping[str, Any]] = {"trainer.max_epochs": 100}


class CorrespondenceTask(MeshLabelTask):
    """The vertex of a template for every vertex."""

    name = "correspondence"
    summary = "every vertex finds its place on a template: FAUST registrations"
    defaults: ClassVar[Mapping[str, Any]] = {"trainer.max_epochs": 100, "data.batch_size": 1}


class ClassificationTask(MeshLabelTask):
    """A class for every mesh."""

    name = "classification"
    summary = "a class for every mesh: one folder a class (SHREC-11)"
    defaults: ClassVar[Mapping[str, Any]] = {"trainer.max_epochs": 60, "data.batch_size": 8}

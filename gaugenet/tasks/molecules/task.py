"""The task that learns energies and forces of molecules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

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

_EVALUATE = """Score a run of `gaugenet train molecules` on a part of its data or on other molecules: errors of
energies, of energies per atom and of force components. Writes evaluation_SPLIT.json, predictions_SPLIT.npz, and
pictures of parity and errors."""
_PREDICT = """Predict energies and forces. For NAME.xyz or NAME.npz the folder OUT receives NAME.predicted.xyz
(extended XYZ), NAME.predicted.npz and a line in predictions.json.

Files that cannot be used are named, the others are predicted all the same; exit status 1 if there was one."""


class MoleculeTask(Task):
    """Energies of molecules and their forces, by an `EnergyNetwork`."""

    name = "molecules"
    summary = "energies and forces of molecules: MD17, rMD17, QM9, extended XYZ"
    groups = (
        OptionGroup("data", "gaugenet.tasks.molecules.options:MoleculeData"),
        OptionGroup(
            "model",
            "gaugenet.models.energy_network:EnergyNetwork",
            skip=frozenset({"elements", "atomic_energies", "scale", "neighbors"}),
            built=False,
        ),
        OptionGroup("loss", "gaugenet.tasks.molecules.options:MoleculeLoss"),
        OPTIM_WITHOUT_LABELS,
    )
    defaults: ClassVar[Mapping[str, Any]] = {
        "trainer.max_epochs": 100,
        "optim.ema": 0.99,
        "optim.lr": 5e-3,
        "optim.weight_decay": 1e-4,
    }
    shortcuts: ClassVar[Mapping[str, str]] = {"--data": "--data.path", "--cutoff": "--model.cutoff"}
    headline = ("val_force_mae", "val_energy_mae", "val_loss", "train_loss")
    evaluation = Usage(
        _EVALUATE,
        (
            option("--data", type=Path, required=True, metavar="PATH", help="file or folder of molecules"),
            option(
                "--split",
                type=Literal["train", "val", "test", "all"],
                default="test",
                help="part of the data; test: neither trained on nor validated; all for other data",
            ),
            option(
                "--indices", type=Path | None, default=None, metavar="FILE", help="positions to score, one in a line"
            ),
            RESULTS,
            OVERWRITE,
            WEIGHTS,
            THREADS,
            DEVICE,
        ),
    )
    prediction = Usage(
        _PREDICT,
        (
            option("files", nargs="+", type=Path, metavar="MOLECULES", help="files or folders of molecules"),
            option("--out", type=Path, required=True, metavar="DIR", help="folder for the results"),
            OVERWRITE,
            WEIGHTS,
            THREADS,
            DEVICE,
        ),
    )

    def begin(self, options: Mapping[str, Any], *, seed: int) -> Training:
        from gaugenet.tasks.molecules.setup import begin

        return begin(options, seed=seed)

    def evaluate(self, run: Path, *, threads: int | None = None, **options: Any) -> dict[str, Any]:
        """Score a run, see `gaugenet.tasks.evaluate_molecules`."""
        from gaugenet.tasks.molecules.evaluation import evaluate_molecules

        use_threads(threads)
        return evaluate_molecules(run, **options)

    def describe(self, result: Mapping[str, Any]) -> str:
        from gaugenet.tasks.molecules.report import describe_scores

        return describe_scores(result)

    def predict(
        self, run: Path, *, files: Sequence[Path] = (), threads: int | None = None, **options: Any
    ) -> Prediction:
        """Predict energies and forces, see `gaugenet.tasks.predict_molecules`."""
        from gaugenet.tasks.molecules.prediction import predict_molecules
        from gaugenet.tasks.molecules.report import describe_file

        use_threads(threads)
        return Prediction.of(predict_molecules(run, files, **options), describe_file)

    def draw(self, run: Path, file: Path, **look: Any) -> str:
        from gaugenet.tasks.molecules.pictures import draw_run

        return draw_run(run, file)


__all__ = ["MoleculeTask"]

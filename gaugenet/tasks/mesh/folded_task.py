"""The base of the tasks on meshes: their cross-validation."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gaugenet.tasks.training.task import Fold, FoldScores, Task

if TYPE_CHECKING:
    from gaugenet.data import MeshDataset


class FoldedTask(Task):
    """A task on meshes that `data.folds` divides into folds; each fold is scored with the last weights."""

    @abstractmethod
    def pool(self, options: Any) -> tuple[MeshDataset, list[Path]]:
        """Return a reader of the data set of some options, and the meshes that are divided into folds."""

    @abstractmethod
    def fold_scores(self, result: Mapping[str, Any]) -> FoldScores:
        """Return the scores of a fold from the result of `evaluate`."""

    def is_cross_validation(self, options: Mapping[str, Any]) -> bool:
        return options["data"].folds > 0 and options["data"].fold is None

    def folds(self, options: Mapping[str, Any], run: Path) -> list[Fold]:
        from gaugenet.tasks.mesh.data_options import cache_folder
        from gaugenet.tasks.mesh.folds import fold_options

        data = options["data"]
        shared = replace(data, cache=cache_folder(data.cache, run) or Path("none"))  # prepared once for all folds
        parts = fold_options(shared, self.pool)
        return [Fold({**options, "data": part}, list(part.held_out or ())) for part in parts]

    def score_fold(self, run: Path, fold: Fold) -> FoldScores:
        data = fold.options["data"]
        found = {"data": data.root, "cache": data.cache, "n_jobs": data.n_jobs}
        return self.fold_scores(self.evaluate(run, split="val", weights="last", overwrite=True, **found))

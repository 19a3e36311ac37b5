"""Options of a regression: the data, the predicted fields, and the loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from gaugenet.tasks.mesh.data_options import DataOptions, Split, cache_folder, limited
from gaugenet.tasks.training.options import TaskError, check

if TYPE_CHECKING:
    from gaugenet.data import MeshDataset
    from gaugenet.data.fields.spec import FieldSpec

LossKind = Literal["l2", "l1", "huber", "relative"]


@dataclass(frozen=True)
class RegressionData(DataOptions):
    """The meshes of a training, the predicted fields, inputs and augmentation.

    Attributes:
        targets: fields in the files of the meshes that the network learns, by name, such as
            {wss: vector, pressure: scalar}.
    """

    targets: dict[str, Any] | None = None

    def target_specs(self) -> tuple[FieldSpec, ...]:
        """Return the targets.

        Raises:
            TaskError: If there are none, or one of them is also an input.
            ValueError: If an entry cannot be used.
        """
        from gaugenet.data.fields.spec import parse_fields

        specs = parse_fields(self.targets, "data.targets")
        if not specs:
            raise TaskError(
                "No targets: name the fields to predict, such as --data.targets '{wss: vector, pressure: scalar}'."
            )
        both = sorted({spec.name for spec in specs} & set(self.inputs or ()))
        if both:
            raise TaskError(f"The fields {', '.join(both)} are inputs and targets: leave them out of one of the two.")
        return specs


@dataclass(frozen=True)
class RegressionLoss:
    """The loss, in units of each target's scale on the training part.

    Attributes:
        kind: l2 squares the error of an item, l1 takes its length, huber is l2 for errors below delta and l1 beyond.
            relative divides the root of the summed squares by the same root for the target, mesh by mesh.
        delta: error at which the Huber loss changes from squares to lengths, in units of the target's scale.
        area_weighted: weight vertices and faces by their area.
        weights: weight of each target, by name; 1 for targets that are not named.
    """

    kind: LossKind = "l2"
    delta: float = 1.0
    area_weighted: bool = False
    weights: dict[str, float] | None = None

    def __post_init__(self) -> None:
        check(self.delta > 0, "loss.delta", "positive", self.delta)
        if self.kind not in ("l2", "l1", "huber", "relative"):
            raise TaskError(f"Expected `loss.kind` to be l2, l1, huber or relative, got {self.kind!r}.")
        for name, weight in (self.weights or {}).items():
            check(weight >= 0, f"loss.weights.{name}", "at least 0", weight)

    def weights_of(self, specs: Sequence[FieldSpec]) -> dict[str, float]:
        """Return the weight of each target.

        Raises:
            TaskError: If a weight names a field that is not a target, or all of them are 0.
        """
        given: Mapping[str, float] = self.weights or {}
        names = [spec.name for spec in specs]
        if unknown := sorted(set(given) - set(names)):
            raise TaskError(f"`loss.weights` names {', '.join(unknown)}, but the targets are {', '.join(names)}.")
        weights = {name: float(given.get(name, 1.0)) for name in names}
        if not any(weights.values()):
            raise TaskError("All of `loss.weights` are 0: nothing would be learned.")
        return weights


def open_meshes(options: DataOptions, split: Split) -> MeshDataset:
    """Return the meshes of a split.

    Raises:
        TaskError: If no folder is given.
        DataError: If the folder or the split is missing, or smaller than `train_size`.
    """
    from gaugenet.data.fields.folder import FieldMeshFolder
    from gaugenet.data.meshes.folder import is_split_at_random
    from gaugenet.tasks.mesh.folds import part_of_fold

    if options.root is None:
        raise TaskError("No data: pass the folder with --data DIR.")
    if options.held_out is not None:
        if split != "test":
            return limited(part_of_fold(pooled(options), options, split), options, split)
        if is_split_at_random(options.root):
            raise TaskError("The folds take all meshes, and leave no test part: --split val scores what one held out.")
    fractions: Any = tuple(options.fractions)
    group = None if options.folds else options.group
    found = FieldMeshFolder(options.root, split, fractions=fractions, seed=options.split_seed, group=group)
    return limited(found, options, split)


def pooled(options: DataOptions) -> tuple[MeshDataset, list[Path]]:
    """Return a reader of the data set, and the meshes that are divided into folds, see `FieldMeshFolder.pool`."""
    dataset: Any = open_meshes(replace(options, held_out=None, train_size=0), "train")
    return dataset, list(dataset.pool)


def has_validation(options: DataOptions) -> bool:
    """Return whether the options set a validation part aside."""
    from gaugenet.data.meshes.folder import is_split_at_random

    root = options.root or Path()
    at_random = is_split_at_random(root) and options.fractions[1] > 0
    return options.held_out is not None or (root / "val").is_dir() or at_random


__all__ = ["RegressionData", "RegressionLoss", "cache_folder", "has_validation", "open_meshes", "pooled"]

"""Folds of a data set of meshes: the meshes that each fold holds out, and the scores of its run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from gaugenet.data import DataError, MeshDataset
from gaugenet.data.meshes.folds import grouped_by, split_folds
from gaugenet.data.meshes.sample import ChosenMeshes
from gaugenet.tasks.mesh.data_options import DataOptions, Split
from gaugenet.tasks.training.options import TaskError

Options = TypeVar("Options", bound=DataOptions)
Pool = tuple[MeshDataset, list[Path]]
"""A reader of a data set, and the meshes that are divided into folds."""

_FIGURES = ("accuracy", "mean_iou", "mesh_accuracy", "area_accuracy")


def fold_options(options: Options, pool: Callable[[Options], Pool]) -> list[Options]:
    """Return the options of the training of each fold, with the meshes that it holds out.

    Args:
        options: the options of all folds.
        pool: opens the meshes that are divided into folds.

    Raises:
        TaskError, DataError: If the meshes cannot be split into the folds, or the groups do not match their names.
    """
    if options.root is None:
        raise TaskError("No data: pass the folder with --data DIR.")
    dataset, paths = pool(options)
    keys = [_key(options.root, path) for path in paths]
    labels = [dataset.label_of(path) for path in paths]
    chosen = split_folds(
        keys,
        options.folds,
        group=grouped_by(keys, [path.stem for path in paths], options.group),
        labels=None if None in labels else labels,
        seed=options.split_seed,
    )
    held_out = [tuple(key for key, fold in zip(keys, chosen) if fold == k) for k in range(options.folds)]
    return [replace(options, fold=k, held_out=names) for k, names in enumerate(held_out)]


def with_held_out(options: Options, pool: Callable[[Options], Pool]) -> Options:
    """Return the options with the meshes that the chosen fold holds out, if folds are requested; see `fold_options`.

    Raises:
        TaskError: If no fold is chosen.
    """
    if not options.folds or options.held_out is not None:
        return options
    if options.fold is None:
        raise TaskError(
            "`data.folds` makes one training for each fold: choose one with `data.fold`, or train all of them with "
            "`gaugenet.tasks.cross_validate`."
        )
    return fold_options(options, pool)[options.fold]


def part_of_fold(pool: Pool, options: DataOptions, split: Split) -> MeshDataset:
    """Return the meshes that a fold trains on, or (`"val"`) the meshes that it holds out.

    Raises:
        DataError: If meshes that the fold holds out are missing.
    """
    dataset, paths = pool
    held_out, root = set(options.held_out or ()), options.root or Path()
    if missing := sorted(held_out - {_key(root, path) for path in paths}):
        raise DataError(f"{root} lacks {len(missing)} meshes that the fold holds out, such as {missing[0]}.")
    chosen = [path for path in paths if (_key(root, path) in held_out) == (split == "val")]
    return ChosenMeshes(dataset, chosen, paths)


def fold_figures(result: Mapping[str, Any]) -> tuple[dict[str, float], dict[str, float | None]]:
    """Return the scores and the IoU of each class, from a result of `evaluate`, for the table of all folds."""
    figures = {name: result[name] for name in _FIGURES if result.get(name) is not None}
    if not result["classes"]:
        figures.pop("mean_iou", None)
    return figures, {name: scores["iou"] for name, scores in result["classes"].items()}


def _key(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()

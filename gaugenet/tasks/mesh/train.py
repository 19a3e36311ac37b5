"""`train`: from a folder of meshes to a run, in one call."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch_geometric.transforms import Compose

from gaugenet.data import MeshDataset
from gaugenet.files import write_text
from gaugenet.groups import group_from_name
from gaugenet.tasks.mesh.augmentation import FeatureNoise, build_augmentation
from gaugenet.tasks.mesh.data_options import (
    DataOptions,
    GeometryOptions,
    TaskName,
    cache_folder,
    has_validation,
    open_dataset,
)
from gaugenet.tasks.mesh.preparation import ITEMS, Preparation, Prepared, prepare_all
from gaugenet.tasks.training.checkpoint import LAST, PREVIOUS
from gaugenet.tasks.training.fit import fit
from gaugenet.tasks.training.history import METRICS
from gaugenet.tasks.training.loading import GraphDataModule
from gaugenet.tasks.training.options import OptimOptions, TaskError
from gaugenet.tasks.training.run import DESCRIPTION, WEIGHTS, RunDescription, build_model, load_weights
from gaugenet.tasks.training.task import GaugeTask

logger = logging.getLogger(__name__)

CONFIG = "config.yaml"
CURVES = "curves.png"
OWN_FILES = (
    *(LAST, PREVIOUS, DESCRIPTION, METRICS, CONFIG, CURVES, *WEIGHTS.values()),
    *("evaluation_*.json", "predictions_*.npz", "confusion.png"),
)


def train(
    task: TaskName,
    out: str | Path,
    *,
    data: DataOptions,
    geometry: GeometryOptions | None = None,
    model: dict[str, Any] | None = None,
    optim: OptimOptions | None = None,
    trainer: dict[str, Any] | None = None,
    seed: int = 0,
    resume: bool = False,
    overwrite: bool = False,
    init: str | None = None,
    threads: int | None = None,
    config: str | None = None,
) -> RunDescription:
    """Prepare the meshes, train a `MeshUNet` on them, and write the run.

    Args:
        task: segmentation, correspondence or classification.
        out: folder of the run.
        data, geometry, optim: see the classes; `geometry.levels` is also the network's number of levels.
        model: further arguments of `MeshUNet`.
        trainer: arguments of Lightning's trainer.
        seed: everything random follows from it.
        resume: go on where the run was left.
        overwrite: delete the files of a run that is there already.
        init: folder of another run, from whose best weights this training starts (fine-tuning).
        threads: CPU threads of torch.
        config: text to keep beside the run as `config.yaml`.

    Raises:
        TaskError, DataError, MeshError, RunError: bad options, unusable meshes (all named), or a run in the way.
    """
    geometry, optim, run = geometry or GeometryOptions(), optim or OptimOptions(), Path(out)
    use_threads(threads)
    # Everything that can be wrong with the options is found before meshes are prepared and an older run is deleted.
    if is_first_process():
        check_room(run, resume=resume, overwrite=overwrite)
    train_set = open_dataset(task, data, "train")
    val_set = open_dataset(task, data, "val") if has_validation(task, data) else None
    module, description = _module(task, train_set, data, geometry, model or {}, optim, seed)
    if init is not None:
        load_weights(init, module.model, "best")
    build_augmentation(data, data.input_features())
    if resume:
        check_same(description, run)

    if is_first_process() and config is not None and not (run / CONFIG).exists():
        write_text(run / CONFIG, config)
    soft = optim.loss_on == "vertices"
    cache = cache_folder(data.cache, run)
    how = Preparation(data.input_features(), geometry, data.repair, cache, data.n_jobs, soft_labels=soft)
    prepared = prepare_all(train_set, how, description="preparing training meshes")
    held_out = prepare_all(val_set, how, description="preparing validation meshes") if val_set is not None else []
    loaders = _data_module(prepared, held_out, data, seed)
    _log_sizes(module, prepared, held_out)
    if is_first_process():
        make_room(run, resume=resume)
        if config is not None:
            write_text(run / CONFIG, config)
    fit(module, loaders, run, description, resume=resume, trainer=trainer)
    if is_first_process():
        draw_curves(run)
    return description


def _module(
    task: TaskName,
    dataset: MeshDataset,
    data: DataOptions,
    geometry: GeometryOptions,
    model: dict[str, Any],
    optim: OptimOptions,
    seed: int,
) -> tuple[GaugeTask, RunDescription]:
    """The network with its first weights, and the description of the run."""
    from lightning.pytorch import seed_everything

    seed_everything(seed, verbose=False)
    items = ITEMS[dataset.label_kind]
    arguments = {
        **model,
        "in_type": str(data.input_features().in_type(group_from_name(geometry.group))),
        "out_channels": dataset.num_classes,
        "group": geometry.group,
        "levels": geometry.levels,
        "readout": "global" if items == "mesh" else "points",
    }
    network = build_model("MeshUNet", arguments)
    description = RunDescription(
        task=task,
        model="MeshUNet",
        arguments=network.config,  # type: ignore[arg-type]
        data={**data.as_dict(), "geometry": asdict(geometry)},
        classes=list(dataset.class_names),
        items=items,
        corners=optim.corners,
        seed=seed,
    )
    return GaugeTask(network, items=items, options=optim, seed=seed), description


def _data_module(
    prepared: Sequence[Prepared], held_out: Sequence[Prepared], data: DataOptions, seed: int
) -> GraphDataModule:
    """Where no augmentation moves the meshes, features are assembled once, and not in every step."""
    features = data.input_features()
    moves, redraws = build_augmentation(data, features)
    graphs = [p.graph for p in prepared]
    if not moves:
        graphs = [features(graph) for graph in graphs]
    else:
        moves = [*moves, features]
    noise = [FeatureNoise(data.noise)] if data.noise > 0 else []
    steps = [*moves, *redraws, *noise]
    return GraphDataModule(
        graphs,
        [features(p.graph) for p in held_out],
        augment=Compose(steps) if steps else None,
        batch_size=data.batch_size,
        seed=seed,
        num_workers=data.num_workers,
    )


def _present(run: Path) -> list[Path]:
    """The files of a training in a folder; the cache of prepared meshes is not one of them."""
    return [path for pattern in OWN_FILES for path in run.glob(pattern)]


def use_threads(threads: int | None) -> None:
    """Set the CPU threads of torch, if a number is given. Raises `TaskError` below one."""
    if threads is not None:
        if threads < 1:
            raise TaskError(f"Expected at least one thread, got {threads}.")
        torch.set_num_threads(threads)


def check_room(run: Path, *, resume: bool, overwrite: bool) -> None:
    """Raise `TaskError` if the folder cannot take the run."""
    if run.exists() and not run.is_dir():
        raise TaskError(f"{run} is a file: choose a folder for the run.")
    if not resume and not overwrite and any(path.name != CONFIG for path in _present(run)):
        raise TaskError(
            f"{run} already holds a training: go on with --resume, replace it with --overwrite, "
            "or choose another --out."
        )


def make_room(run: Path, *, resume: bool) -> None:
    """Make the folder and, unless resuming, delete what an older training left there."""
    if not resume:
        for path in _present(run):
            path.unlink()
        shutil.rmtree(run / "tensorboard", ignore_errors=True)
    run.mkdir(parents=True, exist_ok=True)


def check_same(description: RunDescription, run: Path) -> None:
    """A network other than the one in the checkpoint cannot go on from it."""
    if not (run / DESCRIPTION).is_file():
        return
    before = RunDescription.load(run)
    for name in ("task", "items", "classes", "arguments"):
        old, new = getattr(before, name), getattr(description, name)
        if isinstance(old, dict) and isinstance(new, dict):
            changed = sorted(k for k in old.keys() | new.keys() if _plain(old.get(k)) != _plain(new.get(k)))
            what = ", ".join(f"{k} {old.get(k)} -> {new.get(k)}" for k in changed)
        else:
            what = "" if old == new else f"{old} -> {new}"
        if what:
            raise TaskError(
                f"{run} cannot be resumed with other {name}: {what}. Leave them as they were, or start again."
            )


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def is_first_process() -> bool:
    """Whether this process is the one that writes files."""
    return all(int(os.environ.get(name, "0")) == 0 for name in ("LOCAL_RANK", "NODE_RANK", "GROUP_RANK"))


def _log_sizes(module: GaugeTask, prepared: Sequence[Prepared], held_out: Sequence[Prepared]) -> None:
    parameters = sum(p.numel() for p in module.model.parameters())
    vertices = sum(int(p.graph.num_nodes) for p in prepared) / max(1, len(prepared))
    logger.info(
        "%d training meshes (%.0f vertices on average), %d for validation, %d parameters.",
        len(prepared),
        vertices,
        len(held_out),
        parameters,
    )


def draw_curves(run: Path) -> None:
    """Draw the learning curves into the run's folder."""
    from gaugenet.tasks.training.history import read_table
    from gaugenet.viz import plot_learning_curves

    if (run / METRICS).is_file():
        rows = [{k: v for k, v in row.items() if k not in ("seconds", "lr")} for row in read_table(run)]
        plot_learning_curves(run / CURVES, rows)

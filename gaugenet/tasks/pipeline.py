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

from gaugenet.groups import group_from_name
from gaugenet.tasks.augmentation import FeatureNoise, build_augmentation
from gaugenet.tasks.checkpoint import LAST, PREVIOUS
from gaugenet.tasks.data_options import DataOptions, GeometryOptions, TaskName, has_validation, open_dataset
from gaugenet.tasks.files import write_text
from gaugenet.tasks.history import METRICS
from gaugenet.tasks.loading import GraphDataModule
from gaugenet.tasks.options import OptimOptions, TaskError
from gaugenet.tasks.preparation import ITEMS, Preparation, Prepared, prepare_all
from gaugenet.tasks.run import DESCRIPTION, WEIGHTS, RunDescription, build_model
from gaugenet.tasks.task import GaugeTask
from gaugenet.tasks.training import fit

logger = logging.getLogger(__name__)

CONFIG = "config.yaml"
CURVES = "curves.png"
OWN_FILES = (LAST, PREVIOUS, DESCRIPTION, METRICS, CONFIG, CURVES, *WEIGHTS.values())


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
        threads: CPU threads of torch.
        config: text to keep beside the run as `config.yaml`.

    Raises:
        TaskError, DataError, MeshError, RunError: bad options, unusable meshes (all named), or a run in the way.
    """
    from lightning.pytorch import seed_everything

    geometry, optim = geometry or GeometryOptions(), optim or OptimOptions()
    run = Path(out)
    if threads is not None:
        if threads < 1:
            raise TaskError(f"Expected at least one thread, got {threads}.")
        torch.set_num_threads(threads)
    if _is_first_process():
        _make_room(run, resume=resume, overwrite=overwrite)
        if config is not None:
            write_text(run / CONFIG, config)
    train_set = open_dataset(task, data, "train")
    val_set = open_dataset(task, data, "val") if has_validation(task, data) else None
    features = data.input_features()
    soft = optim.loss_on == "vertices"
    how = Preparation(features, geometry, data.repair, data.cache, data.n_jobs, soft_labels=soft)
    prepared = prepare_all(train_set, how, description="preparing training meshes")
    held_out = prepare_all(val_set, how, description="preparing validation meshes") if val_set is not None else []

    seed_everything(seed, verbose=False)
    items = ITEMS[train_set.label_kind]
    arguments = {
        **(model or {}),
        "in_type": str(features.in_type(group_from_name(geometry.group))),
        "out_channels": train_set.num_classes,
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
        classes=list(train_set.class_names),
        items=items,
        corners=optim.corners,
        seed=seed,
    )
    module = GaugeTask(network, items=items, options=optim, seed=seed)
    loaders = _data_module(prepared, held_out, data, seed)
    _log_sizes(network, prepared, held_out)
    fit(module, loaders, run, description, resume=resume, trainer=trainer)
    if _is_first_process():
        _draw_curves(run)
    return description


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


def _make_room(run: Path, *, resume: bool, overwrite: bool) -> None:
    if run.exists() and not run.is_dir():
        raise TaskError(f"{run} is a file: choose a folder for the run.")
    present = [name for name in OWN_FILES if (run / name).exists()]
    if present and not resume:
        if not overwrite:
            raise TaskError(
                f"{run} already holds a training: go on with --resume, replace it with --overwrite, "
                "or choose another --out."
            )
        for name in present:
            (run / name).unlink()
        shutil.rmtree(run / "tensorboard", ignore_errors=True)
    run.mkdir(parents=True, exist_ok=True)


def _is_first_process() -> bool:
    return all(int(os.environ.get(name, "0")) == 0 for name in ("LOCAL_RANK", "NODE_RANK", "GROUP_RANK"))


def _log_sizes(network: torch.nn.Module, prepared: Sequence[Prepared], held_out: Sequence[Prepared]) -> None:
    parameters = sum(p.numel() for p in network.parameters())
    vertices = sum(int(p.graph.num_nodes) for p in prepared) / max(1, len(prepared))
    logger.info(
        "%d training meshes (%.0f vertices on average), %d for validation, %d parameters.",
        len(prepared),
        vertices,
        len(held_out),
        parameters,
    )


def _draw_curves(run: Path) -> None:
    from gaugenet.tasks.history import read_table
    from gaugenet.viz import plot_learning_curves

    if (run / METRICS).is_file():
        rows = [{k: v for k, v in row.items() if k not in ("seconds", "lr")} for row in read_table(run)]
        plot_learning_curves(run / CURVES, rows)

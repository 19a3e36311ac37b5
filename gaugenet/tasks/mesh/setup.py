"""Setup of a training of labels on meshes: its data, its network and its loss."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch

from gaugenet._pyg import Compose
from gaugenet.data import IGNORE_LABEL, MeshDataset, RemeshedMeshes
from gaugenet.data.fields.spec import FieldSpec
from gaugenet.groups import group_from_name
from gaugenet.tasks.mesh.augmentation import FeatureNoise, build_augmentation, build_remeshings
from gaugenet.tasks.mesh.copies import warn_of_copies
from gaugenet.tasks.mesh.data_options import (
    DataOptions,
    GeometryOptions,
    TaskName,
    cache_folder,
    has_validation,
    open_dataset,
    pooled,
)
from gaugenet.tasks.mesh.field_inputs import fit_inputs
from gaugenet.tasks.mesh.folds import with_held_out
from gaugenet.tasks.mesh.label_flow import flow_of
from gaugenet.tasks.mesh.likeness import likeness_of
from gaugenet.tasks.mesh.losses import label_counts
from gaugenet.tasks.mesh.module import MeshLabelModule
from gaugenet.tasks.mesh.preparation import ITEMS, Preparation, Prepared, prepare_all
from gaugenet.tasks.mesh.scale import fixed_lengths
from gaugenet.tasks.training.label_loss import class_weights
from gaugenet.tasks.training.loading import GraphDataModule
from gaugenet.tasks.training.loss_options import LossOptions
from gaugenet.tasks.training.module import TrainingModule
from gaugenet.tasks.training.options import OptimOptions, TaskError
from gaugenet.tasks.training.run import RunDescription, build_model
from gaugenet.tasks.training.task import Training

logger = logging.getLogger(__name__)


def begin(task: str, options: Mapping[str, Any], *, seed: int) -> Training:
    """Open the meshes of a task and build its network; preparing the meshes is left to `Training.load`."""
    data, geometry, optim = options["data"], options["geometry"], options["optim"]
    loss = options.get("loss") or LossOptions()
    name = cast("TaskName", task)
    data = with_held_out(data, partial(pooled, name))
    train_set = open_dataset(name, data, "train")
    val_set = open_dataset(name, data, "val") if has_validation(name, data) else None
    data = fit_inputs(data, train_set)
    loss.check_classes(train_set.class_names)
    module, description = _module(task, train_set, data, geometry, options["model"], optim, loss, seed)
    build_augmentation(data, data.input_features())
    rules = build_remeshings(data)

    def load(run: Path) -> GraphDataModule:
        soft, cache = optim.loss_on == "vertices", cache_folder(data.cache, run)
        fixed = fixed_lengths(geometry, train_set, repair=data.repair, n_jobs=data.n_jobs)
        description.data["geometry"] = asdict(fixed)
        features = data.input_features()
        how = Preparation(features, fixed, data.repair, cache, data.n_jobs, soft_labels=soft, resample=True)
        group = group_from_name(geometry.group)
        copied = RemeshedMeshes(train_set, rules, group, data.repair, cache=how.recipe().cache)
        meshes = copied if rules else train_set
        prepared = prepare_all(meshes, how, description="preparing training meshes")
        held_out = prepare_all(val_set, how, description="preparing validation meshes") if val_set is not None else []
        _check_labels(prepared, held_out, train_set.class_names)
        module.class_weight = _class_weight(prepared, loss, train_set.num_classes, soft=soft)
        weights = None if module.class_weight is None else module.class_weight.tolist()
        description.loss = loss.describe(train_set.class_names, weights)
        description.likeness = likeness_of(prepared[: len(train_set)], features)  # not of copies
        log_sizes(module, prepared, held_out, copies=len(meshes) - len(train_set))
        warn_of_copies(prepared[: len(train_set)], held_out)
        return data_module(prepared, held_out, data, seed)

    return Training(module, description, load)


def _module(
    task: str,
    dataset: MeshDataset,
    data: DataOptions,
    geometry: GeometryOptions,
    model: dict[str, Any],
    optim: OptimOptions,
    loss: LossOptions,
    seed: int,
) -> tuple[MeshLabelModule, RunDescription]:
    """Return the network with its initial weights, and the description of the run."""
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
        label_flow=flow_of(items, optim.label_flow),
        seed=seed,
        label_values=list(dataset.class_values),
    )
    classes = dataset.num_classes
    return MeshLabelModule(network, items=items, options=optim, loss=loss, num_classes=classes, seed=seed), description


def _class_weight(
    prepared: Sequence[Prepared], loss: LossOptions, num_classes: int, *, soft: bool
) -> torch.Tensor | None:
    """Return the weights of the classes from the labels of the training, or `None` where all are 1."""
    if loss.method == "none":
        return None
    labels = [one.graph.y_soft if soft and "y_soft" in one.graph else one.graph.y for one in prepared]
    counts = torch.stack([label_counts(y, num_classes) for y in labels])
    share = (counts / counts.sum(dim=1, keepdim=True).clamp(min=1e-300)).mean(dim=0)
    return class_weights(loss, share / share.sum(), counts.sum(dim=0)).float()


def data_module(
    prepared: Sequence[Prepared],
    held_out: Sequence[Prepared],
    data: DataOptions,
    seed: int,
    targets: Sequence[FieldSpec] = (),
) -> GraphDataModule:
    """Return the batches of a training, augmented as the options say, with the fields that are targets.

    Where no augmentation moves the meshes, features are assembled once instead of in every step.
    """
    features = data.input_features()
    moves, redraws = build_augmentation(data, features, targets)
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


def _check_labels(prepared: Sequence[Prepared], held_out: Sequence[Prepared], classes: Sequence[str]) -> None:
    """Raise an error for data without labels, and log which classes are validated but not learned.

    Raises:
        TaskError: If no item of the training meshes, or of the validation meshes, has a label.
    """
    learned, validated = _present(prepared), _present(held_out)
    for name, part, found in (("training", prepared, learned), ("validation", held_out, validated)):
        if part and not found:
            raise TaskError(f"No label in the {name} meshes: all of them are {IGNORE_LABEL}, which means unknown.")
    if missing := sorted(validated - learned):
        names = ", ".join(classes[k] for k in missing)
        logger.warning(
            "Classes of the validation meshes that no training mesh has, and no network can learn: %s.", names
        )


def _present(prepared: Sequence[Prepared]) -> set[int]:
    labels = [one.graph.y for one in prepared if "y" in one.graph]
    return {int(k) for y in labels for k in y.unique().tolist() if k != IGNORE_LABEL}


def log_sizes(
    module: TrainingModule, prepared: Sequence[Prepared], held_out: Sequence[Prepared], copies: int = 0
) -> None:
    """Log how many meshes and parameters a training has; the last `copies` of the meshes were made of the others."""
    parameters = sum(p.numel() for p in module.model.parameters())
    vertices = sum(int(p.graph.num_nodes) for p in prepared) / max(1, len(prepared))
    logger.info(
        "%d training meshes%s (%.0f vertices on average), %d for validation, %d parameters.",
        len(prepared) - copies,
        f" and {copies} remeshed copies of them" if copies else "",
        vertices,
        len(held_out),
        parameters,
    )

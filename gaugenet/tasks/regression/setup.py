"""The start of a regression: its data, its network and its loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from gaugenet.data.fields.spec import FieldSpec
from gaugenet.data.fields.statistics import fit_fields
from gaugenet.groups import group_from_name
from gaugenet.tasks.mesh.augmentation import build_augmentation
from gaugenet.tasks.mesh.data_options import GeometryOptions
from gaugenet.tasks.mesh.field_inputs import fit_inputs
from gaugenet.tasks.mesh.folds import with_held_out
from gaugenet.tasks.mesh.preparation import Preparation, Prepared, prepare_all
from gaugenet.tasks.mesh.scale import fixed_lengths
from gaugenet.tasks.mesh.setup import data_module, log_sizes
from gaugenet.tasks.regression.module import RegressionModule
from gaugenet.tasks.regression.options import RegressionData, cache_folder, has_validation, open_meshes, pooled
from gaugenet.tasks.regression.outputs import out_type
from gaugenet.tasks.training.loading import GraphDataModule
from gaugenet.tasks.training.options import TaskError
from gaugenet.tasks.training.run import RunDescription, build_model
from gaugenet.tasks.training.task import Training


def begin(options: Mapping[str, Any], *, seed: int) -> Training:
    """Open the meshes, fit inputs and targets on the training part, and build the network.

    Raises:
        ValueError: If an option or the data cannot be used. No file is written then.
    """
    data, geometry = with_held_out(options["data"], pooled), options["geometry"]
    written = data.target_specs()
    options["loss"].weights_of(written)
    train_set = open_meshes(data, "train")
    val_set = open_meshes(data, "val") if has_validation(data) else None
    data = fit_inputs(data, train_set)
    targets = fit_fields(written, train_set, role="target", n_jobs=data.n_jobs)
    data = replace(data, targets={spec.name: spec.as_dict() for spec in targets})
    build_augmentation(data, data.input_features(), targets)
    module, description = _module(data, geometry, options, targets, seed)

    def load(run: Path) -> GraphDataModule:
        cache = cache_folder(data.cache, run)
        fixed = fixed_lengths(geometry, train_set, repair=data.repair, n_jobs=data.n_jobs)
        description.data["geometry"] = asdict(fixed)
        how = Preparation(data.input_features(), fixed, data.repair, cache, data.n_jobs, targets=targets)
        prepared = prepare_all(train_set, how, description="preparing training meshes")
        held_out = prepare_all(val_set, how, description="preparing validation meshes") if val_set is not None else []
        for spec in targets:
            _check_site(spec, [*prepared, *held_out])
        log_sizes(module, prepared, held_out)
        return data_module(prepared, held_out, data, seed, targets)

    return Training(module, description, load)


def _check_site(spec: FieldSpec, prepared: Sequence[Prepared]) -> None:
    for one in prepared:
        counts = {"vertex": int(one.graph.num_nodes), "face": one.graph.face.shape[1], "mesh": 1}
        if len(one.graph[spec.key]) != counts[spec.on]:
            raise TaskError(
                f"{one.sample.path}: the target {spec.name!r} is not given for each {spec.on} as on the others."
            )


def _module(
    data: RegressionData,
    geometry: GeometryOptions,
    options: Mapping[str, Any],
    targets: Sequence[FieldSpec],
    seed: int,
) -> tuple[RegressionModule, RunDescription]:
    """Return the network with its first weights, and the description of the run."""
    from lightning.pytorch import seed_everything

    seed_everything(seed, verbose=False)
    group = group_from_name(geometry.group)
    arguments = {
        **options["model"],
        "in_type": str(data.input_features().in_type(group)),
        "out_type": str(out_type(targets, group)),
        "group": geometry.group,
        "levels": geometry.levels,
        "readout": "points",
    }
    network = build_model("MeshUNet", arguments)
    description = RunDescription(
        task="regression",
        model="MeshUNet",
        arguments=network.config,  # type: ignore[arg-type]
        data={**data.as_dict(), "geometry": asdict(geometry), "loss": asdict(options["loss"])},
        classes=[spec.name for spec in targets],
        items="field",
        seed=seed,
    )
    return RegressionModule(
        network, targets=targets, loss=options["loss"], options=options["optim"], seed=seed
    ), description

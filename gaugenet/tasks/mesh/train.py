"""Training of labels on meshes, from a folder of meshes to a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gaugenet.tasks.mesh.data_options import DataOptions, GeometryOptions, TaskName
from gaugenet.tasks.table import find_task
from gaugenet.tasks.training.loss_options import LossOptions
from gaugenet.tasks.training.options import OptimOptions
from gaugenet.tasks.training.run import RunDescription
from gaugenet.tasks.training.train import train_task


def train(
    task: TaskName,
    out: str | Path,
    *,
    data: DataOptions,
    geometry: GeometryOptions | None = None,
    model: dict[str, Any] | None = None,
    loss: LossOptions | None = None,
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
        data: the meshes and their features.
        geometry: how meshes become graphs; `geometry.levels` is also the network's number of levels.
        loss: the loss.
        optim: options of the optimizer.
        model: further arguments of `MeshUNet`.
        trainer: arguments of Lightning's `Trainer`.
        seed: of weights, batches and augmentation.
        resume: continue from the last checkpoint of `out`.
        overwrite: replace the run in `out`.
        init: a run whose weights are the first weights of the network.
        threads: number of threads of torch.
        config: text of the configuration, kept with the run.

    Raises:
        TaskError, DataError, MeshError, RunError: If options or meshes (all named) cannot be used, or a run is in the
            way.
    """
    return train_task(
        find_task(task),
        out,
        {
            "data": data,
            "geometry": geometry or GeometryOptions(),
            "model": model or {},
            "loss": loss or LossOptions(),
            "optim": optim or OptimOptions(),
        },
        trainer=trainer,
        seed=seed,
        resume=resume,
        overwrite=overwrite,
        init=init,
        threads=threads,
        config=config,
    )

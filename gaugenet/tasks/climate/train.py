"""Training of climate-pattern segmentation, from files to a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gaugenet.tasks.climate.options import ClimateData, ClimateLoss
from gaugenet.tasks.climate.task import ClimateTask
from gaugenet.tasks.training.options import OptimOptions
from gaugenet.tasks.training.run import RunDescription
from gaugenet.tasks.training.train import train_task


def train_climate(
    out: str | Path,
    *,
    data: ClimateData,
    model: dict[str, Any] | None = None,
    loss: ClimateLoss | None = None,
    optim: OptimOptions | None = None,
    trainer: dict[str, Any] | None = None,
    seed: int = 0,
    resume: bool = False,
    overwrite: bool = False,
    init: str | None = None,
    threads: int | None = None,
    config: str | None = None,
) -> RunDescription:
    """Train an `IcosahedralUNet` on climate files, and write the run.

    Args:
        out: folder of the run.
        data: files and variables.
        loss: the loss.
        optim: options of the optimizer.
        model: further arguments of `IcosahedralUNet`.
        trainer: arguments of Lightning's `Trainer`.
        seed: of weights, batches and augmentation.
        resume: continue from the last checkpoint of `out`.
        overwrite: replace the run in `out`.
        init: a run whose weights are the first weights of the network.
        threads: number of threads of torch.
        config: text of the configuration, kept with the run.

    Raises:
        TaskError, DataError, RunError: If options or files cannot be used, or a run is in the way.
    """
    return train_task(
        ClimateTask(),
        out,
        {"data": data, "model": model or {}, "loss": loss or ClimateLoss(), "optim": optim or OptimOptions()},
        trainer=trainer,
        seed=seed,
        resume=resume,
        overwrite=overwrite,
        init=init,
        threads=threads,
        config=config,
    )

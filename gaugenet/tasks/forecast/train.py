"""Training of forecasts, from files to a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gaugenet.tasks.forecast.options import ForecastData, ForecastLoss
from gaugenet.tasks.forecast.task import ForecastTask
from gaugenet.tasks.training.options import OptimOptions
from gaugenet.tasks.training.run import RunDescription
from gaugenet.tasks.training.train import train_task


def train_forecast(
    out: str | Path,
    *,
    data: ForecastData,
    model: dict[str, Any] | None = None,
    loss: ForecastLoss | None = None,
    optim: OptimOptions | None = None,
    **settings: Any,
) -> RunDescription:
    """Train an `IcosahedralUNet` to forecast the fields of files, and write the run.

    Args:
        out: folder of the run.
        data: files, variables and step in time.
        model: further arguments of `IcosahedralUNet`.
        loss: the loss.
        optim: options of the optimizer.
        settings: further arguments of `train_task`, such as `trainer`, `seed` and `resume`.

    Raises:
        TaskError, DataError, RunError: If options or files cannot be used, or a run is in the way.
    """
    options = {"data": data, "model": model or {}, "loss": loss or ForecastLoss(), "optim": optim or OptimOptions()}
    return train_task(ForecastTask(), out, options, **settings)

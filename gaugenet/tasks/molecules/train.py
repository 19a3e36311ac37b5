"""Training of energies and forces, from files to a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gaugenet.tasks.molecules.options import MoleculeData, MoleculeLoss
from gaugenet.tasks.molecules.task import MoleculeTask
from gaugenet.tasks.training.options import OptimOptions
from gaugenet.tasks.training.run import RunDescription
from gaugenet.tasks.training.train import train_task


def train_molecules(
    out: str | Path,
    *,
    data: MoleculeData,
    model: dict[str, Any] | None = None,
    loss: MoleculeLoss | None = None,
    optim: OptimOptions | None = None,
    **settings: Any,
) -> RunDescription:
    """Train an `EnergyNetwork` on the energies and forces of molecules, and write the run.

    Args:
        out: folder of the run.
        data: molecules and their split.
        model: further arguments of `EnergyNetwork`.
        loss: the loss.
        optim: options of the optimizer; the defaults of the command if missing.
        settings: further arguments of `train_task`, such as `trainer`, `seed` and `resume`.

    Raises:
        TaskError, DataError, RunError: If options or files cannot be used, or a run is in the way.
    """
    defaults = {k.partition(".")[2]: v for k, v in MoleculeTask.defaults.items() if k.startswith("optim.")}
    options = {
        **{"data": data, "model": model or {}, "loss": loss or MoleculeLoss()},
        "optim": optim or OptimOptions(**defaults),
    }
    return train_task(MoleculeTask(), out, options, **settings)


__all__ = ["train_molecules"]

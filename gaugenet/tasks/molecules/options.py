"""Options of the training of energies and forces: molecules, split, and the loss."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from gaugenet.tasks.training.options import TaskError, check


@dataclass(frozen=True)
class MoleculeData:
    """The molecules of a training, what is learned of them, and their split.

    Attributes:
        path: an npz of MD17 or rMD17, the folder or the archive of QM9, or extended XYZ (a file or a folder).
        energy: what is learned as the sum of energies of atoms: energy, or a property of the files such as U0 or alpha.
        forces: learn forces too; by default if the files have them and the energy is learned.
        energy_unit: unit of energies, if the files do not give it or give another one.
        limit: use this number of molecules only, the first ones; 0 uses all.
        train_size: number of molecules to train on; 0 takes 80 %.
        val_size: number of molecules for validation; 0 takes 10 %.
        train_indices: file with the positions of the training molecules, one in a line, as rMD17 publishes them.
        val_indices: the same for validation.
        split_seed: seed of the random split.
        batch_size: molecules in a step of the optimizer.
    """

    path: str | None = None
    energy: str = "energy"
    forces: bool | None = None
    energy_unit: str = ""
    limit: int = 0
    train_size: int = 0
    val_size: int = 0
    train_indices: str | None = None
    val_indices: str | None = None
    split_seed: int = 0
    batch_size: int = 8

    def __post_init__(self) -> None:
        for name in ("limit", "train_size", "val_size", "split_seed"):
            check(getattr(self, name) >= 0, f"data.{name}", "at least 0", getattr(self, name))
        check(self.batch_size >= 1, "data.batch_size", "at least 1", self.batch_size)
        if self.val_indices and not self.train_indices:
            raise TaskError("`data.val_indices` is given without `data.train_indices`: give both, or sizes.")
        if self.train_indices and (self.train_size or self.val_size):
            raise TaskError("Both `data.train_indices` and sizes are given: choose one of the two.")

    @property
    def has_gradient(self) -> bool:
        """Whether the target is an energy, whose negative gradient are the forces."""
        return self.energy in ("energy", "U0")

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for a run's description, without the location of the files."""
        return {k: v for k, v in asdict(self).items() if k != "path"}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> MoleculeData:
        """Read the values of `as_dict`; other entries are ignored."""
        return cls(**{k: v for k, v in values.items() if k in {f.name for f in fields(cls)}})


@dataclass(frozen=True)
class MoleculeLoss:
    """The loss: errors of forces and of energies, in units of the root mean square force of the training part.

    Attributes:
        kind: l2, the mean square; l1, the mean absolute error.
        energy_weight: weight of the errors of energies, divided by the square root of the number of atoms.
        force_weight: weight of the errors of the components of forces.
    """

    kind: Literal["l2", "l1"] = "l2"
    energy_weight: float = 0.1
    force_weight: float = 1.0

    def __post_init__(self) -> None:
        check(self.energy_weight >= 0, "loss.energy_weight", "at least 0", self.energy_weight)
        check(self.force_weight >= 0, "loss.force_weight", "at least 0", self.force_weight)
        if not self.energy_weight + self.force_weight > 0:
            raise TaskError("Both `loss.energy_weight` and `loss.force_weight` are 0: nothing would be learned.")


__all__ = ["MoleculeData", "MoleculeLoss"]

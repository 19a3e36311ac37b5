"""The Lightning module of energies and forces."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gaugenet.models import EnergyNetwork
from gaugenet.tasks.molecules.options import MoleculeLoss
from gaugenet.tasks.training.module import TrainingModule
from gaugenet.tasks.training.options import OptimOptions

ENERGY, FORCES = "val_energy_mae", "val_force_mae"


class MoleculeModule(TrainingModule):
    """A module that trains a network on energies and on forces, which are gradients of the energies.

    The batch is a PyG batch of `gaugenet.tasks.molecules.graphs.atoms_of`. Validation logs the loss, and the mean
    absolute errors of the energy per atom and of the components of the forces, in the units of the data.

    Args:
        model: the network.
        forces: learn forces.
        loss: the loss.
        options: optimizer and schedule.
        seed: seed of the training.
    """

    model: EnergyNetwork
    monitor, mode = "val_loss", "min"

    def __init__(
        self,
        model: EnergyNetwork,
        *,
        forces: bool,
        loss: MoleculeLoss | None = None,
        options: OptimOptions | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(model, options=options, seed=seed)
        self.how, self.forces = loss or MoleculeLoss(), forces
        shown = [("loss", "train_loss", "{:.4f}"), ("energy/atom", ENERGY, "{:.4g}")]
        self.shown = tuple(shown + ([("force", FORCES, "{:.4g}")] if forces else []))

    def loss(self, batch: Any) -> Tensor:
        total = self._total(*self._errors(batch, create_graph=True))
        self.log_mean("train_loss", total.detach(), batch.num_graphs)
        return total

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        with torch.inference_mode(False), torch.enable_grad():  # forces are gradients
            energy, force, sizes = self._errors(batch.clone().apply(torch.clone), create_graph=False)
        energy, force = energy.detach(), None if force is None else force.detach()
        self.log_mean("val_loss", self._total(energy, force, sizes), batch.num_graphs)
        self.log_mean(ENERGY, self.model.scale * (energy.abs() / sizes).mean(), batch.num_graphs)
        if force is not None:
            self.log_mean(FORCES, self.model.scale * force.abs().mean(), batch.num_graphs)

    def _errors(self, batch: Any, *, create_graph: bool) -> tuple[Tensor, Tensor | None, Tensor]:
        """Return errors of energies and of forces in units of the scale, and the numbers of atoms."""
        model, count = self.model, int(batch.num_graphs)
        element = model.elements_of(batch.species)
        pos = batch.pos.detach().requires_grad_(self.forces)
        each = model.interaction(element, pos, batch.edge_index, offset=batch.offset)
        own = each.new_zeros(count).index_add(0, batch.batch, each)
        known = batch.energy.index_add(0, batch.batch, -model.atomic_energies[element])  # in float64
        sizes = torch.bincount(batch.batch, minlength=count)
        energy = own - (known / model.scale).to(own)
        if not self.forces:
            return energy, None, sizes
        (slope,) = torch.autograd.grad(own.sum(), pos, create_graph=create_graph)
        return energy, -slope - batch.forces / model.scale, sizes

    def _total(self, energy: Tensor, force: Tensor | None, sizes: Tensor) -> Tensor:
        of_energy = self._mean(energy / sizes.sqrt())
        if force is None:
            return of_energy
        return self.how.energy_weight * of_energy + self.how.force_weight * self._mean(force)

    def _mean(self, error: Tensor) -> Tensor:
        return error.square().mean() if self.how.kind == "l2" else error.abs().mean()


__all__ = ["MoleculeModule"]

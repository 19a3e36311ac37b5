"""Energies and forces by a trained network: of molecules, and as the force function of molecular dynamics."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from gaugenet.data import DataError, Molecule, MoleculeSet
from gaugenet.models import EnergyNetwork
from gaugenet.tasks.molecules.graphs import atoms_of
from gaugenet.tasks.molecules.options import MoleculeData
from gaugenet.tasks.training.options import device_of
from gaugenet.tasks.training.run import RunError, Which, load_run


@dataclass(frozen=True, eq=False)
class Predicted:
    """The prediction for one molecule.

    Attributes:
        energy: the energy, or the property that the network was trained for.
        forces: `(N, 3)`; `None` if the network was not trained for energies.
    """

    energy: float
    forces: Float[ndarray, "atoms 3"] | None


class MoleculePredictor:
    """A trained network that predicts energies and forces; the run is loaded once.

    Args:
        run: folder of the run.
        weights: `"best"` or `"last"`.
        device: device of the network; by default a GPU if there is one.

    Raises:
        RunError: If there is no complete run of this task.
    """

    network: EnergyNetwork

    def __init__(self, run: str | Path, *, weights: Which = "best", device: str | None = None) -> None:
        self.device = device_of(device)
        network, self.description = load_run(run, weights=weights)
        if not isinstance(network, EnergyNetwork) or self.description.task != "molecules":
            raise RunError(f"{run} is a run of {self.description.task}, not of molecules.")
        self.network = network.to(self.device)
        self.data = MoleculeData.from_dict(self.description.data)
        self.has_forces = self.data.has_gradient

    @property
    def energy_unit(self) -> str:
        """Unit of the predicted energies."""
        return str(self.description.data["units"]["energy"])

    @property
    def force_unit(self) -> str:
        """Unit of the predicted forces; empty if the unit of energy is not known."""
        return f"{self.energy_unit}/{self.description.data['units']['length']}" if self.energy_unit else ""

    def __call__(self, molecules: Sequence[Molecule], *, batch_size: int = 32) -> Iterator[Predicted]:
        """Yield the predictions in the order of the molecules.

        Raises:
            DataError: If a `MoleculeSet` has another unit of lengths than the molecules of the training.
            ValueError: If a molecule has an element that the network does not know.
        """
        from gaugenet._pyg import Batch

        trained = self.description.data["units"]["length"]
        if isinstance(molecules, MoleculeSet) and molecules.length_unit != trained:
            raise DataError(
                f"The lengths are in {molecules.length_unit}, those of the training were in {trained}: "
                "convert the positions (and forces)."
            )

        for start in range(0, len(molecules), batch_size):
            chosen = [molecules[k] for k in range(start, min(start + batch_size, len(molecules)))]
            batch = Batch.from_data_list([atoms_of(one, self.network.cutoff) for one in chosen]).to(self.device)
            where = {"offset": batch.offset, "batch": batch.batch, "num_systems": len(chosen)}
            energy, forces = self.network.energy_and_forces(batch.species, batch.pos, batch.edge_index, **where)
            parts = forces.double().cpu().split([len(one) for one in chosen])
            for value, part in zip(energy.tolist(), parts, strict=True):
                yield Predicted(value, part.numpy() if self.has_forces else None)

    def force_function(
        self,
        species: Int[ndarray, "atoms"],
        *,
        cell: Float[ndarray, "3 3"] | None = None,
        periodic: Sequence[bool] = (True, True, True),
        skin: float = 0.5,
    ) -> LearnedForces:
        """Return energies and forces as a function of positions, for `velocity_verlet`.

        Args:
            species: atomic numbers.
            cell: lattice vectors as rows, for periodic systems.
            periodic: the vectors along which space repeats.
            skin: see `LearnedForces`.
        """
        lattice = None if cell is None else torch.as_tensor(cell, dtype=torch.float64)
        return LearnedForces(self.network, torch.as_tensor(species), lattice, tuple(periodic), skin)


class LearnedForces:
    """Energies and forces of one system as a function of its positions, in float64.

    The pairs of neighbours include pairs up to `skin` beyond the cutoff. They are computed again when an atom has
    moved by half of `skin`, so no pair is ever missed. The weights are converted to float64 in a copy of the network:
    rounding in float32 would let the total energy of long dynamics wander.

    Args:
        network: the network.
        species: atomic numbers.
        cell: lattice vectors as rows; `None` for a molecule.
        periodic: the vectors along which space repeats.
        skin: distance beyond the cutoff.
    """

    def __init__(
        self,
        network: EnergyNetwork,
        species: Int[Tensor, "atoms"],
        cell: Float[Tensor, "3 3"] | None = None,
        periodic: tuple[bool, ...] = (True, True, True),
        skin: float = 0.5,
    ) -> None:
        self.network = EnergyNetwork(**network.config).double()
        self.network.load_state_dict(network.state_dict())
        self.species, self.cell, self.periodic, self.skin = species.cpu(), cell, periodic, skin
        self.searches = 0
        self._known: Tensor | None = None

    def __call__(self, pos: Float[ndarray, "atoms 3"]) -> tuple[Float[ndarray, ""], Float[ndarray, "atoms 3"]]:
        """Return the energy and the forces."""
        place = torch.as_tensor(pos, dtype=torch.float64)
        if self._known is None or bool((place - self._known).norm(dim=1).max() > self.skin / 2):
            self._pairs = self.network.neighbors(place, cell=self.cell, periodic=self.periodic, skin=self.skin)
            self._known, self.searches = place.clone(), self.searches + 1
        edges, offset = self._pairs
        energy, forces = self.network.energy_and_forces(self.species, place, edges, offset=offset)
        return np.asarray(energy[0].item()), forces.numpy()


__all__ = ["LearnedForces", "MoleculePredictor", "Predicted"]

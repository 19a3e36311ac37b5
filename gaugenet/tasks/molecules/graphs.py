"""Molecules as PyG data: atoms, pairs of neighbours, and what is known about them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import torch

from gaugenet.data import Molecule
from gaugenet.models.energy_network import neighbor_pairs

if TYPE_CHECKING:
    from gaugenet._pyg import Data


def atoms_of(molecule: Molecule, cutoff: float, *, energy: str | None = None, forces: bool = False) -> Data:
    """Return the atoms and their pairs of neighbours; batches of molecules of any size can be made of them.

    Pairs are computed here once, since positions do not change in training. Positions are relative to their mean, so
    that their rounding does not depend on the place of the molecule.

    Args:
        molecule: the molecule.
        cutoff: distance up to which atoms are neighbours.
        energy: name of the property to learn, if any.
        forces: add the forces.

    Raises:
        DataError: If the molecule lacks the property or forces.
    """
    from gaugenet._pyg import Data
    from gaugenet.data import DataError

    pos = torch.from_numpy(molecule.pos)
    cell = None if molecule.cell is None else torch.from_numpy(molecule.cell)
    edge_index, offset = neighbor_pairs(pos, cutoff, cell=cell, periodic=molecule.periodic)
    data = Data(
        species=torch.from_numpy(molecule.species),
        pos=(pos - pos.mean(0)).float(),
        edge_index=edge_index,
        offset=(pos.new_zeros(edge_index.shape[1], 3) if offset is None else offset).float(),
    )
    if energy is not None:
        data.energy = torch.tensor([molecule.target(energy)], dtype=torch.float64)
    if forces:
        if molecule.forces is None:
            raise DataError(f"{molecule.name or molecule.formula} has no forces: train with --data.forces false.")
        data.forces = torch.from_numpy(molecule.forces).float()
    return data


def mean_neighbors(molecules: Iterable[Molecule], cutoff: float) -> float:
    """Return the mean number of neighbours of an atom within the cutoff, at least 1."""
    atoms = pairs = 0
    for molecule in molecules:
        atoms += len(molecule)
        pairs += atoms_of(molecule, cutoff).edge_index.shape[1]
    return max(1.0, pairs / max(1, atoms))


__all__ = ["atoms_of", "mean_neighbors"]

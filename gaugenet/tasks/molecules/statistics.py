"""Energies of single atoms by least squares, and the unit in which a network predicts energies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gaugenet.data import DataError, Molecule


@dataclass(frozen=True)
class EnergyScale:
    """What is subtracted from energies, and what they are divided by.

    Attributes:
        elements: atomic numbers in the training part.
        atomic_energies: energy of an atom of each element: the sum over the atoms of a molecule is as close to its
            energy as possible.
        scale: root mean square of the components of the forces; without forces, of what remains of the energies,
            divided by the square root of the number of atoms.
    """

    elements: list[int]
    atomic_energies: list[float]
    scale: float

    @classmethod
    def fit(cls, molecules: Sequence[Molecule], energy: str, *, forces: bool) -> EnergyScale:
        """Fit to the training part.

        Raises:
            DataError: If molecules lack the property or forces; the message counts them.
        """
        _check(molecules, energy, forces)
        elements = sorted({int(z) for m in molecules for z in m.species})
        counts = np.array([[int((m.species == z).sum()) for z in elements] for m in molecules], np.float64)
        values = np.array([m.target(energy) for m in molecules])
        # Where all molecules have one formula, the solution of least norm shares the energy among the elements.
        atomic = np.linalg.lstsq(counts, values, rcond=1e-9)[0]
        if forces:
            squares = [np.square(m.forces).mean() for m in molecules if m.forces is not None]
        else:
            squares = list(np.square(values - counts @ atomic) / counts.sum(1))
        scale = float(np.sqrt(np.mean(squares)))
        return cls(elements, atomic.tolist(), scale if scale > 0 else 1.0)


def _check(molecules: Sequence[Molecule], energy: str, forces: bool) -> None:
    problems = []
    for molecule in molecules:
        try:
            molecule.target(energy)
        except DataError as error:
            problems.append(str(error))
    if problems:
        raise DataError(f"{len(problems)} of {len(molecules)} molecules cannot be used: {problems[0]}")
    without = sum(m.forces is None for m in molecules)
    if forces and without:
        raise DataError(f"{without} of {len(molecules)} molecules have no forces: train with --data.forces false.")


__all__ = ["EnergyScale"]

"""Molecule: atoms with energies, forces and properties; MoleculeSet: the molecules of a data set, and their units."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import overload

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from gaugenet.data.meshes.sample import DataError
from gaugenet.data.molecules.elements import SYMBOLS, symbol_of


@dataclass(frozen=True, eq=False)
class Molecule:
    """The atoms of a molecule or of a periodic cell, with what is known about them.

    Attributes:
        species: `(N,)` atomic numbers.
        pos: `(N, 3)` positions, in the unit of length of the data set.
        energy: total energy, in the unit of energy of the data set.
        forces: `(N, 3)` forces, in units of energy per length.
        cell: `(3, 3)`, a lattice vector per row, for periodic systems.
        periodic: the lattice vectors along which the system repeats.
        properties: further numbers by name.
        name: for messages and outputs.

    Raises:
        DataError: If there is no atom, shapes do not match, or a number is not finite.

    Example:
        >>> from gaugenet.data import Molecule
        >>> water = Molecule([8, 1, 1], [[0, 0, 0.1], [0.8, 0, -0.5], [-0.8, 0, -0.5]], energy=-76.4)
        >>> water.formula, len(water)
        ('H2O', 3)
    """

    species: Int[ndarray, "atoms"]
    pos: Float[ndarray, "atoms 3"]
    energy: float | None = None
    forces: Float[ndarray, "atoms 3"] | None = None
    cell: Float[ndarray, "3 3"] | None = None
    periodic: tuple[bool, bool, bool] = (True, True, True)
    properties: Mapping[str, float] = field(default_factory=dict)
    name: str = ""

    def __post_init__(self) -> None:
        where = f"{self.name}: " if self.name else ""
        species = np.asarray(self.species)
        numbers = species.ndim == 1 and len(species) > 0 and np.issubdtype(species.dtype, np.number)
        if not numbers or not np.all((species >= 1) & (species <= len(SYMBOLS))):
            raise DataError(
                f"{where}expected atomic numbers `species` of shape (N,), not symbols, got {species!r:.80}."
            )
        object.__setattr__(self, "species", species.astype(np.int64))
        for name, shape in (("pos", (len(species), 3)), ("forces", (len(species), 3)), ("cell", (3, 3))):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, _finite(where, name, value, shape))
        for name, number in {"energy": self.energy, **self.properties}.items():
            if number is not None and not np.isfinite(number):
                raise DataError(f"{where}expected a finite number as {name}, got {number}.")

    def __len__(self) -> int:
        return len(self.species)

    @property
    def formula(self) -> str:
        """Elements and their counts: carbon and hydrogen first, then by symbol."""
        symbols = [symbol_of(int(z)) for z in self.species]
        order = sorted(set(symbols), key=lambda s: ("CH".find(s) if s in "CH" else 2, s))
        return "".join(f"{s}{n if (n := symbols.count(s)) > 1 else ''}" for s in order)

    def target(self, name: str) -> float:
        """Return the energy (`"energy"`) or a property.

        Raises:
            DataError: If the molecule lacks it; the message lists what there is.
        """
        if name == "energy" and self.energy is not None:
            return self.energy
        if name in self.properties:
            return float(self.properties[name])
        known = [*(["energy"] if self.energy is not None else []), *self.properties]
        raise DataError(
            f"{self.name or self.formula} has no property {name!r}: there is {', '.join(known) or 'none at all'}."
        )


def _finite(where: str, name: str, value: object, shape: tuple[int, ...]) -> ndarray:
    array = np.array(value, dtype=np.float64)
    if array.shape != shape:
        raise DataError(f"{where}expected `{name}` of shape {shape}, got {array.shape}.")
    if not np.isfinite(array).all():
        raise DataError(f"{where}`{name}` has {int((~np.isfinite(array)).sum())} values that are NaN or infinite.")
    return array


class MoleculeSet(Sequence[Molecule]):
    """Molecules in a fixed order, and the units of their numbers.

    Args:
        molecules: the molecules; they may be created when they are asked for.
        energy_unit: unit of energies.
        length_unit: unit of positions.
        units: units of further properties, by name.

    Example:
        >>> from gaugenet.data import Molecule, MoleculeSet
        >>> atoms = MoleculeSet([Molecule([1], [[0, 0, 0]], energy=-13.6)], energy_unit="eV")
        >>> atoms, atoms.unit_of("energy")
        (MoleculeSet(1 molecules, eV, Angstrom), 'eV')
    """

    def __init__(
        self,
        molecules: Sequence[Molecule],
        *,
        energy_unit: str = "",
        length_unit: str = "Angstrom",
        units: Mapping[str, str] | None = None,
    ) -> None:
        self.molecules, self.energy_unit, self.length_unit = molecules, energy_unit, length_unit
        self.units = dict(units or {})

    def __len__(self) -> int:
        return len(self.molecules)

    @overload
    def __getitem__(self, index: int) -> Molecule: ...
    @overload
    def __getitem__(self, index: slice) -> MoleculeSet: ...
    def __getitem__(self, index: int | slice) -> Molecule | MoleculeSet:
        return self.subset(range(len(self))[index]) if isinstance(index, slice) else self.molecules[index]

    def __iter__(self) -> Iterator[Molecule]:
        return (self.molecules[k] for k in range(len(self)))

    def subset(self, indices: Sequence[int]) -> MoleculeSet:
        """Return the molecules at these positions.

        Raises:
            DataError: If a position is outside the set.
        """
        outside = [k for k in indices if not 0 <= k < len(self)]
        if outside:
            raise DataError(
                f"Expected indices from 0 to {len(self) - 1}, got {len(outside)} others, e.g. {outside[0]}."
            )
        return MoleculeSet(
            [self.molecules[k] for k in indices],
            energy_unit=self.energy_unit,
            length_unit=self.length_unit,
            units=self.units,
        )

    def unit_of(self, name: str) -> str:
        """Return the unit of a property, or of `"energy"` and `"forces"`; empty if it is not known."""
        if name == "forces":
            return f"{self.energy_unit}/{self.length_unit}" if self.energy_unit else ""
        return self.energy_unit if name == "energy" else self.units.get(name, "")

    def __repr__(self) -> str:
        return f"MoleculeSet({len(self)} molecules, {self.energy_unit or 'no unit'}, {self.length_unit})"


__all__ = ["Molecule", "MoleculeSet"]

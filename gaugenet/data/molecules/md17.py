"""Files of MD17, rMD17 and sGDML: many conformations of one molecule in an npz."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import overload

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from gaugenet.data.meshes.sample import DataError
from gaugenet.data.molecules.molecule import Molecule, MoleculeSet
from gaugenet.files import read_npz, write_npz

_LAYOUTS = (
    {"species": "z", "pos": "R", "energy": "E", "forces": "F"},
    {"species": "nuclear_charges", "pos": "coords", "energy": "energies", "forces": "forces"},
)
"""Names of arrays: in MD17 (:cite:`chmiela2017machine`) and in rMD17 (:cite:`christensen2020role`)."""
_ENERGY_UNIT, _LENGTH_UNIT = "kcal/mol", "Angstrom"
_ENERGIES = {"kcal/mol": "kcal/mol", "eV": "eV", "au": "Hartree"}
_LENGTHS = {"Ang": "Angstrom", "Angstrom": "Angstrom", "bohr": "Bohr", "Bohr": "Bohr", "au": "Bohr", "nm": "nm"}


class Conformations(Sequence[Molecule]):
    """Conformations of one molecule as arrays; a `Molecule` is created when it is asked for.

    Args:
        species: `(N,)` atomic numbers.
        pos: `(C, N, 3)` positions.
        energy: `(C,)`, optional.
        forces: `(C, N, 3)`, optional.
        name: first part of the names of the molecules.
    """

    def __init__(
        self,
        species: Int[ndarray, "atoms"],
        pos: Float[ndarray, "conformations atoms 3"],
        energy: Float[ndarray, "conformations"] | None = None,
        forces: Float[ndarray, "conformations atoms 3"] | None = None,
        *,
        name: str = "",
    ) -> None:
        self.species, self.pos, self.energy, self.forces, self.name = species, pos, energy, forces, name

    def __len__(self) -> int:
        return len(self.pos)

    @overload
    def __getitem__(self, index: int) -> Molecule: ...
    @overload
    def __getitem__(self, index: slice) -> Conformations: ...
    def __getitem__(self, index: int | slice) -> Molecule | Conformations:
        energy = None if self.energy is None else self.energy[index]
        forces = None if self.forces is None else self.forces[index]
        if isinstance(index, slice):
            return Conformations(self.species, self.pos[index], energy, forces, name=self.name)
        number = range(len(self))[index]
        value = None if energy is None else float(energy)
        return Molecule(self.species, self.pos[number], value, forces, name=f"{self.name} {number}")


def read_md17(path: str | Path) -> MoleculeSet:
    """Read an npz in the layout of MD17 (`R z E F`) or rMD17 (`coords nuclear_charges energies forces`).

    Energies and forces may be missing. Units are kcal/mol and Angstrom as published, unless the file has `e_unit` and
    `r_unit`, as those of sGDML do.

    Raises:
        DataError: If arrays are missing, do not match, or hold NaN, or the unit of lengths is unknown.

    Example:
        >>> import numpy as np
        >>> from gaugenet.data.molecules.md17 import read_md17
        >>> pos = np.random.default_rng(0).normal(size=(5, 3, 3))
        >>> np.savez("water.npz", R=pos, z=np.array([8, 1, 1]), E=np.zeros((5, 1)), F=np.zeros((5, 3, 3)))
        >>> read_md17("water.npz")
        MoleculeSet(5 molecules, kcal/mol, Angstrom)
    """
    path = Path(path)
    present = _names(path)
    layout = next((one for one in _LAYOUTS if {one["species"], one["pos"]} <= present), None)
    if layout is None:
        raise DataError(
            f"{path}: expected the arrays R and z (MD17), or coords and nuclear_charges (rMD17), "
            f"got {', '.join(sorted(present)) or 'none'}."
        )
    found = [role for role, name in layout.items() if name in present]
    try:
        arrays = dict(zip(found, read_npz(path, *(layout[role] for role in found)), strict=True))
    except ValueError as error:
        raise DataError(f"{path} cannot be read: {error}.") from error
    return MoleculeSet(
        _checked(path, layout, arrays),
        energy_unit=_unit(path, "e_unit", present, _ENERGIES) or _ENERGY_UNIT,
        length_unit=_length_unit(path, present),
    )


def _names(path: Path) -> set[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            return {name.removesuffix(".npy") for name in archive.namelist()}
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise DataError(f"{path} is not an npz file, or is damaged: {error}.") from error


def _length_unit(path: Path, present: set[str]) -> str:
    unit = _unit(path, "r_unit", present, _LENGTHS) or _LENGTH_UNIT
    if unit not in _LENGTHS.values():
        raise DataError(f"{path}: expected one of the lengths {', '.join(_LENGTHS)} as r_unit, got {unit!r}.")
    return unit


def _unit(path: Path, name: str, present: set[str], long: dict[str, str]) -> str:
    if name not in present:
        return ""
    value = np.asarray(read_npz(path, name)[0]).reshape(-1)
    text = value[0].decode() if value.dtype.kind == "S" else str(value[0])
    return long.get(text, text)


def _checked(path: Path, layout: dict[str, str], arrays: dict[str, ndarray]) -> Conformations:
    species, pos = arrays["species"].reshape(-1), arrays["pos"]
    atoms = len(species)
    if pos.ndim != 3 or pos.shape[1:] != (atoms, 3):
        raise DataError(
            f"{path}: expected {layout['pos']} of shape (conformations, {atoms}, 3) for {atoms} atoms in "
            f"{layout['species']}, got {pos.shape}."
        )
    energy, forces = arrays.get("energy"), arrays.get("forces")
    if energy is not None:
        if energy.size != len(pos):
            raise DataError(f"{path}: expected {len(pos)} energies in {layout['energy']}, got shape {energy.shape}.")
        energy = energy.reshape(-1)
    if forces is not None and forces.shape != pos.shape:
        raise DataError(f"{path}: expected {layout['forces']} of shape {pos.shape}, got {forces.shape}.")
    for role, values in arrays.items():
        bad = ~np.isfinite(values.reshape(len(values), -1)).all(1)
        if bad.any():
            raise DataError(
                f"{path}: {layout[role]} is NaN or infinite in {int(bad.sum())} of {len(bad)} rows, the first is "
                f"{int(bad.argmax())}: remove them."
            )
    return Conformations(species, pos, energy, forces, name=path.stem)


def write_md17(
    path: str | Path,
    species: Int[ndarray, "atoms"],
    pos: Float[ndarray, "conformations atoms 3"],
    energy: Float[ndarray, "conformations"],
    forces: Float[ndarray, "conformations atoms 3"],
    *,
    energy_unit: str = _ENERGY_UNIT,
    length_unit: str = _LENGTH_UNIT,
) -> None:
    """Write an npz in the layout of MD17, with the units as `e_unit` and `r_unit`; an existing file is replaced."""
    short = {long: text for names in (_ENERGIES, _LENGTHS) for text, long in reversed(names.items())}
    arrays = {"z": np.asarray(species, np.uint8), "R": pos, "E": np.reshape(energy, (-1, 1)), "F": forces}
    units = {
        "e_unit": np.array(short.get(energy_unit, energy_unit)),
        "r_unit": np.array(short.get(length_unit, length_unit)),
    }
    write_npz(path, {"type": np.array("d"), **arrays, **units})


__all__ = ["Conformations", "read_md17", "write_md17"]

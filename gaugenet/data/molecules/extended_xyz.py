"""Extended XYZ: molecules and periodic cells as text, each with a line of keys and values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from gaugenet.data.meshes.sample import DataError
from gaugenet.data.molecules.elements import atomic_number, symbol_of
from gaugenet.data.molecules.molecule import Molecule, MoleculeSet
from gaugenet.files import atomic_path

_PAIR = re.compile(r"""([\w-]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|(\S+))""")
_PLAIN = "species:S:1:pos:R:3"
_FORCES = ("forces", "force")
_ENERGY = ("energy", "Energy", "free_energy")
_EV, _LENGTH = "eV", "Angstrom"  # the units by convention


def read_extended_xyz(path: str | Path, *, energy_unit: str = _EV) -> MoleculeSet:
    r"""Read frames of extended XYZ: `Properties`, `Lattice`, `pbc`, `energy`, columns `forces`, other numbers by name.

    Plain XYZ, whose comment has no keys, holds elements and positions. Units are eV and Angstrom by convention, unless
    the keys `energy_unit` and `length_unit` name others, as `write_extended_xyz` does.

    Args:
        path: file with any number of frames.
        energy_unit: unit of energies where the file names none.

    Raises:
        DataError: If the file is not in this format, the message has the line; or if frames have different units.

    Example:
        >>> from gaugenet.data.molecules.extended_xyz import read_extended_xyz
        >>> text = '1\nLattice="3 0 0 0 3 0 0 0 3" Properties=species:S:1:pos:R:3 energy=-1.5\nAr 0 0 0\n'
        >>> _ = open("argon.xyz", "w").write(text)
        >>> molecule = read_extended_xyz("argon.xyz")[0]
        >>> molecule.formula, molecule.energy, molecule.cell[0].tolist()
        ('Ar', -1.5, [3.0, 0.0, 0.0])
    """
    path = Path(path)
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    molecules: list[Molecule] = []
    units: set[tuple[str, str]] = set()
    start = 0
    while start < len(lines):
        if not lines[start].strip():
            start += 1
            continue
        where = f"{path}, line {start + 1}"
        try:
            count = int(lines[start])
        except ValueError:
            raise DataError(f"{where}: expected the number of atoms, got {lines[start]!r:.60}.") from None
        if count < 1 or len(lines) < start + 2 + count:
            raise DataError(f"{where}: expected a comment and {count} lines of atoms after it.")
        keys = {m[1]: next(v for v in m.groups()[1:] if v is not None) for m in _PAIR.finditer(lines[start + 1])}
        units.add((keys.pop("energy_unit", energy_unit), keys.pop("length_unit", _LENGTH)))
        molecules.append(_frame(where, keys, lines[start + 2 : start + 2 + count], len(molecules), path))
        start += 2 + count
    if not molecules:
        raise DataError(f"{path} holds no atoms.")
    energy, length = the_units(path, units)
    return MoleculeSet(molecules, energy_unit=energy, length_unit=length)


def the_units(path: Path, units: set[tuple[str, str]]) -> tuple[str, str]:
    """Return the units of energies and lengths that all molecules have.

    Raises:
        DataError: If they have different ones.
    """
    if len(units) > 1:
        named = " and ".join(sorted(f"{energy}, {length}" for energy, length in units))
        raise DataError(f"{path}: expected the same units for all molecules, got {named}: convert them.")
    return next(iter(units))


def _frame(where: str, keys: dict[str, str], rows: list[str], number: int, path: Path) -> Molecule:
    columns = _columns(where, keys.pop("Properties", _PLAIN), [row.split() for row in rows])
    if not {"species", "pos"} <= set(columns):
        raise DataError(f"{where}: expected species and pos in Properties, got {', '.join(columns)}.")
    lattice, pbc = keys.pop("Lattice", None), keys.pop("pbc", "T T T")
    numbers = {name: value for name, text in keys.items() if (value := _float(text)) is not None}
    energy = next((numbers.pop(name) for name in _ENERGY if name in numbers), None)
    try:
        cell = None if lattice is None else np.array(lattice.split(), dtype=np.float64).reshape(3, 3)
        floats = {name: np.array(v, np.float64) for name, v in columns.items() if name in ("pos", *_FORCES)}
    except ValueError as error:
        raise DataError(f"{where}: {error}.") from None
    return Molecule(
        [atomic_number(row[0]) for row in columns["species"]],  # type: ignore[arg-type]
        floats["pos"],
        energy,
        next((floats[name] for name in _FORCES if name in floats), None),
        cell=cell,
        periodic=tuple(text[:1].upper() == "T" for text in pbc.split()),  # type: ignore[arg-type]
        properties=numbers,
        name=f"{path.stem} {number}",
    )


def _columns(where: str, description: str, rows: list[list[str]]) -> dict[str, list[list[str]]]:
    """Return the columns of each property that `Properties` describes as `name:type:count:...`."""
    parts = description.split(":")
    if len(parts) % 3 or not all(size.isdigit() for size in parts[2::3]):
        raise DataError(f"{where}: expected Properties as name:type:count triples, got {description!r}.")
    sizes = list(map(int, parts[2::3]))
    # Comments of plain XYZ tell nothing about further columns, which are ignored.
    wrong = [k for k, row in enumerate(rows) if len(row) < sum(sizes)]
    if wrong:
        raise DataError(f"{where}: expected {sum(sizes)} columns ({description}), got {len(rows[wrong[0]])}.")
    bounds = np.cumsum([0, *sizes]).tolist()
    return {name: [row[a:b] for row in rows] for name, a, b in zip(parts[::3], bounds[:-1], bounds[1:], strict=True)}


def _float(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def write_extended_xyz(
    path: str | Path, molecules: Iterable[Molecule], *, extra: Mapping[str, list[Any]] | None = None
) -> None:
    """Write molecules with their energies and forces; numbers are written exactly.

    Args:
        path: the file; an existing one is replaced.
        molecules: the molecules. Units of a `MoleculeSet` other than eV and Angstrom are written as well.
        extra: further values of each molecule, by name.
    """
    units = {}
    if isinstance(molecules, MoleculeSet):
        named = {"energy_unit": (molecules.energy_unit, _EV), "length_unit": (molecules.length_unit, _LENGTH)}
        units = {name: unit for name, (unit, usual) in named.items() if unit not in ("", usual)}
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        for k, molecule in enumerate(molecules):
            more = {name: values[k] for name, values in (extra or {}).items()}
            file.write(_text(molecule, more, units))


def _text(molecule: Molecule, extra: Mapping[str, Any], units: Mapping[str, str]) -> str:
    forces = molecule.forces
    keys = [f"Properties={_PLAIN}" + (":forces:R:3" if forces is not None else "")]
    if molecule.cell is not None:
        keys.insert(0, f'Lattice="{_row(molecule.cell.reshape(-1))}"')
        keys.append('pbc="' + " ".join("T" if p else "F" for p in molecule.periodic) + '"')
    numbers = {**({"energy": molecule.energy} if molecule.energy is not None else {}), **molecule.properties, **extra}
    keys += [f"{name}={float(value)!r}" for name, value in numbers.items()]
    keys += [f'{name}="{unit}"' for name, unit in units.items()]
    values = molecule.pos if forces is None else np.concatenate([molecule.pos, forces], 1)
    rows = [f"{symbol_of(int(z))} {_row(row)}" for z, row in zip(molecule.species, values, strict=True)]
    return "\n".join([str(len(molecule)), " ".join(keys), *rows]) + "\n"


def _row(values: ndarray) -> str:
    return " ".join(repr(float(v)) for v in values)


__all__ = ["read_extended_xyz", "write_extended_xyz"]

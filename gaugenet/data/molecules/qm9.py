"""Files of QM9, `dsgdb9nsd_*.xyz`: one molecule each, with the properties of its equilibrium."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

from gaugenet.data.meshes.sample import DataError
from gaugenet.data.molecules.elements import atomic_number
from gaugenet.data.molecules.molecule import Molecule, MoleculeSet

PREFIX = "dsgdb9nsd_"
QM9_UNITS = {
    **{"A": "GHz", "B": "GHz", "C": "GHz", "mu": "Debye", "alpha": "Bohr^3"},
    **{"homo": "Hartree", "lumo": "Hartree", "gap": "Hartree", "r2": "Bohr^2", "zpve": "Hartree"},
    **{"U0": "Hartree", "U": "Hartree", "H": "Hartree", "G": "Hartree", "Cv": "cal/mol/K"},
}
"""The properties in the order of the files, with their units. `energy` is `U0`, the internal energy at 0 K."""


def read_qm9(path: str | Path, *, limit: int | None = None) -> MoleculeSet:
    """Read QM9 as published (:cite:`ramakrishnan2014quantum`): a folder of its xyz files, their tar archive, or a file.

    Molecules are sorted by the names of their files. `energy` is the property U0.

    Args:
        path: folder, `.tar.bz2` or any other tar archive, or one `.xyz`.
        limit: read this number of files only.

    Raises:
        DataError: If there is no such file, or one of them is not as published.
    """
    path = Path(path)
    found = sorted(_texts(path, limit), key=lambda pair: pair[0])[:limit]
    if not found:
        raise DataError(f"{path} holds no {PREFIX}*.xyz, the files of QM9.")
    return MoleculeSet([parse_qm9(text, name) for name, text in found], energy_unit="Hartree", units=QM9_UNITS)


def _texts(path: Path, limit: int | None) -> Iterator[tuple[str, str]]:
    if path.is_dir():
        files = sorted(path.glob(f"{PREFIX}*.xyz"))[:limit]
        yield from ((file.name, file.read_text(encoding="utf-8", errors="replace")) for file in files)
    elif path.suffix == ".xyz":
        yield path.name, path.read_text(encoding="utf-8", errors="replace")
    else:
        yield from _in_archive(path, limit)


def _in_archive(path: Path, limit: int | None) -> Iterator[tuple[str, str]]:
    count = 0
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                name = Path(member.name).name
                file = archive.extractfile(member) if name.startswith(PREFIX) and name.endswith(".xyz") else None
                if file is not None:
                    yield name, io.TextIOWrapper(file, encoding="utf-8", errors="replace").read()
                    count += 1
                if limit is not None and count >= limit:  # the published archive is sorted
                    return
    except (tarfile.TarError, EOFError, OSError) as error:
        raise DataError(f"{path} is not a tar archive, or is damaged: {error}.") from error


def parse_qm9(text: str, name: str) -> Molecule:
    """Read the text of one file: count, properties, atoms (symbol, x, y, z, charge), and lines that are not used.

    Numbers may have the exponent `*^`, as in `6.2*^-6`.

    Raises:
        DataError: If a line is not as published.
    """
    lines = text.splitlines()
    try:
        count = int(lines[0])
        head = lines[1].split()
        atoms = [line.split() for line in lines[2 : 2 + count]]
    except (IndexError, ValueError):
        raise DataError(f"{name}: expected the number of atoms, and a line of properties, at the top.") from None
    if len(head) != 2 + len(QM9_UNITS) or head[0] != "gdb":
        raise DataError(
            f"{name}: expected 'gdb', an index and {len(QM9_UNITS)} properties in line 2, got {len(head)} entries."
        )
    if len(atoms) != count or any(len(atom) != 5 for atom in atoms):
        raise DataError(f"{name}: expected {count} lines of symbol, x, y, z and charge.")
    try:
        values = dict(zip(QM9_UNITS, map(_number, head[2:]), strict=True))
        pos = [[_number(x) for x in atom[1:4]] for atom in atoms]
    except ValueError as error:
        raise DataError(f"{name}: {error}.") from None
    species = [atomic_number(atom[0]) for atom in atoms]
    return Molecule(species, pos, values["U0"], properties=values, name=name.removesuffix(".xyz"))  # type: ignore[arg-type]


def _number(text: str) -> float:
    return float(text.replace("*^", "e"))


__all__ = ["QM9_UNITS", "parse_qm9", "read_qm9"]

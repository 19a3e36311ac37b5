"""Molecules from files of any layout that this library reads, and splits of them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from gaugenet.data.meshes.sample import DataError
from gaugenet.data.molecules.extended_xyz import read_extended_xyz, the_units
from gaugenet.data.molecules.md17 import read_md17
from gaugenet.data.molecules.molecule import MoleculeSet
from gaugenet.data.molecules.qm9 import PREFIX, read_qm9

_XYZ = (".xyz", ".extxyz")


def read_molecules(path: str | Path, *, limit: int | None = None) -> MoleculeSet:
    """Read molecules: an npz of MD17 or rMD17, the folder or the archive of QM9, or (a folder of) extended XYZ.

    Args:
        path: file or folder.
        limit: read this number of molecules only, the first ones.

    Raises:
        DataError: If there is no such file, or it is not in one of these layouts.

    Example:
        >>> from gaugenet.data import Molecule, read_molecules, write_extended_xyz
        >>> write_extended_xyz("pair.xyz", [Molecule([1, 1], [[0, 0, 0], [0, 0, 0.74]], energy=-31.7)])
        >>> read_molecules("pair.xyz")
        MoleculeSet(1 molecules, eV, Angstrom)
    """
    path = Path(path)
    if not path.exists():
        raise DataError(f"There is no file or folder {path}.")
    if path.is_dir():
        if any(path.glob(f"{PREFIX}*.xyz")):
            return read_qm9(path, limit=limit)
        files = sorted(file for file in path.iterdir() if file.suffix in _XYZ)
        if not files:
            raise DataError(f"{path} holds neither {PREFIX}*.xyz (QM9) nor other files *.xyz or *.extxyz.")
        parts = [read_extended_xyz(file) for file in files]
        energy, length = the_units(path, {(part.energy_unit, part.length_unit) for part in parts})
        found = [molecule for part in parts for molecule in part][:limit]
        return MoleculeSet(found, energy_unit=energy, length_unit=length)
    if path.suffix == ".npz":
        return read_md17(path)[:limit]
    if path.name.startswith(PREFIX) or path.suffix not in _XYZ:
        if path.suffix not in (".xyz", ".tar", ".bz2", ".gz", ".tgz", ".xz"):
            raise DataError(f"Expected {path} to be .npz, .xyz, .extxyz, a tar archive or a folder.")
        return read_qm9(path, limit=limit)
    return read_extended_xyz(path)[:limit]


def random_parts(count: int, sizes: Sequence[int], *, seed: int = 0) -> list[list[int]]:
    """Return disjoint random parts of 0 ... count - 1, each sorted; the same ones for the same arguments.

    Raises:
        DataError: If there are fewer than the sum of the sizes.

    Example:
        >>> from gaugenet.data.molecules.files import random_parts
        >>> train, val = random_parts(10, [6, 2], seed=1)
        >>> len(train), len(val), set(train) & set(val)
        (6, 2, set())
    """
    if sum(sizes) > count or min(sizes, default=0) < 0:
        raise DataError(f"Expected parts of together at most {count} molecules, got {' + '.join(map(str, sizes))}.")
    order = np.random.default_rng(seed).permutation(count)
    bounds = np.cumsum([0, *sizes])
    return [sorted(order[a:b].tolist()) for a, b in pairwise(bounds)]


def read_indices(path: str | Path, count: int) -> list[int]:
    """Read the positions of a part of a data set, one in a line, as rMD17 publishes them (`index_train_01.csv`).

    Args:
        path: the file.
        count: number of molecules in the data set.

    Raises:
        DataError: If a line is not a whole number, is repeated, or is outside the data set.
    """
    text = Path(path).read_text(encoding="utf-8", errors="replace").replace(",", " ").split()
    try:
        indices = [int(float(word)) for word in text]
    except (ValueError, OverflowError):
        raise DataError(f"{path}: expected whole numbers, one in a line.") from None
    outside = [k for k in indices if not 0 <= k < count]
    if not indices or outside or len(set(indices)) < len(indices):
        wrong = f"{outside[0]}" if outside else "repeated numbers" if indices else "none"
        raise DataError(f"{path}: expected different indices from 0 to {count - 1}, got {wrong}.")
    return indices


__all__ = ["random_parts", "read_indices", "read_molecules"]

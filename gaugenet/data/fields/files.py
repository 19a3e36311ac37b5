"""Sources of fields: the mesh file itself, and files of the same name next to it."""

from __future__ import annotations

import zipfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from gaugenet.data.fields.units import EXTRA
from gaugenet.data.meshes.sample import DataError
from gaugenet.files import read_npy
from gaugenet.geometry.mesh._hdf5 import is_hdf5_group
from gaugenet.geometry.mesh._ply import ply_columns
from gaugenet.geometry.mesh._vtk import VTK_SUFFIXES, read_vtk
from gaugenet.geometry.mesh.mesh import MeshError

TABLE = "fields.csv"
"""A table in the folder of the meshes, with a row of values for each mesh."""

_VECTOR = ("x", "y", "z")
_TENSOR = ("xx", "yy", "zz", "xy", "yz", "xz")
_SITES: dict[str, Literal["vertex", "face"]] = {"vertex": "vertex", "face": "face"}


@dataclass(frozen=True, eq=False)
class RawField:
    """Numbers read from a file.

    Attributes:
        values: one row for each vertex, face or mesh.
        where: file and entry, for messages.
        on: whether rows belong to vertices, faces or the mesh, if the file says so.
        unit: the unit, if the file names one.
    """

    values: Float[ndarray, "rows *shape"]
    where: str
    on: Literal["vertex", "face", "mesh"] | None = None
    unit: str | None = None


class FieldSource(ABC):
    """A file that may contain fields of one mesh.

    Args:
        file: the file.
        mesh: the file of the mesh.
    """

    def __init__(self, file: Path, mesh: Path) -> None:
        self.file, self.mesh = file, mesh

    @property
    @abstractmethod
    def names(self) -> list[str]:
        """Return the names of the fields in the file, for messages."""

    @abstractmethod
    def find(self, name: str) -> list[RawField]:
        """Return every entry of the file with the field."""


class PlyProperties(FieldSource):
    """Properties of the vertices and faces of a PLY file: `p`; `v_x v_y v_z` or `vx vy vz`; `t_xx` ... `t_xz`."""

    @cached_property
    def _columns(self) -> dict[str, dict[str, Any]]:
        try:
            return ply_columns(self.file.read_bytes())
        except (MeshError, OSError) as error:
            raise DataError(f"Could not read {self.file} as a mesh: {error}") from error

    @property
    def names(self) -> list[str]:
        return [name for element in _SITES for name in self._columns.get(element, {})]

    def find(self, name: str) -> list[RawField]:
        found = []
        for element, site in _SITES.items():
            columns = {k: v for k, v in self._columns.get(element, {}).items() if isinstance(v, ndarray)}
            values = gathered(columns, name)
            if values is not None:
                found.append(RawField(values, f"{self.file} (property of each {site})", site))
        return found


class VtkArrays(FieldSource):
    """Point, cell and field data of a VTK file."""

    @cached_property
    def _arrays(self) -> dict[str, dict[str, Any]]:
        try:
            return read_vtk(self.file).arrays
        except MeshError as error:
            raise DataError(f"Could not read {self.file}: {error}") from error

    @property
    def names(self) -> list[str]:
        return [name for arrays in self._arrays.values() for name in arrays]

    def find(self, name: str) -> list[RawField]:
        sites: dict[str, Literal["vertex", "face", "mesh"]] = {"point": "vertex", "cell": "face", "field": "mesh"}
        return [
            RawField(values, f"{self.file} ({place} data)", sites[place])
            for place, arrays in self._arrays.items()
            if (values := gathered(arrays, name)) is not None
        ]


class NumpyArrays(FieldSource):
    """An archive `NAME.npz` whose entries are fields."""

    @property
    def names(self) -> list[str]:
        with self._open() as archive:
            return list(archive.files)

    def find(self, name: str) -> list[RawField]:
        with self._open() as archive:
            try:
                values = gathered(archive, name)
            except (ValueError, zipfile.BadZipFile, OSError, EOFError) as error:
                raise DataError(f"{self.file}: the entry {name!r} cannot be read ({error}).") from error
        return [] if values is None else [RawField(values, str(self.file))]

    def _open(self) -> Any:
        try:
            return np.load(self.file, allow_pickle=False)
        except (ValueError, zipfile.BadZipFile, OSError, EOFError) as error:
            raise DataError(f"{self.file} cannot be read as an archive of arrays ({error}).") from error


class Hdf5Arrays(FieldSource):
    """A file `NAME.h5` or `NAME.hdf5` whose data sets are fields; the attribute `units` or `unit` is their unit."""

    @property
    def names(self) -> list[str]:
        with self._open() as file:
            return list(file)

    def find(self, name: str) -> list[RawField]:
        with self._open() as file:
            sets = {key: value for key, value in file.items() if hasattr(value, "shape")}
            if name in sets:
                unit = next((sets[name].attrs[k] for k in ("units", "unit") if k in sets[name].attrs), None)
                unit = unit.decode() if isinstance(unit, bytes) else unit
                return [RawField(np.asarray(sets[name][()]), str(self.file), unit=None if unit is None else str(unit))]
            values = gathered(sets, name)
            return [] if values is None else [RawField(values, str(self.file))]

    def _open(self) -> Any:
        try:
            import h5py
        except ImportError as error:
            raise DataError(f"{self.file}: HDF5 needs the package h5py: {EXTRA}.") from error
        try:
            return h5py.File(self.file, "r")
        except OSError as error:
            raise DataError(f"{self.file} cannot be read as HDF5 ({error}).") from error


class TableRow(FieldSource):
    """The row of a mesh in `fields.csv`; the column `mesh` contains file names, with or without suffix."""

    @cached_property
    def _row(self) -> dict[str, str]:
        import csv

        with self.file.open(encoding="utf-8-sig", newline="") as text:
            reader = csv.DictReader(text)
            if "mesh" not in (reader.fieldnames or ()):
                raise DataError(f"{self.file} has the columns {reader.fieldnames}: one of them must be `mesh`.")
            rows = [row for row in reader if (row["mesh"] or "").strip() in (self.mesh.name, self.mesh.stem)]
        if len(rows) > 1:
            raise DataError(f"{self.file} has {len(rows)} rows for {self.mesh.name}: keep one.")
        return rows[0] if rows else {}

    @property
    def names(self) -> list[str]:
        return [name for name in self._row if name != "mesh"]

    def find(self, name: str) -> list[RawField]:
        columns = {k: np.array([self._number(k, v)]) for k, v in self._row.items() if k in _columns_of(name)}
        values = gathered(columns, name)
        return [] if values is None else [RawField(values, str(self.file), "mesh")]

    def _number(self, column: str, text: str | None) -> float:
        try:
            return float(text) if text and text.strip() else float("nan")  # an empty cell means a missing value
        except ValueError as error:
            raise DataError(f"{self.file}, {self.mesh.name}: {column} is {text!r}, which is not a number.") from error


class FieldFiles:
    """All sources of the fields of one mesh.

    Args:
        mesh: the file of the mesh.
    """

    def __init__(self, mesh: Path) -> None:
        self.mesh = mesh
        self.sources = list(self._sources())

    def _sources(self) -> Iterator[FieldSource]:
        if is_hdf5_group(self.mesh):
            from gaugenet.data.fields.groups import Hdf5Group

            yield Hdf5Group(self.mesh.parent, self.mesh)
            return
        suffix = self.mesh.suffix.lower()
        if suffix == ".ply":
            yield PlyProperties(self.mesh, self.mesh)
        if suffix in VTK_SUFFIXES:
            yield VtkArrays(self.mesh, self.mesh)
        beside: dict[str, type[FieldSource]] = {".npz": NumpyArrays, ".h5": Hdf5Arrays, ".hdf5": Hdf5Arrays}
        for ending, source in beside.items():
            if (file := self.mesh.with_suffix(ending)).is_file():
                yield source(file, self.mesh)
        if (table := self.mesh.parent / TABLE).is_file():
            yield TableRow(table, self.mesh)

    def find(self, name: str) -> RawField | None:
        """Return the numbers of a field; `None` if no file has the field.

        Raises:
            DataError: If several files have the field, or a file cannot be read.
        """
        found = [field for source in self.sources for field in source.find(name)]
        single = self.mesh.with_name(f"{self.mesh.stem}.{name}.npy")
        if single.is_file():
            found.append(RawField(_array(single), str(single)))
        if len(found) > 1:
            raise DataError(
                f"The field {name!r} of {self.mesh} is in {len(found)} places: "
                f"{', '.join(field.where for field in found)}. Keep one, or rename the others."
            )
        return found[0] if found else None

    def missing(self, name: str) -> str:
        """Return the message about a missing field, with the places where it was searched."""
        seen = [f"{s.file.name} ({', '.join(s.names) or 'empty'})" for s in self.sources]
        if is_hdf5_group(self.mesh):
            return f"{self.mesh} has no field {name!r}: its group has {', '.join(self.sources[0].names) or 'none'}."
        return (
            f"{self.mesh} has no field {name!r}: looked in {'; '.join(seen) or 'no file'}. Expected a property or "
            f"array of the mesh file, {self.mesh.stem}.{name}.npy, or an entry of {self.mesh.stem}.npz or .h5."
        )


def _array(file: Path) -> ndarray:
    try:
        return np.asarray(read_npy(file))
    except (ValueError, OSError, EOFError) as error:
        raise DataError(f"{file} cannot be read as an array ({error}).") from error


def _columns_of(name: str) -> set[str]:
    """Return the possible names of the components of a field."""
    return {name, *(f"{name}{joint}{end}" for joint in ("_", "") for end in (*_VECTOR, *_TENSOR))}


def gathered(columns: Mapping[str, Any], name: str) -> ndarray | None:
    """Return the column of this name, or the joined components of a vector or tensor; `None` if there are none."""
    if name in columns:
        return np.asarray(columns[name])
    for joint in ("_", ""):
        for ends in (_TENSOR, _VECTOR):
            parts = [f"{name}{joint}{end}" for end in ends]
            if all(part in columns for part in parts):
                return np.stack([np.asarray(columns[part]) for part in parts], axis=-1)
    return None

"""Values of fields on one mesh: read, checked against the mesh, and converted to the unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from gaugenet._typing import typed_array
from gaugenet.data.fields.files import FieldFiles, RawField
from gaugenet.data.fields.spec import FieldSpec
from gaugenet.data.fields.units import converted
from gaugenet.data.meshes.sample import DataError
from gaugenet.geometry.mesh.mesh import TriangleMesh

_ASYMMETRY = 1e-4
"""Largest relative asymmetry of tensors, which allows for single precision and text files."""
_COMPONENTS = {0: "scalars", 3: "vectors", 6: "symmetric tensors", 9: "tensors"}


@dataclass(frozen=True, eq=False)
class FieldValues:
    """A field on one mesh in 3D coordinates, NaN where a value is missing.

    Attributes:
        values: `(n,)` scalars, `(n, 3)` vectors or `(n, 3, 3)` tensors.
        on: `vertex`, `face` or `mesh`.
        weight: `(n,)` weight of each value, 0 if it is masked or missing; `None` without a mask.
    """

    values: Float[ndarray, "n *shape"]
    on: Literal["vertex", "face", "mesh"]
    weight: Float[ndarray, "n"] | None = None

    @property
    def known(self) -> Bool[ndarray, "n"]:
        """Whether all components of each value are known."""
        found: Bool[ndarray, "n"] = np.isfinite(self.values.reshape(len(self.values), -1)).all(axis=1)
        return found


class FieldReader:
    """A reader of the fields of one mesh; each file is read once.

    Args:
        mesh: the surface.
        path: its file; fields are in it or next to it. `None` for a mesh in memory.
        given: fields in memory, which are preferred to files.

    Example:
        >>> from gaugenet.data import FieldReader, FieldSpec
        >>> from gaugenet.geometry import Icosphere, TriangleMesh
        >>> sphere = Icosphere(1)
        >>> mesh = TriangleMesh(sphere.pos, sphere.face.T)
        >>> reader = FieldReader(mesh, None, {"normal": mesh.vertex_normals})
        >>> reader.described("normal").kind
        'space_vector'
        >>> values = reader.read(FieldSpec("normal", "space_vector"))
        >>> values.values.shape, values.on
        ((42, 3), 'vertex')
    """

    def __init__(self, mesh: TriangleMesh, path: Path | None, given: Mapping[str, Any] | None = None) -> None:
        self.mesh, self.path, self.given = mesh, path, given or {}
        self._files: FieldFiles | None = None

    def read(self, spec: FieldSpec) -> FieldValues:
        """Return a field with its weights.

        Raises:
            DataError: If the field is missing or in several places, has the wrong number of values or components, has
                infinite values, or has an incompatible unit.
        """
        found = self.read_if_there(spec)
        if found is None:
            raise DataError(self._missing(spec.name))
        return found

    def read_if_there(self, spec: FieldSpec) -> FieldValues | None:
        """Return a field with its weights; `None` if no file has the field."""
        raw = self._find(spec.name)
        if raw is None:
            return None
        values, on = self._on_mesh(raw, spec)
        unit = raw.unit or spec.file_unit
        if spec.unit is not None and unit is not None:
            try:
                values = converted(values, unit, spec.unit, f"the field {spec.name!r} in {raw.where}")
            except ValueError as error:
                raise DataError(str(error)) from error
        return FieldValues(values, on, None if spec.mask is None else self._weight(spec, on))

    def described(self, name: str) -> FieldSpec:
        """Return the description of a field as its file tells it: kind by the number of components, site and unit.

        Vectors are described as vectors in space.

        Raises:
            DataError: If the field is missing, or is neither scalar nor vector nor tensor.
        """
        raw = self._find(name)
        if raw is None:
            raise DataError(self._missing(name))
        on, rows = self._site(raw, FieldSpec(name), raw.values)
        components = raw.values.size // rows
        kind = {1: "scalar", 3: "space_vector", 6: "tensor", 9: "tensor"}.get(components)
        if kind is None:
            raise DataError(f"{raw.where}: {name!r} has {components} numbers for each {on}: expected 1, 3, 6 or 9.")
        return FieldSpec(name, kind, on=on, unit=raw.unit)  # type: ignore[arg-type]

    def _weight(self, spec: FieldSpec, on: str) -> ndarray:
        mask = self.read(FieldSpec(str(spec.mask), on=on))  # type: ignore[arg-type]
        if (mask.values < 0).any():
            raise DataError(f"{self._name}: the mask {spec.mask!r} has negative values; expected 0 or weights above 0.")
        return typed_array(np.nan_to_num(mask.values, nan=0.0))

    def _find(self, name: str) -> RawField | None:
        if name in self.given:
            return RawField(np.asarray(self.given[name]), f"the fields of {self._name}")
        if self.path is None:
            return None
        if self._files is None:
            self._files = FieldFiles(self.path)
        return self._files.find(name)

    def _missing(self, name: str) -> str:
        if self._files is not None:
            return self._files.missing(name)
        return f"{self._name} has no field {name!r}: it has {', '.join(self.given) or 'none'}."

    @property
    def _name(self) -> str:
        return str(self.path) if self.path is not None else "the mesh"

    def _on_mesh(self, raw: RawField, spec: FieldSpec) -> tuple[ndarray, Literal["vertex", "face", "mesh"]]:
        """Return the values in the shape of their kind, and whether they belong to vertices, faces or the mesh."""
        array = raw.values
        if array.dtype.kind not in "iufb":
            raise DataError(f"{raw.where}: {spec.name!r} holds values of type {array.dtype}, expected numbers.")
        if array.dtype.itemsize > 8:
            array = array.astype(np.float64)
        on, rows = self._site(raw, spec, array)
        values = _shaped(array.reshape(rows, -1).astype(np.float64), spec, raw.where)
        if np.isinf(values).any():
            raise DataError(f"{raw.where}: {spec.name!r} has infinite values: mark missing values as NaN.")
        polygon = self.mesh.polygon_of_face
        if on == "face" and rows != self.mesh.num_faces:
            values = values[polygon]
        return values, on

    def _site(self, raw: RawField, spec: FieldSpec, array: ndarray) -> tuple[Literal["vertex", "face", "mesh"], int]:
        """Return whether values belong to vertices, faces or the mesh, and the number of rows of the array."""
        polygon = self.mesh.polygon_of_face
        polygons = int(polygon[-1]) + 1 if len(polygon) else self.mesh.num_faces
        counts = {"vertex": {self.mesh.num_vertices}, "face": {self.mesh.num_faces, polygons}, "mesh": {1}}
        size = int(np.prod(spec.shape))
        rows = 1 if array.ndim == 0 or (array.shape == spec.shape and size > 1) else len(array)
        asked = [raw.on] if raw.on is not None else ["vertex", "face", "mesh"]
        fitting = [site for site in asked if rows in counts[site] and spec.on in ("auto", site)]
        if not fitting:
            wanted = "" if spec.on == "auto" else f" (asked for: one a {spec.on})"
            raise DataError(
                f"{raw.where}: {spec.name!r} has {rows} values, but the mesh has {self.mesh.num_vertices} vertices and "
                f"{self.mesh.num_faces} faces{wanted}: expected one value for each of them, or one for the mesh."
            )
        if len(fitting) > 1:
            raise DataError(
                f"{raw.where}: the {rows} values of {spec.name!r} could belong to vertices or to faces: write "
                f"{spec.name}: {{kind: {spec.kind}, on: vertex}}, or on: face."
            )
        return fitting[0], rows  # type: ignore[return-value]


def _shaped(rows: Float[ndarray, "n c"], spec: FieldSpec, where: str) -> Float[ndarray, "n *shape"]:
    """Return rows of components as values of a kind.

    Raises:
        DataError: If the number of components does not fit the kind, or a tensor is not symmetric.
    """
    found = rows.shape[1]
    wanted = {"scalar": (1,), "tensor": (6, 9)}.get(spec.kind, (3,))
    if found not in wanted:
        told = _COMPONENTS.get(0 if found == 1 else found, "values")
        raise DataError(
            f"{where}: {spec.name!r} was declared as a {spec.kind}, with {' or '.join(map(str, wanted))} numbers "
            f"each, but it has {told} of {found}: correct the kind, or the file."
        )
    if spec.kind == "scalar":
        return rows[:, 0]
    if spec.kind != "tensor":
        return rows
    if found == 6:  # the order of VTK: xx, yy, zz, xy, yz, xz
        rows = rows[:, [0, 3, 5, 3, 1, 4, 5, 4, 2]]
    tensor = rows.reshape(-1, 3, 3)
    skew = np.abs(tensor - tensor.swapaxes(1, 2))
    if np.nanmax(skew, initial=0.0) > _ASYMMETRY * np.nanmax(np.abs(tensor), initial=0.0):
        raise DataError(f"{where}: the tensor {spec.name!r} is not symmetric; expected a symmetric 2-tensor.")
    return typed_array(0.5 * (tensor + tensor.swapaxes(1, 2)))

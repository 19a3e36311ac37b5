"""Fields of a mesh in a group of an HDF5 file, with the distance from marked inlets."""

from __future__ import annotations

import re
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from gaugenet._typing import typed_array
from gaugenet.data.fields.files import FieldSource, RawField, gathered
from gaugenet.data.meshes.sample import DataError
from gaugenet.geometry.mesh._hdf5 import FACES, POSITIONS, open_hdf5
from gaugenet.geometry.mesh.mesh import MeshError, TriangleMesh

INLETS = ("inlet_idcs", "inlet_idx")
"""Names of the data set with the indices of the vertices at the inlet."""
DISTANCE = "inflow_distance"
"""Name of the derived field: the geodesic distance from the inlet."""


class Hdf5Group(FieldSource):
    """The data sets of a group such as those of `sukjulian/coronary-mesh-convolution` (:cite:`suk2021mesh`).

    - A data set with a value for each vertex or face is a field. Its attribute `units` or `unit` is its unit.
    - A data set `(T, V, 3)` is a series; the step `k` is the field `NAME@k`.
    - `inflow_distance` is computed if the group has `inlet_idcs` or `inlet_idx` and no field of this name.
    """

    @cached_property
    def _content(self) -> dict[str, Any]:
        try:
            with open_hdf5(self.mesh.parent) as file:
                return {
                    name: (np.asarray(entry[()]), _unit(entry))
                    for name, entry in file[self.mesh.name].items()
                    if hasattr(entry, "shape") and name not in (POSITIONS, FACES)
                }
        except MeshError as error:
            raise DataError(str(error)) from error

    @property
    def names(self) -> list[str]:
        derived = [DISTANCE] if self._inlets() is not None and DISTANCE not in self._content else []
        return [*self._content, *derived]

    def find(self, name: str) -> list[RawField]:
        series, _, step = name.rpartition("@")
        if series in self._content and re.fullmatch(r"\d+", step):
            return [self._step(series, int(step))]
        if name in self._content:
            values, unit = self._content[name]
            if values.ndim == 3 and values.shape[1] > 3 and values.shape[2] == 3:
                raise DataError(
                    f"{self.mesh}: {name!r} has {len(values)} time steps: choose one, such as {name}@0, and the same "
                    "for all meshes."
                )
            return [RawField(values, str(self.mesh), unit=unit)]
        values = gathered({key: array for key, (array, _) in self._content.items()}, name)
        if values is not None:
            return [RawField(values, str(self.mesh))]
        return [RawField(self._distance(), f"{self.mesh} (inlet)", "vertex")] if name in self.names else []

    def _step(self, name: str, step: int) -> RawField:
        values, unit = self._content[name]
        if values.ndim != 3 or step >= len(values):
            steps = f"{len(values)} time steps" if values.ndim == 3 else f"no time steps, but the shape {values.shape}"
            raise DataError(f"{self.mesh}: {name}@{step} does not exist, as {name!r} has {steps}.")
        return RawField(values[step], str(self.mesh), unit=unit)

    def _inlets(self) -> ndarray | None:
        found = next((self._content[name][0] for name in INLETS if name in self._content), None)
        return None if found is None else np.unique(found.astype(np.int64).reshape(-1))

    def _distance(self) -> Float[ndarray, "vertices"]:
        """Return the geodesic distance from the inlet by the heat method, in units of the mesh."""
        import potpourri3d as pp3d

        mesh, inlet = TriangleMesh.load(self.mesh), self._inlets()
        if inlet is None or not len(inlet) or inlet[0] < 0 or inlet[-1] >= mesh.num_vertices:
            raise DataError(
                f"{self.mesh}: expected indices of vertices, 0 to {mesh.num_vertices - 1}, in 'inlet_idcs'."
            )
        solver = pp3d.MeshHeatMethodDistanceSolver(mesh.vertices, mesh.faces)
        return typed_array(np.maximum(solver.compute_distance_multisource(inlet), 0.0))


def _unit(entry: Any) -> str | None:
    unit = next((entry.attrs[key] for key in ("units", "unit") if key in entry.attrs), None)
    unit = unit.decode() if isinstance(unit, bytes) else unit
    return None if unit is None else str(unit)


__all__ = ["DISTANCE", "Hdf5Group"]

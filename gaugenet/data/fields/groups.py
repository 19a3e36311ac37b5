"""Fields of a mesh in a group of an HDF5 file, with the distance from marked inlets."""

from __future__ import annotations

import re
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
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
    - `inflow_distance` is computed if the group has `inlet_idcs` or `inlet_idx`, indices of vertices or a mask of them,
      and no field of this name.
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
        name = next((name for name in INLETS if name in self._content), None)
        if name is None:
            return None
        found = self._content[name][0].reshape(-1)
        if found.dtype.kind == "b":
            return np.flatnonzero(found)
        if found.dtype.kind not in "iuf" or (found % 1 != 0).any():  # NaN % 1 is NaN
            raise DataError(f"{self.mesh}: expected indices of vertices in {name!r}, got {found.dtype}, not all whole.")
        return np.unique(found.astype(np.int64))

    def _distance(self) -> Float[ndarray, "vertices"]:
        """Return the geodesic distance from the inlet by the heat method, in units of the mesh."""
        import potpourri3d as pp3d

        mesh, inlet = TriangleMesh.load(self.mesh), self._inlets()
        if inlet is None or not len(inlet) or inlet[0] < 0 or inlet[-1] >= mesh.num_vertices:
            raise DataError(
                f"{self.mesh}: expected indices of vertices, 0 to {mesh.num_vertices - 1}, in 'inlet_idcs'."
            )
        if not _reached(mesh.faces, mesh.num_vertices, inlet).all():
            raise DataError(
                f"{self.mesh}: a part of the mesh is not connected to the vertices of 'inlet_idcs', so it has no "
                "distance from the inlet: remove the part, or name an inlet in it."
            )
        solver = pp3d.MeshHeatMethodDistanceSolver(mesh.vertices, mesh.faces)
        return typed_array(np.maximum(solver.compute_distance_multisource(inlet), 0.0))


def _reached(faces: Int[ndarray, "faces 3"], count: int, start: Int[ndarray, "starts"]) -> Bool[ndarray, "faces"]:
    """Return which faces are connected to one of the vertices."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ends = np.concatenate([faces[:, :2], faces[:, 1:]])
    edges = coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(count, count))
    part = connected_components(edges, directed=False)[1]
    return typed_array(np.isin(part[faces[:, 0]], part[start]))


def _unit(entry: Any) -> str | None:
    unit = next((entry.attrs[key] for key in ("units", "unit") if key in entry.attrs), None)
    unit = unit.decode() if isinstance(unit, bytes) else unit
    return None if unit is None else str(unit)


__all__ = ["DISTANCE", "Hdf5Group"]

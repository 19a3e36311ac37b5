"""Fields on graphs: values in 3D coordinates, and components in the frames of the vertices."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from gaugenet._typing import typed_tensor
from gaugenet.data.fields.spec import FieldSpec
from gaugenet.data.fields.values import FieldReader, FieldValues
from gaugenet.data.meshes.features import InputFeature
from gaugenet.data.meshes.sample import MeshSample
from gaugenet.geometry.gauge_graph import GaugeGraph
from gaugenet.geometry.mesh.mesh import TriangleMesh


def attach_inputs(graph: GaugeGraph, sample: MeshSample, specs: Sequence[FieldSpec]) -> None:
    """Put fields into a graph, as float64 values in 3D coordinates on its vertices, NaN where they are missing.

    Values of faces are averaged onto vertices, weighted by area; a value of a mesh is copied to all vertices. For the
    graph of a repaired mesh, `vertex_map` gives the original vertices.

    Raises:
        DataError: If a field is missing, or does not fit the mesh.
    """
    if specs:
        reader = FieldReader(sample.mesh, sample.path, sample.fields)
        for spec in specs:
            values = on_vertices(reader.read(spec), sample.mesh)
            graph[spec.key] = torch.from_numpy(_mapped(values, graph, "vertex_map"))


def attach_targets(graph: GaugeGraph, sample: MeshSample, specs: Sequence[FieldSpec]) -> None:
    """Put targets into a graph: float64 values in 3D coordinates, with weights.

    The weight of a missing or masked value is 0.

    Raises:
        DataError: If a field is missing, or does not fit the mesh.
    """
    if specs:
        reader = FieldReader(sample.mesh, sample.path, sample.fields)
        for spec in specs:
            found = reader.read(spec)
            weight = np.where(found.known, 1.0 if found.weight is None else found.weight, 0.0)
            for key, values in ((spec.key, np.nan_to_num(found.values)), (spec.mask_key, weight)):
                mapped = values if found.on == "mesh" else _mapped(values, graph, f"{found.on}_map")
                graph[key] = torch.from_numpy(mapped)


def _mapped(values: ndarray, graph: GaugeGraph, name: str) -> ndarray:
    rows = values[graph[name].numpy()] if name in graph else values
    return np.ascontiguousarray(rows, dtype=np.float64)


def on_vertices(field: FieldValues, mesh: TriangleMesh) -> Float[ndarray, "vertices *shape"]:
    """Return a field on the vertices: the mean of adjacent faces, weighted by area, or the value of the mesh.

    Missing values are ignored; a vertex without known values gets NaN.
    """
    if field.on == "vertex":
        return field.values
    if field.on == "mesh":
        return np.repeat(field.values, mesh.num_vertices, axis=0)
    flat = field.values.reshape(len(field.values), -1)
    area = np.where(field.known, np.nan_to_num(mesh.face_areas), 0.0)
    total = np.zeros((mesh.num_vertices, flat.shape[1]))
    weight = np.zeros(mesh.num_vertices)
    for corner in mesh.faces.T:
        np.add.at(total, corner, area[:, None] * np.nan_to_num(flat))
        np.add.at(weight, corner, area)
    mean = np.divide(total, weight[:, None], out=np.full_like(total, np.nan), where=weight[:, None] > 0)
    return mean.reshape(mesh.num_vertices, *field.values.shape[1:])


def components(
    values: Float[Tensor, "n *shape"], frame: Float[Tensor, "n 3 2"], kind: str
) -> Float[Tensor, "n components"]:
    """Return the components of values in tangent frames, irrep by irrep in the order of `FieldSpec.irreps`.

    A vector `v` has the tangential components `F^T v` and the normal component `n . v` with `n = f_1 x f_2`. A tensor
    `T` has the tangential part `S = F^T T F`, which consists of half its trace and the order-2 field
    `((S_11 - S_22) / 2, S_12)`.
    """
    if kind == "scalar":
        return values[:, None]
    if kind == "tensor":
        s = frame.mT @ values @ frame
        half = 0.5 * (s[:, 0, 0] + s[:, 1, 1])
        return torch.stack([half, 0.5 * (s[:, 0, 0] - s[:, 1, 1]), 0.5 * (s[:, 0, 1] + s[:, 1, 0])], dim=1)
    tangential = (frame.mT @ values[..., None])[..., 0]
    if kind == "tangent_vector":
        return tangential
    return torch.cat([(normals(frame) * values).sum(1, keepdim=True), tangential], dim=1)


def in_space(
    components: Float[Tensor, "n components"], frame: Float[Tensor, "n 3 2"], kind: str
) -> Float[Tensor, "n *shape"]:
    """Return the values in 3D coordinates with these components: a right inverse of `components`."""
    if kind == "scalar":
        return typed_tensor(components[:, 0])
    if kind == "tensor":
        half, a, b = components.unbind(1)
        s = torch.stack([half + a, b, b, half - a], dim=1).unflatten(1, (2, 2))
        return typed_tensor(frame @ s @ frame.mT)
    tangential = (frame @ components[:, -2:, None])[..., 0]
    if kind == "tangent_vector":
        return typed_tensor(tangential)
    return typed_tensor(tangential + components[:, :1] * normals(frame))


def normals(frame: Float[Tensor, "n 3 2"]) -> Float[Tensor, "n 3"]:
    """Return the unit normals of the frames."""
    return typed_tensor(torch.linalg.cross(frame[..., 0], frame[..., 1]))


class FieldInput(InputFeature):
    """A field of the user's files as an input: normalized, with components in the frames.

    Scalars are standardized. Vectors and tensors are scaled but not shifted, so they stay equivariant. Missing values
    are 0; if the training part has missing values, an additional scalar is 1 where the value is known.

    Args:
        spec: the field, with its normalization.
    """

    intrinsic = False

    def __init__(self, spec: FieldSpec) -> None:
        self.spec = spec
        known = (("0", 1),) if spec.missing else ()
        self.fields = (*((label, 1) for label in spec.irreps), *known)

    def compute(self, graph: GaugeGraph) -> Float[Tensor, "vertices size"]:
        if self.spec.key not in graph:
            raise ValueError(f"The graph does not have the field {self.spec.name!r}: prepare the mesh with its fields.")
        values = graph[self.spec.key].double()
        normalized = (values - (self.spec.mean or 0.0)) / (self.spec.scale or 1.0)
        parts = components(normalized, graph.frame.double(), self.spec.kind)
        known = parts.isfinite().all(dim=1, keepdim=True)
        parts = torch.where(known, parts, 0.0)
        return (torch.cat([parts, known.double()], dim=1) if self.spec.missing else parts).to(graph.pos.dtype)

    def __repr__(self) -> str:
        return f"FieldInput({self.spec!r})"


__all__ = ["FieldInput", "attach_inputs", "attach_targets", "components", "in_space", "normals", "on_vertices"]

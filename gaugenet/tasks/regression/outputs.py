"""Predicted fields in space, on vertices, on faces or of whole meshes, from a network's outputs at the vertices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet._typing import typed_tensor
from gaugenet.data.fields.on_graph import in_space, normals
from gaugenet.data.fields.spec import FieldSpec
from gaugenet.data.meshes.input_features import irreps_under
from gaugenet.groups import O2, FieldType, StructureGroup
from gaugenet.tasks.mesh.outputs import vertex_graph


def out_type(specs: Sequence[FieldSpec], group: StructureGroup) -> FieldType:
    """Return the type of a network's outputs: the irreps of each target, target after target.

    Raises:
        ValueError: If a target is not a sum of the group's irreps component by component.
    """
    names = [name for spec in specs for label in spec.irreps for name, _ in irreps_under(group, label)]
    return FieldType(group, [(name, 1) for name in names])


def sizes(specs: Sequence[FieldSpec]) -> list[int]:
    """Return the number of output channels of each target."""
    return [sum(O2().irrep(label).dim for label in spec.irreps) for spec in specs]


def predicted_fields(
    outputs: Float[Tensor, "vertices channels"], graph: Any, specs: Sequence[FieldSpec], *, normalized: bool = False
) -> dict[str, Tensor]:
    """Return the predicted fields in space, on the items of the targets.

    Args:
        outputs: outputs of the network at each vertex, see `out_type`.
        graph: the graph or batch of graphs.
        specs: the fitted targets.
        normalized: leave out mean and scale of the targets; otherwise the fields are in the units of the targets.
    """
    outputs = outputs if outputs.dtype == torch.float64 else outputs.float()
    parts = outputs.split(sizes(specs), dim=1)
    frame = graph.frame.to(outputs.dtype)
    found = {}
    for spec, part in zip(specs, parts):
        scaled = part if normalized else part * (spec.scale or 1.0) + (spec.mean or 0.0)
        found[spec.name] = _placed(in_space(scaled, frame, spec.kind), graph, spec)
    return found


def _placed(values: Float[Tensor, "vertices *shape"], graph: Any, spec: FieldSpec) -> Float[Tensor, "items *shape"]:
    """Average values of vertices over the items of the target: over a face's corners, or over a mesh by area."""
    if spec.on == "face":
        return along_surface(values[graph.face].mean(dim=0), graph, spec)
    return _area_mean(values, graph) if spec.on == "mesh" else values


def along_surface(values: Float[Tensor, "items *shape"], graph: Any, spec: FieldSpec) -> Float[Tensor, "items *shape"]:
    """Restrict a field to its kind: tangent vectors and tensors to their tangential part."""
    if spec.kind not in ("tangent_vector", "tensor") or spec.on == "mesh":
        return values
    normal = (face_normals(graph) if spec.on == "face" else normals(graph.frame)).to(values.dtype)
    along = torch.eye(3, dtype=values.dtype, device=values.device) - normal[:, :, None] * normal[:, None, :]
    if values.ndim == 2:
        return typed_tensor((along @ values[..., None])[..., 0])
    return typed_tensor(along @ values @ along)


def face_normals(graph: Any) -> Float[Tensor, "faces 3"]:
    """Return the unit normals of the faces, zero where a face has no area."""
    a, b, c = graph.pos[graph.face]
    return torch.nn.functional.normalize(torch.linalg.cross(b - a, c - a), dim=1, eps=1e-30)


def item_areas(graph: Any, spec: FieldSpec) -> Float[Tensor, "items"]:
    """Return the area of each vertex or face; 1 for whole meshes."""
    if spec.on == "face":
        a, b, c = graph.pos[graph.face]
        return typed_tensor(0.5 * torch.linalg.cross(b - a, c - a).norm(dim=1))
    if spec.on == "mesh":
        return torch.ones(int(getattr(graph, "num_graphs", 1)), dtype=graph.pos.dtype, device=graph.pos.device)
    return typed_tensor(graph.mass)


def _area_mean(values: Tensor, graph: Any) -> Tensor:
    index, mass = vertex_graph(graph), graph.mass.to(values.dtype)
    count = int(getattr(graph, "num_graphs", 1))
    weighted = values * mass.reshape(-1, *[1] * (values.ndim - 1))
    total = values.new_zeros(count, *values.shape[1:]).index_add(0, index, weighted)
    area = values.new_zeros(count).index_add(0, index, mass)
    return typed_tensor(total / area.reshape(-1, *[1] * (values.ndim - 1)))


def true_fields(graph: Any, specs: Sequence[FieldSpec]) -> Mapping[str, tuple[Tensor, Tensor]]:
    """Return the targets of a graph, restricted to their kinds, and the weight of each value, 0 if missing."""
    return {s.name: (along_surface(graph[s.key], graph, s), graph[s.mask_key]) for s in specs}

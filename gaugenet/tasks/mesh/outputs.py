"""Probabilities of the labelled items (faces, vertices or whole meshes) from scores at the vertices."""

from __future__ import annotations

from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from gaugenet.data.meshes.classes import ClassTable
from gaugenet.tasks.mesh.losses import face_log_probabilities
from gaugenet.tasks.training.options import Corners
from gaugenet.tasks.training.run import DESCRIPTION, RunDescription

Items = Literal["face", "vertex", "mesh"]
PLURAL: dict[str, str] = {"face": "faces", "vertex": "vertices", "mesh": "meshes"}


def item_log_probabilities(
    model: nn.Module, graph: Any, items: Items, *, corners: Corners = "probabilities"
) -> Float[Tensor, "items classes"]:
    """Return log-probabilities of the classes of each item, in float32 even under autocast.

    Args:
        model: network, `model(x, graph) -> (N, classes)`.
        graph: a `GaugeGraph` or a batch of them, with features `x`.
        items: `"vertex"`: softmax at each vertex; `"face"`: see `face_log_probabilities`; `"mesh"`: softmax of the
            area-weighted mean of the scores over each mesh, which does not depend on how finely a part is triangulated
            (or of the network's own scores if it returns one row for each mesh).
        corners: how a face combines its three vertices.
    """
    return log_probabilities(vertex_scores(model, graph), graph, items, corners=corners)


def vertex_scores(model: nn.Module, graph: Any) -> Float[Tensor, "vertices classes"]:
    """Return the output of the network, in float32 even under autocast (float64 stays)."""
    scores: Tensor = model(graph.x, graph)
    return scores if scores.dtype == torch.float64 else scores.float()


def log_probabilities(
    scores: Float[Tensor, "vertices classes"], graph: Any, items: Items, *, corners: Corners = "probabilities"
) -> Float[Tensor, "items classes"]:
    """Return log-probabilities as `item_log_probabilities` does, from given scores.

    Raises:
        ValueError: If `items` is not one of the three.
    """
    if items == "vertex":
        return torch.log_softmax(scores, dim=-1)
    if items == "face":
        return face_log_probabilities(scores, graph.face, corners=corners)
    if items == "mesh":
        pooled = scores.shape[0] != graph.pos.shape[0]
        return torch.log_softmax(scores if pooled else _area_mean(scores, graph), dim=-1)
    raise ValueError(f"Expected `items` to be 'face', 'vertex' or 'mesh', got {items!r}.")


def item_graph(graph: Any, items: Items) -> Int[Tensor, "items"]:
    """Return the graph of the batch that each item belongs to."""
    if items == "mesh":
        return torch.arange(int(getattr(graph, "num_graphs", 1)), device=graph.pos.device)
    vertex = vertex_graph(graph)
    return vertex if items == "vertex" else vertex[graph.face[0]]


def vertex_graph(graph: Any) -> Int[Tensor, "vertices"]:
    """Return the graph of the batch that each vertex belongs to; zeros for a single graph."""
    batch: Tensor | None = getattr(graph, "batch", None)
    return torch.zeros(len(graph.pos), dtype=torch.long, device=graph.pos.device) if batch is None else batch


def classes_of(description: RunDescription) -> ClassTable:
    """Return the classes of a run with their numbers in label files; 0, 1, ... for runs of earlier versions."""
    values = description.label_values or range(len(description.classes))
    return ClassTable(tuple(description.classes), tuple(values), DESCRIPTION)


def _area_mean(scores: Tensor, graph: Any) -> Tensor:
    index, mass = vertex_graph(graph), graph.mass.to(scores.dtype)
    num_graphs = int(getattr(graph, "num_graphs", 1))
    total = scores.new_zeros(num_graphs, scores.shape[1]).index_add(0, index, scores * mass[:, None])
    return total / scores.new_zeros(num_graphs).index_add(0, index, mass)[:, None]

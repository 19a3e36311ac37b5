"""The neighbourhoods of gauge graphs: rows sorted by target, including the points themselves if kernels need them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gaugenet.kernels import Neighborhood

if TYPE_CHECKING:
    from gaugenet.geometry.gauge_graph import GaugeGraph


@dataclass(frozen=True)
class Rows:
    """The neighbourhoods of a graph and the transporter of every row."""

    neighborhood: Neighborhood
    transporter: Float[Tensor, "rows d d"]


def rows_of(graph: GaugeGraph, *, includes_center: bool) -> Rows:
    """Return the rows of a graph, computed once per graph."""
    return graph.cached(("rows", includes_center), graph.geometry_tensors(), lambda: _rows(graph, includes_center))


def _rows(graph: GaugeGraph, includes_center: bool) -> Rows:
    indptr, source = _compressed_rows(graph)
    radius = graph.edge_radius()
    log_map = graph.log_map / radius[:, None]
    if not includes_center:
        return Rows(Neighborhood(log_map, graph.weight, source, indptr, radius), graph.transporter)
    points = torch.arange(len(indptr) - 1, device=source.device)
    order = torch.cat([points, graph.edge_index[1]]).argsort(stable=True)  # each point before its neighbours
    own_radius = graph.radius if graph.radius.numel() == 1 else graph.radius[graph.membership()[0]]
    identity = torch.eye(log_map.shape[1]).to(graph.transporter).expand(len(points), -1, -1)
    return Rows(
        Neighborhood(
            torch.cat([log_map.new_zeros(len(points), log_map.shape[1]), log_map])[order],
            torch.cat([graph.weight.new_zeros(len(points)), graph.weight])[order],
            torch.cat([points, source])[order],
            indptr + torch.arange(len(indptr), device=indptr.device),
            torch.cat([own_radius.reshape(-1).expand(len(points)), radius])[order],
        ),
        torch.cat([identity, graph.transporter])[order],
    )


def _compressed_rows(graph: GaugeGraph) -> tuple[Int[Tensor, "targets_1"], Int[Tensor, "edges"]]:
    """Return the row pointers over targets, and the sources.

    Raises:
        ValueError: If edges are not sorted by target, refer to a point that does not exist, or lack geometry: compiled
            loops would read beyond the end of a tensor.
    """
    source, target = graph.edge_index
    for name in ("log_map", "transporter", "weight"):
        if len(graph[name]) != len(target):
            raise ValueError(
                f"Expected `{name}` with one row for each of the {len(target)} edges of the graph, got shape "
                f"{tuple(graph[name].shape)}."
            )
    count = graph.num_nodes or 0
    if graph.edge_index.numel():
        low, high = (int(bound) for bound in graph.edge_index.aminmax())
        if low < 0 or high >= count:
            raise ValueError(
                f"Expected `edge_index` between 0 and {count - 1}, the points of the graph, got {low} to {high}."
            )
    if target.numel() and bool((target[1:] < target[:-1]).any()):
        raise ValueError(
            "Expected edges sorted by target, as `gauge_graph` makes them: sort `edge_index`, `log_map`, "
            "`transporter` and `weight` together by `edge_index[1]`."
        )
    degree = torch.bincount(target, minlength=count)
    indptr = torch.cat([degree.new_zeros(1), degree.cumsum(0)])
    return indptr, source.contiguous()


__all__ = ["Rows", "rows_of"]

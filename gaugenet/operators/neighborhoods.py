"""The neighbourhoods of a gauge graph, including their points, and derivatives at these points."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gaugenet.geometry.gauge_graph import GaugeGraph, is_sorted_by_target
from gaugenet.groups import group_from_name
from gaugenet.kernels.jets import Jets, local_jets


@dataclass(frozen=True)
class GraphJets:
    """Derivatives at the points of a graph from the fields around them, in units of length.

    Attributes:
        rows: `(rows, columns)`, float64: d^a f(p) is the sum over the rows of p of
            `rows[row, a] rho(transporter[row]) f(source)`.
        source, target: points of each row; the first row of a point is the point itself.
        transporter: transporter of each row from the frame of the source to the frame of the target.
        jets: the fitted jets, with lengths in units of the radius.
    """

    rows: Float[Tensor, "rows columns"]
    source: Int[Tensor, "rows"]
    target: Int[Tensor, "rows"]
    transporter: Float[Tensor, "rows d d"]
    jets: Jets

    @property
    def num_points(self) -> int:
        return len(self.jets.degree)


def graph_jets(graph: GaugeGraph, degree: int, *, uniform: bool = False) -> GraphJets:
    """Return the jets of all points, computed once per graph and degree; `uniform` ones do not depend on lengths.

    Raises:
        ValueError: If frames are not orthonormal (unless `uniform`), no point has neighbours, or the geometry requires
            gradients.
    """
    return graph.cached(("jets", degree, uniform), graph.geometry_tensors(), lambda: _fit(graph, degree, uniform))


def _fit(graph: GaugeGraph, degree: int, uniform: bool) -> GraphJets:
    _check(graph, uniform)
    source, target, order = _with_centers(graph)
    d = graph.log_map.shape[1]
    radius = torch.cat([_point_radius(graph), graph.edge_radius()])[order].double()
    log_map = torch.cat([graph.log_map.new_zeros(graph.num_nodes, d), graph.log_map])[order].double()
    eye = torch.eye(d).to(graph.transporter).expand(graph.num_nodes, d, d)
    degrees = torch.bincount(target, minlength=graph.num_nodes)
    indptr = torch.cat([degrees.new_zeros(1), degrees.cumsum(0)])
    jets = local_jets(log_map / radius[:, None], indptr, degree=degree, uniform=uniform)
    orders = torch.tensor([sum(a) for a in jets.indices])
    rows = jets.rows.to(radius.device) / radius[:, None] ** orders.to(radius)
    return GraphJets(rows, source, target, torch.cat([eye, graph.transporter])[order], jets)


def _with_centers(graph: GaugeGraph) -> tuple[Int[Tensor, "rows"], Int[Tensor, "rows"], Int[Tensor, "rows"]]:
    """Return source and target of all rows, the edges and one row for each point itself, and the order of rows.

    Rows are sorted by target, with the point itself first. The order is a permutation of the points, then the edges.
    """
    points = torch.arange(graph.num_nodes, device=graph.edge_index.device)
    source, target = torch.cat([torch.stack([points, points]), graph.edge_index], 1)
    order = torch.argsort(target, stable=True)
    return source[order], target[order], order


def _point_radius(graph: GaugeGraph) -> Float[Tensor, "points"]:
    radius: Tensor = graph.radius
    return radius.reshape(1).expand(graph.num_nodes) if radius.numel() == 1 else radius[graph.batch]


def _check(graph: GaugeGraph, uniform: bool) -> None:
    if not is_sorted_by_target(graph.edge_index):
        raise ValueError("Expected edges sorted by target, as `gauge_graph` makes them: sort all of their attributes.")
    if graph.log_map.requires_grad:
        raise ValueError("Operators are not differentiable in the geometry: pass a graph whose `log_map` is detached.")
    d = graph.log_map.shape[1]
    for name in {graph.structure} if isinstance(graph.structure, str) else set(graph.structure):
        if not uniform and not group_from_name(name, d).compact:
            raise ValueError(
                f"Expected orthonormal frames, got the structure group {name}: gradients and Laplacians need lengths. "
                "Use `apply_operator` with a `DifferentialSpace` of that group."
            )


__all__ = [
    "GraphJets",
    "graph_jets",
]

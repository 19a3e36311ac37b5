"""The `reference` engine: the definition, one edge at a time in float64. For tests."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet.geometry.gauge_graph import GaugeGraph
from gaugenet.kernels import KernelSpace


def convolve(
    space: KernelSpace, weight: Float[Tensor, "weights"], x: Float[Tensor, "vertices in"], graph: GaugeGraph
) -> Float[Tensor, "vertices out"]:
    """out(p) = sum over edges q -> p of w_e K(log_map_e / radius) rho_in(transporter_e) x(q)."""
    out = torch.zeros(graph.num_nodes, space.out_type.size, dtype=torch.float64, device=x.device)
    rho = space.in_type.representation()
    radius = graph.edge_radius().double()
    rows = []
    for e, (q, p) in enumerate(graph.edge_index.T.tolist()):
        kernel = space.evaluate(weight.double(), graph.log_map[e].double() / radius[e])
        message = kernel @ rho(graph.transporter[e].double()) @ x[q].double()
        rows.append((p, graph.weight[e].double() * message))
    for p, message in rows:
        out = out.index_add(0, torch.tensor([p], device=x.device), message[None])
    return out.to(x.dtype)

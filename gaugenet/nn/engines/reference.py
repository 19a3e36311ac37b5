"""The `reference` engine: the definition, evaluated edge by edge in float64. For tests."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from gaugenet.geometry.gauge_graph import GaugeGraph
from gaugenet.kernels import KernelSpace


def convolve(
    space: KernelSpace, weight: Float[Tensor, "weights"], x: Float[Tensor, "vertices in"], graph: GaugeGraph
) -> Float[Tensor, "vertices out"]:
    """out(p) = sum over edges q -> p of w_e K(log_map_e / radius) rho_in(transporter_e) x(q)."""
    source, target = graph.edge_index
    kernel = space.evaluate(weight.double(), graph.log_map.double() / graph.edge_radius().double()[:, None])
    turned = space.in_type.transform(graph.transporter.double(), x.double()[source])
    messages = graph.weight.double()[:, None] * (kernel @ turned.unsqueeze(-1)).squeeze(-1)
    out = messages.new_zeros(x.shape[0], space.out_type.size)
    return out.index_add(0, target, messages).to(x.dtype)

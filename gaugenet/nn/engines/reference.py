"""The `reference` engine: the definition, evaluated row by row in float64. For tests."""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet.geometry.domain import GraphDomain
from gaugenet.kernels import KernelSpace
from gaugenet.kernels.attributes import Attributes
from gaugenet.nn.engines.graph import GraphEngine
from gaugenet.nn.engines.neighborhoods import rows_of


class ReferenceEngine(GraphEngine):
    """The engine that evaluates one matrix K_pq for each edge of a gauge graph."""

    def aggregate(
        self,
        space: KernelSpace,
        weight: Float[Tensor, "weights"],
        x: Float[Tensor, "vertices in"],
        graph: GraphDomain,
        attributes: Attributes,
    ) -> Float[Tensor, "vertices out"]:
        """Return the sum over rows of K_pq rho_in(g_pq) x(q)."""
        rows = graph.derived(
            f"reference rows {space.includes_center}",
            lambda graph: rows_of(graph.astype(torch.float64), includes_center=space.includes_center),
        )
        n = replace(rows.neighborhood, attributes=space.row_attributes(attributes, rows.neighborhood, rows.transporter))
        transported = space.in_type.transform(rows.transporter, x.double()[n.source])
        messages = (space.matrices(weight.double(), n) @ transported.unsqueeze(-1)).squeeze(-1)
        out = messages.new_zeros(x.shape[0], space.out_type.size)
        return out.index_add(0, n.target, messages).to(x.dtype)

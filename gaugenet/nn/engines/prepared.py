"""PreparedGraph: what layers read of a gauge graph, as plain tensors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gaugenet.geometry.gauge_graph import GaugeGraph

T = TypeVar("T")


@dataclass(frozen=True)
class PreparedGraph:
    """A gauge graph reduced to the factors that one network needs: see `gaugenet.nn.prepare`.

    Attributes:
        mass: `(N,)`, area of the dual cell of each point.
        batch: `(N,)`, the graph that each point belongs to.
        num_graphs: number of graphs.
        tables: factors by the key of the layer that needs them.
        coarser: the coarser levels.
    """

    mass: Float[Tensor, "vertices"]
    batch: Int[Tensor, "vertices"]
    num_graphs: int
    tables: dict[str, Any]
    coarser: list[PreparedGraph]

    @property
    def num_nodes(self) -> int:
        return self.mass.shape[0]

    @property
    def num_levels(self) -> int:
        return 1 + len(self.coarser)

    def level(self, level: int) -> PreparedGraph:
        return self if level == 0 else self.coarser[level - 1]

    def level_size(self, level: int) -> int:
        return self.level(level).num_nodes


Domain = GaugeGraph | PreparedGraph
"""What layers accept."""


def derived(
    domain: Domain,
    key: str,
    build: Callable[[GaugeGraph], T],
    *,
    sources: Callable[[GaugeGraph], list[Tensor]] = GaugeGraph.geometry_tensors,
) -> T:
    """`build(graph)`, kept on a `GaugeGraph` as long as `sources(graph)` do not change; read from a `PreparedGraph`."""
    if isinstance(domain, PreparedGraph):
        if key not in domain.tables:
            raise ValueError(
                f"The domain was not prepared for {key!r}: call `prepare(network, x, graph)` with this network, "
                "and features of this precision."
            )
        return domain.tables[key]
    return domain.cached(key, sources(domain), lambda: build(domain))


def membership(domain: Domain) -> tuple[Int[Tensor, "vertices"], int]:
    """The graph of a batch that each point belongs to, and the number of graphs."""
    if isinstance(domain, PreparedGraph):
        return domain.batch, domain.num_graphs
    batch = domain.get("batch")
    if batch is None:
        batch = torch.zeros(domain.num_nodes or 0, dtype=torch.int64, device=domain.mass.device)
    return batch, domain.radius.numel()


torch.export.register_dataclass(PreparedGraph, serialized_type_name="gaugenet.PreparedGraph")

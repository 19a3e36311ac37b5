"""prepare_graph: the geometry that a network needs, computed outside of compiled or exported code."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gaugenet.nn.engines.factors import EdgeFactors
from gaugenet.nn.engines.prepared import PreparedGraph

if TYPE_CHECKING:
    from gaugenet.geometry.gauge_graph import GaugeGraph


def prepare_graph(network: nn.Module, x: Float[Tensor, "vertices in"], graph: GaugeGraph) -> PreparedGraph:
    """Return the tables of a graph that `network(x, graph)` uses, as tensors for `torch.compile` and `torch.export`.

    A `GaugeGraph` is a PyG `Data`, which cannot be traced. Layers accept the result in its place::

        fast = torch.compile(network, fullgraph=True)
        logits = fast(x, prepare_graph(network, x, graph))

    The network runs once, without gradients, to find the tables. The result is valid for graphs of this geometry and
    features of the precision of `x`.
    """
    fresh = copy.copy(graph)
    training = [module for module in network.modules() if module.training]
    network.eval()
    try:
        with torch.no_grad():
            network(x, fresh)
    finally:
        for module in training:
            module.training = True
    levels = [_prepared(fresh.level(level)) for level in range(1, fresh.num_levels)]
    finest = _prepared(fresh)
    return PreparedGraph(finest.mass, finest.batch, finest.num_graphs, finest.tables, levels)


def _prepared(graph: GaugeGraph) -> PreparedGraph:
    factors = {
        key: value
        for key, value in graph.cached_values().items()
        if isinstance(key, str) and isinstance(value, EdgeFactors)
    }
    return PreparedGraph(graph.mass, *graph.membership(), factors, [])

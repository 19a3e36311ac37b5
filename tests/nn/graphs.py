"""Gauge graphs that belong to no surface: random log maps, random transporters of any group, all awkward cases."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gaugenet.geometry.gauge_graph import GaugeGraph
from gaugenet.groups import StructureGroup


def synthetic_graph(
    group: StructureGroup,
    num_nodes: int = 30,
    *,
    degree: int = 6,
    levels: int = 1,
    seed: int = 0,
    dtype: torch.dtype = torch.float64,
) -> GaugeGraph:
    """Random edges sorted by target, with self-loops of length zero; the last point is isolated (if there are two)."""
    generator = torch.Generator().manual_seed(seed)
    graph = GaugeGraph(structure=group.name)
    for name, value in _level(group, num_nodes, degree, generator, dtype).items():
        graph[name] = value
    finer = num_nodes
    for level in range(1, levels):
        size = math.ceil(finer / 3)
        chosen = torch.randperm(finer, generator=generator)[:size].sort().values
        for name, value in _level(group, size, degree, generator, dtype).items():
            graph[f"l{level}_{name}"] = value
        graph[f"l{level}_node_index"] = chosen
        graph[f"l{level}_batch"] = torch.zeros(size, dtype=torch.int64)
        for name, (a, b) in {"pool": (finer, size), "unpool": (size, finer)}.items():
            index = _edges(a, b, 3, generator)
            count = index.shape[1]
            graph[f"l{level}_{name}_index"] = index
            graph[f"l{level}_{name}_transporter"] = group.random_element(count, generator=generator, dtype=dtype)
            graph[f"l{level}_{name}_weight"] = torch.rand(count, generator=generator, dtype=dtype) / 3
        finer = size
    return graph


def _level(
    group: StructureGroup, num_nodes: int, degree: int, generator: torch.Generator, dtype: torch.dtype
) -> dict[str, Tensor]:
    edge_index = _edges(num_nodes, num_nodes, degree, generator)
    num_edges = edge_index.shape[1]
    log_map = 0.4 * torch.randn(num_edges, group.d, generator=generator, dtype=torch.float64)
    log_map[edge_index[0] == edge_index[1]] = 0
    frame = torch.linalg.qr(torch.randn(num_nodes, 3, group.d, generator=generator, dtype=torch.float64)).Q
    tensors = {
        "pos": torch.randn(num_nodes, 3, generator=generator, dtype=torch.float64),
        "frame": frame,
        "mass": 0.5 + torch.rand(num_nodes, generator=generator, dtype=torch.float64),
        "radius": 0.5 + torch.rand(1, generator=generator, dtype=torch.float64),
        "log_map": log_map,
        "transporter": group.random_element(num_edges, generator=generator),
        "weight": torch.rand(num_edges, generator=generator, dtype=torch.float64) / max(degree, 1),
    }
    return {"edge_index": edge_index, **{name: t.to(dtype) for name, t in tensors.items()}}


def _edges(sources: int, targets: int, degree: int, generator: torch.Generator) -> Tensor:
    """`degree` edges into each target on average, sorted by target, none into or out of the last point."""
    count = degree * targets if sources and targets else 0
    source = torch.randint(max(sources - (sources > 1), 1), (count,), generator=generator)
    target = torch.randint(max(targets - (targets > 1), 1), (count,), generator=generator)
    if sources == targets:
        target[:3] = source[:3]
    order = target.argsort(stable=True)
    return torch.stack([source[order], target[order]])


def features(size: int, graph: GaugeGraph, *, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(graph.num_nodes, size, generator=torch.Generator().manual_seed(seed), dtype=dtype)

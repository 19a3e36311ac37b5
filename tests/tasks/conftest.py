"""Small graphs and a small network for the tests of the tasks; nothing here depends on geometry or layers."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from gaugenet.geometry.gauge_graph import GaugeGraph


class TinyNet(nn.Module):
    """Two layers that mix each vertex with the mean of its neighbours; ignores the gauge (its inputs are invariant)."""

    def __init__(self, in_channels: int = 3, out_channels: int = 3, width: int = 16) -> None:
        super().__init__()
        self.config = {"in_channels": in_channels, "out_channels": out_channels, "width": width}
        self.first = nn.Linear(2 * in_channels, width)
        self.drop = nn.Dropout(0.2)
        self.last = nn.Linear(width, out_channels)

    def forward(self, x: Tensor, graph: GaugeGraph) -> Tensor:
        source, target = graph.edge_index
        mean = torch.zeros_like(x).index_add(0, target, graph.weight[:, None] * x[source])
        return self.last(self.drop(torch.relu(self.first(torch.cat([x, mean], dim=1)))))


def ring_graph(size: int, *, seed: int, classes: int = 3) -> GaugeGraph:
    """A strip of triangles around a ring, whose faces are labelled by a rule on its features."""
    generator = torch.Generator().manual_seed(seed)
    i = torch.arange(size)
    face = torch.stack([i, (i + 1) % size, (i + 2) % size])
    edge_index = torch.stack([torch.cat([(i + 1) % size, (i - 1) % size]), torch.cat([i, i])])
    edge_index = edge_index[:, edge_index[1].argsort(stable=True)]
    x = torch.randn(size, 3, generator=generator)
    return GaugeGraph(
        pos=torch.randn(size, 3, generator=generator),
        x=x,
        y=(x[face].mean(0) @ torch.eye(3)[:, :classes]).argmax(1),
        face=face,
        edge_index=edge_index,
        weight=torch.full((2 * size,), 0.5),
        mass=torch.rand(size, generator=generator) + 0.5,
        log_map=torch.randn(2 * size, 2, generator=generator),
        transporter=torch.eye(2).expand(2 * size, 2, 2).contiguous(),
        frame=torch.eye(3)[:, :2].expand(size, 3, 2).contiguous(),
        radius=torch.ones(1),
        structure="SO(2)",
        num_nodes=size,
    )


@pytest.fixture
def graphs() -> list[GaugeGraph]:
    """Eight rings of different sizes."""
    return [ring_graph(20 + 3 * k, seed=k) for k in range(8)]

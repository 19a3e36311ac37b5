"""`torch.utils.flop_counter` sees the operators of this library, with the counts that docs/performance.md gives."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from gaugenet.geometry import Icosphere
from gaugenet.groups import SO2, Cyclic, FieldType
from gaugenet.nn import GaugeConv, GridConv
from gaugenet.nn.engines import grid_factors


def counts(step) -> dict[str, int]:
    """Return the operations of the operators, without those that make the matrices or kernels from the weights."""
    with FlopCounterMode(display=False) as counter:
        step()
    return {str(operator): number for operator, number in counter.get_flop_counts()["Global"].items()}


def test_graphs():
    channels, rings = 16, 2
    fields = FieldType(SO2(), {0: channels, 1: channels, 2: channels})
    graph = Icosphere(2).gauge_graph(SO2(), connection="levi_civita", dtype=torch.float32)
    conv = GaugeConv(fields, fields, rings=rings, self_interaction=False)
    x = torch.randn(graph.num_nodes, fields.size, requires_grad=True)
    aggregation, mixing = 25 * rings * channels * graph.num_edges, 45 * rings * channels**2 * graph.num_nodes
    found = counts(lambda: conv(x, graph).sum().backward())
    assert found["gaugenet.aggregate_mix"] == 2 * (aggregation + mixing)
    assert found["gaugenet.aggregate_mix_backward"] == 4 * (aggregation + mixing)


def test_grids(monkeypatch):
    """Aggregated with 10 functions in 5 x 5 pixels; the ordinary convolution needs 25 products in their place."""
    fields = FieldType(Cyclic(8), "2xregular")
    conv, x = GridConv(fields, fields, 5, self_interaction=False), torch.randn(3, fields.size, 8, 8)
    pixels, pairs = 3 * 8 * 8, fields.size**2
    cells = int(conv.sliding.stencil.weights.count_nonzero())
    monkeypatch.setattr(grid_factors, "_MARGIN", 1e12)
    products = 2 * pixels * (cells * conv.kernels.num_columns * fields.size + conv.kernels.num_columns * pairs)
    assert counts(lambda: conv(x))["gaugenet.aggregate_mix"] == products
    monkeypatch.setattr(grid_factors, "pays", lambda *args: False)
    assert counts(lambda: conv(x))["aten.convolution"] == 2 * pixels * 25 * pairs


def test_icospheres():
    """A convolution of all charts, and few corrections along their edges."""
    fields = FieldType(Cyclic(6), "2xregular")
    sphere, conv = Icosphere(4), GaugeConv(fields, fields, rings=1)
    x = torch.randn(2, fields.size, *sphere.chart_shape, requires_grad=True)
    plain = counts(lambda: F.conv2d(x, torch.randn(fields.size, fields.size, 3, 3), padding=1))["aten.convolution"]
    found = counts(lambda: conv(x, sphere).sum().backward())
    assert plain < found["gaugenet.chart_conv"] < 1.3 * plain
    assert found["gaugenet.chart_conv_backward"] == 2 * found["gaugenet.chart_conv"]

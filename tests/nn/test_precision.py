"""Features of another precision than the weights are refused in one sentence that names both."""

from __future__ import annotations

import pytest
import torch

from gaugenet.groups import SO2, FieldType, group_from_name
from gaugenet.nn import EquivariantLinear, GaugeConv, GridConv
from tests.nn.graphs import synthetic_graph

TYPE = FieldType(SO2(), "2x0 + 1x1")


def _layers():
    graph = synthetic_graph(SO2())
    graph = graph.astype(torch.float32) if hasattr(graph, "astype") else graph
    points = graph.pos.shape[0]
    flat = FieldType(group_from_name("C_4"), "2xregular")
    return {
        "linear": (EquivariantLinear(TYPE, TYPE), (points, TYPE.size), ()),
        "conv": (GaugeConv(TYPE, TYPE), (points, TYPE.size), (graph,)),
        "grid": (GridConv(flat, flat, kernel_size=3), (1, flat.size, 9, 9), ()),
    }


@pytest.mark.parametrize("name", ["linear", "conv", "grid"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.int64, torch.bool])
def test_the_message_names_both_types(name, dtype):
    layer, shape, more = _layers()[name]
    with pytest.raises(ValueError, match=f"torch.float32 like the weights, got {dtype}"):
        layer(torch.ones(shape, dtype=dtype), *more)
    assert torch.isfinite(layer(torch.ones(shape), *more)).all(), "control"


def test_a_network_in_float64_refuses_float32():
    layer = EquivariantLinear(TYPE, TYPE, dtype=torch.float64)
    with pytest.raises(ValueError, match=r"torch.float64 like the weights, got torch.float32"):
        layer(torch.ones(3, TYPE.size))


def test_autocast_takes_what_it_casts():
    layer = EquivariantLinear(TYPE, TYPE)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.isfinite(layer(torch.ones(3, TYPE.size, dtype=torch.bfloat16))).all()

"""Features of another precision than the weights are refused in one sentence that names both."""

from __future__ import annotations

import pytest
import torch

from gaugenet.groups import SO2, Cyclic, FieldType, group_from_name, multivector
from gaugenet.nn import (
    EquivariantLinear,
    GaugeAttention,
    GaugeConv,
    GaugeMessagePassing,
    GeometricProduct,
    GlobalPool,
    GridConv,
    GridPool,
    InvariantGate,
    MultivectorAttention,
    MultivectorNorm,
    PairProduct,
    Pool,
    TensorProduct,
)
from tests.nn.graphs import synthetic_graph
from tests.nn.layers import ON_GRAPHS, layers

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


TYPE_4 = FieldType(SO2(), "4x0 + 4x1")
MULTIVECTORS = multivector(group_from_name("O(2)"), multiplicity=2)

MORE = {
    "attention": (lambda: GaugeAttention(TYPE_4, TYPE_4, heads=2), True),
    "attention of multivectors": (lambda: MultivectorAttention(*[multivector(SO2(), multiplicity=2)] * 2), True),
    "messages": (lambda: GaugeMessagePassing(TYPE, TYPE), True),
    "global pool": (lambda: GlobalPool(FieldType(SO2(), "4x0")), True),
    "pool": (lambda: Pool(TYPE), True),
    "products": (lambda: TensorProduct(TYPE, TYPE, TYPE), False),
    "norm of multivectors": (lambda: MultivectorNorm(MULTIVECTORS), False),
    "gate of multivectors": (lambda: InvariantGate(MULTIVECTORS), False),
    "geometric product": (lambda: GeometricProduct(MULTIVECTORS), False),
    "product of pairs": (lambda: PairProduct(MULTIVECTORS), False),
    "grid pool": (lambda: GridPool(FieldType(SO2(), "4x0")), False),
}
ALL = {
    **{name: (make, name in ON_GRAPHS) for name, make in layers(SO2()).items()},
    **{name: (make, False) for name, make in layers(Cyclic(4)).items() if name not in layers(SO2())},
    **MORE,
}


@pytest.mark.parametrize("name", ALL)
def test_every_layer_refuses_what_it_is_not_made_for(name):
    make, on_graph = ALL[name]
    layer = make().eval()
    graph = synthetic_graph(SO2(), 6, levels=2, dtype=torch.float32)
    in_type = layer.type_1 if name == "products" else layer.in_type
    shape = (2, in_type.size, 5, 5) if name == "grid pool" else (6, in_type.size)

    def call(dtype):
        x = torch.ones(shape, dtype=dtype)
        return layer(x, x) if name == "products" else layer(x, graph) if on_graph else layer(x)

    for wrong in (torch.int64, torch.bool):
        with pytest.raises(ValueError, match=rf"Expected `x` of dtype torch.float32.*got {wrong}"):
            call(wrong)
    numbers = [t for t in (*layer.parameters(), *layer.buffers()) if t.is_floating_point()]
    if numbers:
        with pytest.raises(ValueError, match=r"torch.float32 like the weights, got torch.float64"):
            call(torch.float64)
    assert torch.isfinite(call(torch.float32)).all()  # control


def test_a_network_in_float64_refuses_float32():
    layer = EquivariantLinear(TYPE, TYPE, dtype=torch.float64)
    with pytest.raises(ValueError, match=r"torch.float64 like the weights, got torch.float32"):
        layer(torch.ones(3, TYPE.size))


@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128])
@pytest.mark.parametrize("precision", [torch.float32, torch.float64])
def test_complex_features_are_refused(dtype, precision):
    layer, graph = GaugeConv(TYPE, TYPE).to(precision), synthetic_graph(SO2(), dtype=precision)
    x = torch.ones(graph.num_nodes, TYPE.size, dtype=precision)
    for call in (lambda x: layer(x, graph), EquivariantLinear(TYPE, TYPE).to(precision)):
        with pytest.raises(ValueError, match=rf"real features, got {dtype}"):
            call(x.to(dtype))
        assert torch.isfinite(call(x)).all()  # control


def test_autocast_takes_what_it_casts():
    layer = EquivariantLinear(TYPE, TYPE)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.isfinite(layer(torch.ones(3, TYPE.size, dtype=torch.bfloat16))).all()

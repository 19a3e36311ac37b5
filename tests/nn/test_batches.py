"""A graph's features do not depend on what else is in the batch.

Two statements: whatever the others in the batch contain, not one bit changes; and a graph alone gives the same as in
a batch but for rounding (matrix products and vectorized functions treat the last rows of an array differently).
"""

from __future__ import annotations

import pytest
import torch
from torch_geometric.data import Batch

from gaugenet.geometry.gauge_graph import GaugeGraph
from gaugenet.groups import SO2, Dihedral, FieldType
from gaugenet.nn import GlobalPool, Pool, Unpool
from tests.nn.graphs import features, synthetic_graph
from tests.nn.layers import call, layers, types, with_random_weights
from tests.tolerances import relative

SIZES = (31, 7, 1, 18)
ROUNDING = {torch.float64: 1e-14, torch.float32: 2e-6}
CASES = [(g, n) for g in (SO2(), Dihedral(4)) for n in layers(g)]


def graphs(group, *, dtype, levels=1, other=0) -> list[GaugeGraph]:
    """Of fixed sizes; `other` changes everything about all but the first."""
    return [
        synthetic_graph(group, n, seed=n + (other if k else 0), dtype=dtype, levels=levels) for k, n in enumerate(SIZES)
    ]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(("group", "name"), CASES, ids=str)
def test_layers(group, name, dtype):
    torch.manual_seed(0)
    layer = with_random_weights(layers(group)[name]()).to(dtype).eval()
    parts = graphs(group, dtype=dtype)
    inputs = [features(layer.in_type.size, g, seed=k, dtype=dtype) for k, g in enumerate(parts)]
    together = call(layer, name, torch.cat(inputs), Batch.from_data_list(parts))
    for graph, x, part in zip(parts, inputs, together.split(SIZES), strict=True):
        assert relative(part, call(layer, name, x, graph)) < ROUNDING[dtype]

    strangers = Batch.from_data_list(graphs(group, dtype=dtype, other=100))
    nonsense = torch.cat([inputs[0], torch.full_like(torch.cat(inputs[1:]), torch.nan)])
    assert torch.equal(call(layer, name, nonsense, strangers)[: SIZES[0]], together[: SIZES[0]])


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_pools(dtype):
    field_type = types(SO2())[0]
    parts = graphs(SO2(), dtype=dtype, levels=3)
    batch = Batch.from_data_list(parts)
    for level in (1, 2):
        for layer, source, target in ((Pool(field_type), level - 1, level), (Unpool(field_type), level, level - 1)):
            inputs = [features(field_type.size, g.level(source), seed=k, dtype=dtype) for k, g in enumerate(parts)]
            together = layer(torch.cat(inputs), batch, level=level)
            for graph, x, part in zip(
                parts, inputs, together.split([g.level_size(target) for g in parts]), strict=True
            ):
                assert relative(part, layer(x, graph, level=level)) < ROUNDING[dtype]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_global_pools(dtype):
    layer = GlobalPool(FieldType(SO2(), "5x0"))
    parts = graphs(SO2(), dtype=dtype, levels=2)
    batch = Batch.from_data_list(parts)
    for level in (0, 1):
        inputs = [features(5, g.level(level), dtype=dtype) for g in parts]
        together = layer(torch.cat(inputs), batch.level(level))
        alone = [layer(x, g.level(level)) for g, x in zip(parts, inputs, strict=True)]
        assert torch.equal(together, torch.cat(alone))  # summed in float64, in the order of the points


def test_graphs_without_points_in_a_batch():
    layer = GlobalPool(FieldType(SO2(), "2x0"))
    batch = Batch.from_data_list([synthetic_graph(SO2(), n, seed=n) for n in (4, 0, 3, 0)])
    out = layer(torch.ones(7, 2, dtype=torch.float64), batch)
    assert torch.allclose(out, torch.tensor([[1.0], [0], [1], [0]], dtype=torch.float64).expand(4, 2))


def test_control_a_shared_radius_would_leak():
    """The published bug: with one radius for the batch, a graph changes with its neighbour."""
    torch.manual_seed(0)
    layer = with_random_weights(layers(SO2())["conv"]()).double()
    parts = graphs(SO2(), dtype=torch.float64)
    batch = Batch.from_data_list(parts)
    x = features(layer.in_type.size, batch)
    expected = layer(x, batch)
    batch.radius = batch.radius.mean().expand(len(SIZES)).clone()
    assert relative(layer(x, batch), expected) > 1e-3

"""Norms bring fields to unit scale, at each point or over each graph by area, and leave directions alone."""

from __future__ import annotations

import pytest
import torch

from gaugenet.groups import SO2, FieldType
from gaugenet.nn import FieldDropout, FieldInstanceNorm, FieldLayerNorm, InvariantReadout
from tests.nn.graphs import features, synthetic_graph

TYPE = FieldType(SO2(), "8x0 + 4x1 + 4x2")


def test_layer_norm_scale():
    graph = synthetic_graph(SO2(), 50)
    x = 100 * features(TYPE.size, graph) + 7
    y = FieldLayerNorm(TYPE).double()(x)
    scalars = y[:, :8]
    assert scalars.mean(-1).abs().max() < 1e-12
    for block in TYPE.blocks:
        assert torch.allclose(y[:, block.slice].square().mean(-1), torch.ones(50, dtype=torch.float64), atol=1e-3)


def test_layer_norm_keeps_directions_and_small_fields_small():
    x = features(TYPE.size, synthetic_graph(SO2(), 50))
    y = FieldLayerNorm(TYPE).double()(x)
    for block in TYPE.blocks[1:]:
        ratio = y[:, block.slice] / x[:, block.slice]
        assert torch.allclose(ratio, ratio[:, :1].expand_as(ratio))
        assert (ratio > 0).all()
    assert FieldLayerNorm(TYPE).double()(1e-6 * x).abs().max() < 1e-3


def test_instance_norm_is_weighted_by_area():
    graph = synthetic_graph(SO2(), 50)
    y = FieldInstanceNorm(TYPE).double()(100 * features(TYPE.size, graph) + 7, graph)
    weight = (graph.mass / graph.mass.sum())[:, None]
    assert (weight * y[:, :8]).sum(0).abs().max() < 1e-12
    for block in TYPE.blocks:
        square = (weight[:, None] * block.split(y).square()).sum(0).mean(0)
        assert torch.allclose(square, torch.ones(block.multiplicity, dtype=torch.float64), atol=1e-3)


def test_instance_norm_does_not_see_the_triangulation():
    """A point split in two of half the mass changes nothing."""
    graph = synthetic_graph(SO2(), 20)
    x = features(TYPE.size, graph)
    layer = FieldInstanceNorm(TYPE).double()
    expected = layer(x, graph)
    split = synthetic_graph(SO2(), 21)
    split.mass = torch.cat([graph.mass, graph.mass[:1] / 2])
    split.mass[0] /= 2
    y = layer(torch.cat([x, x[:1]]), split)
    assert torch.allclose(y[:20], expected, atol=1e-12)
    split.mass = torch.ones(21, dtype=torch.float64)
    assert not torch.allclose(layer(torch.cat([x, x[:1]]), split)[:20], expected, atol=1e-3)


def test_dropout_drops_whole_fields_and_keeps_the_mean():
    torch.manual_seed(0)
    layer = FieldDropout(TYPE, 0.25)
    y = layer(torch.ones(4000, TYPE.size))
    assert ((y == 0) | torch.isclose(y, torch.tensor(4 / 3))).all()
    for block in TYPE.blocks:
        v = block.split(y)
        assert torch.equal(v, v[:, :1].expand_as(v))
    assert y.mean() == pytest.approx(1, abs=0.02)
    assert (y == 0).float().mean() == pytest.approx(0.25, abs=0.02)
    assert torch.equal(layer.eval()(y), y)


@pytest.mark.parametrize("p", [-0.1, 1.0, 2])
def test_dropout_probabilities(p):
    with pytest.raises(ValueError, match="dropout probability"):
        FieldDropout(TYPE, p)


def test_readout_reads_scalars_norms_and_maxima():
    layer = InvariantReadout(FieldType(SO2(), "1x0 + 1x1"))
    assert torch.allclose(layer(torch.tensor([[-2.0, 3.0, 4.0]])), torch.tensor([[-2.0, 5.0]]))
    assert layer.out_type == FieldType(SO2(), "2x0")

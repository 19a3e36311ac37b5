"""Dropped fields are whole: at a point, or everywhere in a sample."""

from __future__ import annotations

import pytest
import torch
from torch_geometric.data import Batch

from gaugenet.groups import SO2, FieldType
from gaugenet.nn import FieldDropout
from tests.nn.graphs import synthetic_graph

TYPE = FieldType(SO2(), "8x0 + 4x1 + 4x2")


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


@pytest.mark.parametrize("spatial", [(), (5,), (3, 2), (2, 1, 3)], ids=str)
def test_whole_fields_are_dropped_in_a_sample(spatial):
    torch.manual_seed(0)
    layer = FieldDropout(TYPE, 0.5, whole=True)
    if spatial:
        samples = layer(torch.ones(40, TYPE.size, *spatial)).flatten(2).unbind(0)
    else:
        sizes = [3, 1, 5] * 13
        batch = Batch.from_data_list([synthetic_graph(SO2(), n, seed=n) for n in sizes])
        samples = [part.T for part in layer(torch.ones(sum(sizes), TYPE.size), batch).split(sizes)]
    assert all((y == y[:, :1]).all() for y in samples)
    first = torch.stack([y[:, 0] for y in samples])
    assert 0.4 < (first == 0).float().mean() < 0.6
    assert (first.std(0) > 0).all()  # each sample by itself
    for block in TYPE.blocks:
        v = block.split(first)
        assert torch.equal(v, v[:, :1].expand_as(v))
    control = FieldDropout(TYPE, 0.5)(torch.ones(40, TYPE.size, 50))
    assert not (control == control[..., :1]).all()


def test_whole_fields_of_a_graph_need_the_graph():
    with pytest.raises(ValueError, match="Expected a domain"):
        FieldDropout(TYPE, 0.5, whole=True)(torch.ones(3, TYPE.size))

"""Norms bring fields to unit scale, at each point, over each sample or over the batch, and leave directions alone."""

from __future__ import annotations

import pytest
import torch
from torch_geometric.data import Batch

from gaugenet.geometry.icosphere.icosphere import Icosphere
from gaugenet.groups import O2, SO2, Cyclic, Dihedral, FieldType, Reflection
from gaugenet.nn import FieldBatchNorm, FieldInstanceNorm, FieldLayerNorm
from gaugenet.nn.compiled import by_channel
from tests.groups.cases import elements
from tests.nn.graphs import features, synthetic_graph
from tests.nn.layers import with_random_weights
from tests.tolerances import TOL, relative

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


def image(field_type, shape=(4, 5, 6), seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape[0], field_type.size, *shape[1:], generator=generator, dtype=torch.float64) * 3 + 1


def trained(layer, x, domain=None, *, steps=3):
    layer = with_random_weights(layer).double().train()
    for _ in range(steps):
        layer(x, domain)
    return layer


def test_batch_norm_of_scalars_is_that_of_torch():
    field_type = FieldType(SO2(), "5x0")
    x = image(field_type)
    torch.manual_seed(0)
    ours, theirs = with_random_weights(FieldBatchNorm(field_type)).double(), torch.nn.BatchNorm2d(5).double()
    theirs.load_state_dict(ours.state_dict(), strict=False)
    for _ in range(3):
        assert relative(ours(x), theirs(x)) < TOL[torch.float64]
    assert relative(ours.running_mean, theirs.running_mean) < TOL[torch.float64]
    assert relative(ours.running_var, theirs.running_var) < TOL[torch.float64]
    assert relative(ours.eval()(x), theirs.eval()(x)) < TOL[torch.float64]


def test_batch_norm_of_regular_fields_shares_statistics_over_the_group():
    field_type = FieldType(Dihedral(4), "3xregular")
    x = image(field_type)
    torch.manual_seed(0)
    ours, theirs = with_random_weights(FieldBatchNorm(field_type)).double(), torch.nn.BatchNorm3d(3).double()
    theirs.load_state_dict(ours.state_dict(), strict=False)
    expected = theirs(x.unflatten(1, (8, 3)).transpose(1, 2)).transpose(1, 2).flatten(1, 2)
    assert relative(ours(x), expected) < TOL[torch.float64]
    assert relative(ours.running_var, theirs.running_var) < TOL[torch.float64]


@pytest.mark.parametrize("spec", ["2xregular + 1x1 + 2x0 + 1xinduced(C_4,1)", "2xquotient(C_2)"])
def test_batch_norm_by_hand_and_by_the_kernel_of_torch(spec, monkeypatch):
    """On a grid, and on the same numbers as plain vectors."""
    field_type = FieldType(Dihedral(4), spec)
    x = image(field_type)
    torch.manual_seed(0)
    grid, vectors = trained(FieldBatchNorm(field_type), x), FieldBatchNorm(field_type)
    torch.manual_seed(0)
    vectors = trained(vectors, x.movedim(1, -1).flatten(0, 2))
    for name, value in grid.state_dict().items():
        assert relative(value, vectors.state_dict()[name]) < TOL[torch.float64], name
    for mode in (True, False):
        y = vectors.train(mode)(x.movedim(1, -1).flatten(0, 2))
        assert relative(grid.train(mode)(x).movedim(1, -1).flatten(0, 2), y) < TOL[torch.float64]


@pytest.mark.parametrize("shape", [(4, 5), (6,), (2, 3, 4)], ids=str)
@pytest.mark.parametrize(
    ("group", "spec"),
    [(SO2(), "2x0 + 2x1 + 1x2"), (SO2(), "3x1"), (Dihedral(4), "2xregular + 1x2 + 1xinduced(C_4,1)")],
    ids=str,
)
def test_batch_norm_by_channels_and_by_fields(group, spec, shape, monkeypatch):
    """Few passes over memory, and the formulas: outputs, first derivatives, running statistics, in any layout."""
    field_type = FieldType(group, spec)
    torch.manual_seed(0)
    x = torch.randn(3, field_type.size, *shape, dtype=torch.float64) + 1
    weights = torch.randn_like(x)
    found = []
    for serves in (True, False):
        monkeypatch.setattr(by_channel, "serves", lambda x, on=serves: on)
        torch.manual_seed(1)
        layer = with_random_weights(FieldBatchNorm(field_type)).double()
        for copy in (x, x.movedim(1, -1).contiguous().movedim(-1, 1)):
            copy = copy.clone().requires_grad_()
            y = layer(copy)
            (y * weights).sum().backward()
        learned = [p.grad for p in layer.parameters() if p.numel()]
        found.append([y, copy.grad, layer.running_mean, layer.running_var, *learned])
    for a, b in zip(*found, strict=True):
        assert relative(a, b) < TOL[torch.float64]
    assert relative(found[0][1], weights) > 0.1, "control: more than the identity"


@pytest.mark.parametrize(
    ("group", "spec"),
    [(SO2(), "2x0 + 2x1"), (Dihedral(4), "2xregular + 1x2 + 1xquotient(C_2)"), (O2(), "1x0- + 1xinduced(SO(2),1)")],
    ids=str,
)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("make", [FieldBatchNorm, FieldInstanceNorm])
def test_norms_are_equivariant_at_every_pixel(make, training, group, spec):
    field_type = FieldType(group, spec)
    x = image(field_type)
    layer = with_random_weights(make(field_type)).double().train(training)
    g = elements(group, 4 * 5 * 6).view(4, 5, 6, 2, 2)
    assert relative(layer(field_type.transform(g, x)), field_type.transform(g, layer(x))) < TOL[torch.float64]
    control = with_random_weights(torch.nn.BatchNorm2d(field_type.size)).double().train(training)
    assert relative(control(field_type.transform(g, x)), field_type.transform(g, control(x))) > 0.01


def test_means_live_in_the_invariant_part():
    """A vector of the group of one reflection has a mean along the axis and none across it."""
    vector = FieldType(O2(), "3x1").restrict(Reflection())
    x = image(vector)
    along, across = FieldBatchNorm(vector).double()(x).unflatten(1, (2, 3)).unbind(1)
    assert along.mean((0, 2, 3)).abs().max() < 1e-12
    ratio = across / vector.blocks[0].split(x)[:, 1]  # only scaled
    assert relative(ratio, ratio[:1, :, :1, :1].expand_as(ratio)) < TOL[torch.float64]


def test_running_statistics_become_those_of_the_data():
    field_type = FieldType(SO2(), "3x0 + 2x1")
    x = image(field_type, (50, 8, 8))
    layer = trained(FieldBatchNorm(field_type), x, steps=200)
    assert relative(layer.eval()(x), layer.train()(x)) < 1e-3  # unbiased variances in eval, as torch has them
    assert all(buffer.dtype == torch.float64 for buffer in layer.buffers())


def test_an_empty_batch_leaves_the_statistics_alone():
    field_type = FieldType(Dihedral(4), "2xregular + 1x1")
    layer = with_random_weights(FieldBatchNorm(field_type)).double()
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    assert layer(torch.zeros(0, field_type.size, 3, 3, dtype=torch.float64)).shape == (0, field_type.size, 3, 3)
    layer(torch.zeros(0, field_type.size, dtype=torch.float64), synthetic_graph(Dihedral(4), 0))
    assert all(torch.equal(value, before[name]) for name, value in layer.state_dict().items())


def test_batch_norm_counts_graphs_and_not_their_points():
    field_type = FieldType(SO2(), "2x0 + 2x1")
    graphs = [synthetic_graph(SO2(), n, seed=n) for n in (40, 7, 0)]
    x = torch.cat([features(field_type.size, g, seed=k) * (1 + k) for k, g in enumerate(graphs)])
    layer = FieldBatchNorm(field_type, momentum=1.0).double()
    layer(x, Batch.from_data_list(graphs))
    mean = torch.stack([g.mass @ part / g.mass.sum() for g, part in zip(graphs[:2], x.split([40, 7]))]).mean(0)
    assert relative(layer.running_mean, mean[:2]) < TOL[torch.float64]
    together = synthetic_graph(SO2(), 47)
    together.mass = torch.cat([g.mass for g in graphs])
    control = FieldBatchNorm(field_type, momentum=1.0).double()
    control(x, together)
    assert relative(control.running_mean, mean[:2]) > 0.01


@pytest.mark.parametrize("make", [FieldBatchNorm, FieldInstanceNorm])
def test_an_icosphere_weighs_by_area_in_both_layouts(make):
    sphere, field_type = Icosphere(2), FieldType(Cyclic(6), "2xregular + 2x0")
    x = image(field_type, (3, sphere.num_vertices))
    layer = with_random_weights(make(field_type)).double()
    y = layer(x, sphere)
    charts = sphere.to_charts(x) + sphere.to_charts(torch.ones(sphere.num_vertices)).eq(0) * 1e3  # unused cells
    assert relative(sphere.from_charts(layer(charts, sphere)), y) < TOL[torch.float64]
    assert relative(sphere.from_charts(layer(charts)), y) > 0.01
    layer.reset_parameters()
    assert (layer(x, sphere)[:, -2:] @ sphere.mass).mean(0).abs().max() < 1e-10
    with pytest.raises(ValueError, match="points of its domain"):
        layer(x[..., 1:], sphere)


def test_layer_norm_centres_regular_fields_over_channels_and_group():
    field_type = FieldType(Cyclic(4), "6xregular")
    y = FieldLayerNorm(field_type).double()(image(field_type))
    assert y.mean(1).abs().max() < 1e-12
    assert torch.allclose(y.square().mean(1), torch.ones_like(y[:, 0]), atol=1e-3)


def test_wrong_arguments():
    with pytest.raises(ValueError, match="momentum"):
        FieldBatchNorm(TYPE, momentum=0)
    with pytest.raises(ValueError, match="Expected a domain"):
        FieldInstanceNorm(TYPE)(torch.zeros(3, TYPE.size))

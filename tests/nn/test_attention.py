"""Attention and learned messages: exact in float32, means over the surface, controls."""

from __future__ import annotations

import pytest
import torch

from gaugenet.geometry import Icosphere, PointCloud, TriangleMesh
from gaugenet.groups import O2, O3, SO2, SO3, Axial, Cyclic, Dihedral, FieldType
from gaugenet.kernels import Neighborhood
from gaugenet.nn import EquivariantMLP, GaugeAttention, GaugeMessagePassing, prepare_graph
from gaugenet.nn.attention import softmax
from gaugenet.nn.message_passing import message_type
from gaugenet.testing import assert_gauge_equivariant
from tests.tolerances import TOL, relative

EXACT = TOL[torch.float64]
TYPES = {
    SO2(): "6x0 + 4x1 + 3x2",
    O2(): "4x0 + 2x0- + 4x1",
    Cyclic(4): "2xregular + 4x1",
    Dihedral(3): "2xregular",
    SO3(): "4x0 + 4x1 + 2x2",
    O3(): "4x0e + 4x1o + 2x1e",
    Axial(O2(), third="mirror"): "4x0 + 2x0z + 4x1",
}


def graph_of(group, *, dtype=torch.float64, frames="random", count: int = 24):
    pos = torch.rand(count, group.d, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return PointCloud(pos).gauge_graph(group, neighbors=6, frames=frames, seed=0, dtype=dtype)


def layers(group, dtype):
    torch.manual_seed(0)
    kind = FieldType(group, TYPES[group])
    attention = GaugeAttention(kind, kind, heads=2, max_frequency=2, dtype=dtype)
    torch.nn.init.normal_(attention.distance)
    return attention, GaugeMessagePassing(kind, kind, dtype=dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("group", TYPES, ids=str)
def test_frames_are_a_choice(group, dtype):
    """To 1e-6 in float32; the control lies in `assert_gauge_equivariant`."""
    atol = 2e-6 if dtype == torch.float32 else EXACT
    for layer in layers(group, dtype):
        control = group != SO3() or isinstance(layer, GaugeAttention)  # gates of linear maps have no cross products
        report = assert_gauge_equivariant(layer, graph_of(group, dtype=dtype), atol=atol, control=control)
        assert report.error <= atol


@pytest.mark.parametrize("group", [SO2(), SO3(), O3()], ids=str)
def test_moving_the_points_moves_the_features(group):
    for layer in layers(group, torch.float64):
        graph = graph_of(group, frames=None)
        x = torch.randn(24, layer.in_type.size, dtype=torch.float64)
        g = group.random_element((), generator=torch.Generator().manual_seed(3))
        moved = PointCloud(graph.pos @ g.T + 1).gauge_graph(group, neighbors=6, dtype=torch.float64)
        expected = layer.out_type.transform(g, layer(x, graph))
        assert relative(layer(layer.in_type.transform(g, x), moved), expected) < 1e-10
        assert relative(layer(x, moved), expected) > 1e-3


@pytest.mark.parametrize("group", [SO2(), O3(), Cyclic(4)], ids=str)
def test_the_definition(group):
    """A loop over edges, heads and kernels."""
    layer, graph = layers(group, torch.float64)[0], graph_of(group)
    x = torch.randn(24, layer.in_type.size, dtype=torch.float64)
    expected = torch.zeros(24, layer.out_type.size, dtype=torch.float64)
    space, (source, target) = layer.space, graph.edge_index
    query, key = layer.query(x), layer.key(x)
    for p in range(24):
        edges = (target == p).nonzero().flatten().tolist()
        logits = torch.zeros(len(edges), 2, dtype=torch.float64)
        r = torch.stack([graph.log_map[e].norm() / graph.radius[0] for e in edges])
        centres = torch.linspace(0, 1, layer.rings, dtype=torch.float64)
        phi = torch.exp(-0.5 * ((r[:, None] - centres) * (layer.rings - 1)).square())
        for n, e in enumerate(edges):
            moved = layer.key_type.transform(graph.transporter[e], key[source[e]][None])[0]
            for b in layer.key_type.blocks:
                per_head = (query[p] * moved)[b.slice].view(b.representation.dim, 2, -1).sum((0, 2))
                logits[n] += per_head / (layer.key_type.size / 2) ** 0.5
        logits = logits + phi @ layer.distance
        a = graph.weight[edges][:, None] * logits.exp()
        a = a / a.sum(0)
        for n, e in enumerate(edges):
            v = graph.log_map[e : e + 1] / graph.radius[0]
            none = torch.zeros(0, dtype=torch.int64)
            c = space.coefficients(Neighborhood(v, torch.ones(1).double(), none, none, torch.ones(1).double()))
            b = space.factors(c, c.new_zeros(1, 0)) @ space.depthwise.table()
            w = a[n][layer._head] * (phi[n] @ layer.radial)
            kernel = space.depthwise.matrices(b, w[None], list(layer.mixing))[0]
            expected[p] += kernel @ layer.in_type.transform(graph.transporter[e], x[source[e]][None])[0]
    expected = layer.bias(layer.self_interaction(x, onto=expected))
    assert relative(layer(x, graph), expected) < EXACT


def test_gradients_and_derivatives_of_second_order():
    for layer in layers(SO2(), torch.float64):
        graph = graph_of(SO2(), count=8)
        x = torch.randn(8, layer.in_type.size, dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(lambda x, l=layer, g=graph: l(x, g), x)
        probe = torch.randn_like(x)

        def slope(t: float, layer=layer, graph=graph, x=x, probe=probe):
            moved = (x.detach() + t * probe).requires_grad_()
            return torch.autograd.grad(layer(moved, graph).sin().sum(), moved, create_graph=True)[0], moved

        first, moved = slope(0.0)
        found = torch.autograd.grad((first * probe).sum(), moved)[0]
        assert relative(found, (slope(1e-5)[0] - slope(-1e-5)[0]) / 2e-5) < 1e-6


def test_forces_through_attention():
    layer = layers(O3(), torch.float64)[0]
    x = torch.randn(12, layer.in_type.size, dtype=torch.float64)
    pos = torch.rand(12, 3, dtype=torch.float64, requires_grad=True)

    def energy(pos):
        graph = PointCloud(pos).gauge_graph(O3(), radius=0.7, weight="smooth", mass=0.1, dtype=torch.float64)
        return layer(x, graph)[:, :4].square().sum()

    (slope,) = torch.autograd.grad(energy(pos), pos, create_graph=True)
    probe = torch.randn_like(pos)
    with torch.no_grad():
        expected = (energy(pos + 1e-6 * probe) - energy(pos - 1e-6 * probe)) / 2e-6
    assert relative((slope * probe).sum().detach(), expected) < 1e-6
    slope.square().sum().backward()
    assert layer.query.weight.grad.abs().max() > 0


def test_softmax_is_a_mean_over_the_surface():
    """Splitting a neighbour into two halves changes nothing; without weights it does."""
    logits = torch.randn(5, 3, dtype=torch.float64)
    weight, target = torch.rand(5, 1, dtype=torch.float64), torch.tensor([0, 0, 0, 2, 2])
    a = softmax(logits, weight, target, 3)
    assert torch.allclose(torch.zeros(3, 3).double().index_add(0, target, a)[[0, 2]], torch.ones(2, 3).double())
    twice = torch.tensor([0, 0, 1, 2, 3, 4])
    split = weight[twice].clone()
    split[:2] /= 2
    b = softmax(logits[twice], split, target[twice], 3)
    assert relative(b[:2].sum(0), a[0]) < EXACT
    assert relative(softmax(logits[twice], torch.ones_like(split), target[twice], 3)[:2].sum(0), a[0]) > 1e-3
    assert relative(softmax(logits + 1000, weight, target, 3), a) < 1e-11
    ones = softmax(torch.zeros_like(logits), weight, target, 3)
    assert relative(ones[:3], (weight[:3] / weight[:3].sum()).expand(-1, 3)) < EXACT


def test_refining_a_mesh_hardly_changes_the_result():
    """On the sphere, of a smooth function: the surface decides, not the triangulation."""
    results = []
    torch.manual_seed(0)
    kind = FieldType(SO2(), "4x0")
    layer = GaugeAttention(kind, kind, heads=2, max_frequency=0)
    positions = Icosphere(1).pos
    for level in (3, 4):
        sphere = Icosphere(level)
        graph = TriangleMesh(sphere.pos, sphere.face.T).gauge_graph(SO2(), radius=0.5)
        height = graph.pos[:, 2:] * torch.tensor([1.0, 0.5, -0.3, 0.2]) + graph.pos[:, :1]
        nearest = torch.cdist(positions.double(), graph.pos.double()).argmin(1)
        with torch.no_grad():
            results.append(layer(height, graph)[nearest])
    assert relative(*results) < 0.08


def test_every_domain():
    kind = FieldType(SO2(), "4x0 + 2x1")
    layer = GaugeAttention(kind, kind, heads=2)
    sphere = Icosphere(1)
    x = torch.randn(sphere.num_vertices, kind.size)
    assert layer(x, sphere).isfinite().all()
    assert_gauge_equivariant(layer, sphere.gauge_graph(SO2()))
    mesh = TriangleMesh(sphere.pos, sphere.face.T).gauge_graph(SO2(), radius=1.0)
    assert_gauge_equivariant(layer, mesh)


def test_modules_and_isolated_points():
    kind = FieldType(SO2(), "4x0 + 2x1")
    for layer in (GaugeAttention(kind, kind), GaugeMessagePassing(kind, kind)):
        none = torch.zeros(2, 0, dtype=torch.int64)
        graph = PointCloud(torch.rand(3, 2)).gauge_graph(SO2(), edge_index=none)
        assert layer(torch.randn(3, kind.size), graph).isfinite().all()
        graph = graph_of(SO2(), dtype=torch.float32)
        x = torch.randn(24, kind.size)
        ready = prepare_graph(layer, x, graph)
        assert relative(layer(x, ready), layer(x, graph)) < TOL[torch.float32]
        low = layer.bfloat16()
        assert low(x.bfloat16(), graph).dtype == torch.bfloat16 or isinstance(low, GaugeMessagePassing)


def test_messages_see_attributes_and_both_ends():
    """A module of one's own; a message that is a product of both ends, which no convolution is."""
    group = SO2()
    kind, edge = FieldType(group, "2x0 + 2x1"), FieldType(group, "1x1")
    seen = message_type(kind, edge, rings=4, max_frequency=1)
    own = EquivariantMLP(seen, kind, hidden=kind, act="norm", dtype=torch.float64)
    layer = GaugeMessagePassing(kind, kind, message=own, edge_type=edge, dtype=torch.float64)
    assert layer.message is own
    graph = graph_of(group)
    x, attr = torch.randn(24, kind.size, dtype=torch.float64), torch.randn(144, 2, dtype=torch.float64)
    out = layer(x, graph, edge_attr=attr)
    g = group.random_element(24, generator=torch.Generator().manual_seed(0))
    target = graph.edge_index[1]
    moved = layer(kind.transform(g, x), graph.gauge_transform(g), edge_attr=edge.transform(g[target], attr))
    assert relative(moved, kind.transform(g, out)) < EXACT
    still = layer(kind.transform(g, x), graph.gauge_transform(g), edge_attr=attr)
    assert relative(still, kind.transform(g, out)) > 1e-3


def test_wrong_arguments():
    kind = FieldType(SO2(), "2x0 + 2x1")
    with pytest.raises(ValueError, match="Expected a domain, such as a GaugeGraph, got NoneType"):
        GaugeAttention(kind, kind)(torch.zeros(3, kind.size), None)
    with pytest.raises(ValueError, match="`heads` to be a positive integer"):
        GaugeAttention(kind, kind, heads=0)
    with pytest.raises(ValueError, match="one structure group"):
        GaugeAttention(kind, FieldType(SO3(), "1x0"))
    with pytest.raises(ValueError, match="Expected `message` with in_type"):
        GaugeMessagePassing(kind, kind, message=EquivariantMLP(kind, kind, hidden=kind))
    joined = kind + kind
    with pytest.raises(ValueError, match="`update` with out_type"):
        GaugeMessagePassing(kind, kind, update=EquivariantMLP(joined, joined, hidden=kind))
    with pytest.raises(ValueError, match="without one"):
        GaugeMessagePassing(kind, kind, message=torch.nn.Identity())
    with pytest.raises(ValueError, match="take no `edge_attr`"):
        GaugeMessagePassing(kind, kind)(torch.zeros(24, 6), graph_of(SO2()), edge_attr=torch.zeros(144, 1))
    with pytest.raises(ValueError, match="one row per point"):
        GaugeAttention(kind, kind)(torch.zeros(3, 6), graph_of(SO2()))

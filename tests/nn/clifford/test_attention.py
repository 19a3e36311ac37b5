"""Attention between multivectors: boosts of events and of frames, the definition, completeness, controls."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch

from gaugenet.geometry import Euclidean, Minkowski, PointCloud, PseudoEuclidean
from gaugenet.groups import O2, O3, SO3, CliffordAlgebra, FieldType, PseudoOrthogonal, multivector
from gaugenet.kernels import CliffordSpace
from gaugenet.nn import GaugeAttention, MultivectorAttention
from gaugenet.testing import assert_gauge_equivariant
from tests.nn.clifford.test_conv import events
from tests.tolerances import TOL, relative

EXACT = TOL[torch.float64]
SPACES = [
    (Minkowski(3), PseudoOrthogonal(1, 2)),
    (PseudoEuclidean(2, 1), PseudoOrthogonal(2, 1, part="SO+")),
    (Minkowski(4), PseudoOrthogonal(1, 3)),
    (Euclidean(2), O2()),
    (Euclidean(3), SO3()),
]


def attention(group, **options) -> MultivectorAttention:
    torch.manual_seed(0)
    kinds = multivector(group, multiplicity=2), multivector(group, multiplicity=3)
    layer = MultivectorAttention(*kinds, **options).double()
    torch.nn.init.normal_(layer.distance)
    return layer


@pytest.mark.parametrize(("space", "group"), SPACES, ids=str)
def test_boosts_and_rotations_of_events(space, group):
    layer, graph = attention(group), events(space, group)
    x = torch.randn(16, layer.in_type.size, dtype=torch.float64)
    y = layer(x, graph)
    scale = 1 if group.compact else 100  # boosts enlarge features, and with them rounding
    for g in group.random_element(3, generator=torch.Generator().manual_seed(1)):
        moved, expected = events(space, group, g), layer.out_type.transform(g, y)
        assert relative(layer(layer.in_type.transform(g, x), moved), expected) < scale * EXACT
        assert relative(layer(x, moved), expected) > 1e-3
    shear = torch.eye(space.dim, dtype=torch.float64)
    shear[0, -1] = 0.5
    expected = layer.out_type.transform(shear, y)
    assert relative(layer(layer.in_type.transform(shear, x), events(space, group, shear)), expected) > 1e-3


@pytest.mark.parametrize(("space", "group"), SPACES, ids=str)
def test_frames_at_every_point_do_not_matter(space, group):
    assert_gauge_equivariant(attention(group), events(space, group), atol=EXACT * (1 if group.compact else 10_000))


def test_float32():
    group = O3()
    graph = PointCloud(torch.rand(30, 3)).gauge_graph(group, neighbors=8, frames="random", seed=0)
    assert_gauge_equivariant(attention(group).float(), graph, atol=TOL[torch.float32])


@pytest.mark.parametrize(("space", "group"), SPACES[:2], ids=str)
def test_the_definition(space, group):
    """A loop over points, heads and edges, with the products of the algebra."""
    layer, graph = attention(group, self_interaction=False, bias=False), events(space, group)
    algebra, x = CliffordAlgebra(group.p, group.q), torch.randn(16, layer.in_type.size, dtype=torch.float64)

    def multivectors(y):
        return y.unflatten(1, (algebra.dim, -1)).transpose(1, 2)  # (points, channels, blades)

    q, k, f = (multivectors(m(x)) for m in (layer.query, layer.key, layer.value))
    source, target = graph.edge_index
    out = torch.zeros(16, 4, layer.heads * 2, algebra.dim, dtype=torch.float64)
    for p in range(16):
        edges = (target == p).nonzero().flatten()
        v = algebra.vector(graph.log_map[edges] / graph.radius)
        phi = layer.space.radial(algebra.norm_squared(v))
        logit = algebra.inner(q[p], k[source[edges]]).unflatten(1, (layer.heads, -1)).sum(2)
        logit = logit / (layer.key_type.size / layer.heads) ** 0.5 + phi @ layer.distance
        a = graph.weight[edges, None] * logit.exp()
        a = a / a.sum(0)
        g = f[source[edges]]
        lower = algebra.left_contraction(v[:, None], g)
        forms = [g, algebra.wedge(v[:, None], g), lower, algebra.wedge(v[:, None], lower)]
        for m, form in enumerate(forms):
            radial = (phi @ layer.radial).unflatten(1, (4, -1))[:, m] * a.repeat_interleave(2, 1)
            out[p, m] = (form * radial[..., None]).sum(0)
    expected = layer.mix(out.movedim(-1, 1).flatten(1))
    assert relative(layer(x, graph), expected) < EXACT


def test_values_have_all_kernels():
    """With one neighbour the attention is one: the linear maps of random layers span the complete kernels."""
    group = PseudoOrthogonal(1, 2)
    kind = multivector(group)
    v = torch.tensor([[0.0, 0.0, 0.0], [0.8, 0.3, -0.4]], dtype=torch.float64)
    graph = Minkowski(3).gauge_graph(v, group, radius=4.0, dtype=torch.float64)
    found = []
    for seed in range(30):
        torch.manual_seed(seed)
        layer = MultivectorAttention(kind, kind, heads=1, self_interaction=False, bias=False).double()
        x = torch.zeros(8, 2, 8, dtype=torch.float64)
        x[:, 1] = torch.eye(8, dtype=torch.float64)
        found.append(torch.stack([layer(one, graph)[0] for one in x]).flatten())
    assert int(torch.linalg.matrix_rank(torch.stack(found), rtol=1e-9)) == CliffordSpace(kind, kind).num_weights == 12


def test_equal_logits_are_a_mean_and_light_like_features_are_finite():
    group = PseudoOrthogonal(1, 2)
    layer, graph = attention(group), events(Minkowski(3), group)
    light = torch.zeros(16, layer.in_type.size, dtype=torch.float64)
    light[:, 2] = light[:, 4] = 1.0  # e0 + e1
    y = layer(light.requires_grad_(), graph)
    y.square().sum().backward()
    assert bool(y.isfinite().all())
    assert bool(light.grad.isfinite().all())


def test_gradients():
    group = PseudoOrthogonal(1, 1)
    kind = multivector(group)
    torch.manual_seed(0)
    layer = MultivectorAttention(kind, kind, heads=1, keys=1, values=1, rings=2).double()
    graph = events(PseudoEuclidean(1, 1), group)
    x = torch.randn(16, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: layer(x, graph), (x,))


def test_copies_and_edge_cases():
    group = O2()
    layer = attention(group)
    graph = PointCloud(torch.rand(5, 2)).gauge_graph(group, neighbors=2, dtype=torch.float64)
    x = torch.randn(5, layer.in_type.size, dtype=torch.float64)
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert torch.equal(other(x, graph), layer(x, graph))
    assert all(not name.startswith("_") for name in layer.state_dict())
    lonely = PointCloud(torch.zeros(1, 2)).gauge_graph(group, edge_index=torch.zeros(2, 0, dtype=torch.int64))
    assert layer.float()(x[:1].float(), lonely).shape == (1, layer.out_type.size)
    assert "heads=2" in repr(layer)


def test_bad_input_is_named():
    group, kind = PseudoOrthogonal(1, 2), multivector(PseudoOrthogonal(1, 2))
    with pytest.raises(ValueError, match="lengths"):
        GaugeAttention(kind, kind)  # lengths of boosted fields are not invariant
    with pytest.raises(ValueError, match="exterior power"):
        MultivectorAttention(FieldType(O2(), "2x2"), FieldType(O2(), "2x0"))
    with pytest.raises(ValueError, match="group"):
        MultivectorAttention(kind, multivector(O3()))
    with pytest.raises(ValueError, match="heads"):
        MultivectorAttention(kind, kind, heads=0)
    layer = MultivectorAttention(kind, kind)
    with pytest.raises(ValueError, match="8"):
        layer(torch.zeros(16, 5), events(Minkowski(3), group))

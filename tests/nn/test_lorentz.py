"""Hyperbolic features: points stay points, frames do not matter on any base space, and curvature zero is a limit."""

from __future__ import annotations

import copy
import math
import pickle

import pytest
import torch
from torch import nn

from gaugenet.geometry import Grid, Hyperbolic, Icosphere, MobiusStrip, Sphere
from gaugenet.groups import O2, SO2, SO3, Cyclic, FieldType, Lorentz, Reflection
from gaugenet.nn import (
    GatedNonlinearity,
    GaugeConv,
    LorentzActivation,
    LorentzBatchNorm,
    LorentzConv,
    LorentzEmbedding,
    LorentzLinear,
    LorentzLog,
    LorentzMLR,
    LorentzType,
    NormNonlinearity,
    PointwiseNonlinearity,
)
from gaugenet.nn.hyperbolic.layers import invariant_basis
from gaugenet.testing import assert_gauge_equivariant
from tests.nn.layers import with_random_weights
from tests.tolerances import TOL, relative

EXACT = TOL[torch.float64]
PLAIN = LorentzType(FieldType(SO2(), "3x0 + 2x1"), 1.7)


def lorentz(group, spec: str, k: float = 1.7) -> LorentzType:
    return LorentzType(FieldType(group, spec), k)


def points_of(kind: LorentzType, size: int, scale: float = 1.0) -> torch.Tensor:
    return kind.lift(scale * torch.randn(size, kind.space.size, dtype=torch.float64))


def off(kind: LorentzType, x: torch.Tensor) -> float:
    """How far from the hyperboloid, relative to t^2."""
    x = x.detach()
    return float(((kind.inner(x, x) + kind.k).abs() / x[:, 0].square()).max())


def layers(group, spec: str) -> dict[str, nn.Module]:
    kind, other = lorentz(group, spec), lorentz(group, f"2x0 + {spec}", 0.6)
    found: dict[str, nn.Module] = {
        "linear": LorentzLinear(kind, other),
        "conv": LorentzConv(kind, other),
        "batch norm": LorentzBatchNorm(kind),
        "batch norm in eval": LorentzBatchNorm(kind).eval(),
        "regression": LorentzMLR(kind, 4),
        "log": LorentzLog(kind),
        "gated": LorentzActivation(GatedNonlinearity(kind.space), k=1.7),
        "norm": LorentzActivation(NormNonlinearity(kind.space), k=1.7),
    }
    return {name: with_random_weights(layer.double()) for name, layer in found.items()}


def taken(layer: nn.Module) -> LorentzType:
    """The hyperbolic features that a layer takes."""
    blocks = [(b.representation, b.multiplicity) for b in layer.in_type.blocks[1:]]
    return LorentzType(FieldType(layer.in_type.group, blocks), 1.7)


# --- the space ----------------------------------------------------------------------------------------------------


def test_exp_log_and_distance():
    v = torch.randn(30, PLAIN.space.size, dtype=torch.float64)
    v[0] = 0
    x, y = PLAIN.exp(v), PLAIN.exp(3 * v.flip(0))
    apex = PLAIN.exp(torch.zeros_like(v))
    assert off(PLAIN, x) < EXACT
    assert relative(PLAIN.log(x), v) < EXACT
    assert relative(PLAIN.distance(apex, x)[1:], v.norm(dim=1)[1:]) < EXACT
    acosh = math.sqrt(1.7) * torch.acosh(-PLAIN.inner(x, y) / 1.7)  # imprecise nearby, right far away
    assert relative(PLAIN.distance(x, y), acosh) < 1e-9
    geodesic = torch.stack([PLAIN.distance(PLAIN.exp(a * v[1:2]), PLAIN.exp(v[1:2])) for a in (0.0, 0.25)])
    assert relative(geodesic[:, 0], torch.tensor([1, 0.75]).double() * v[1].norm()) < EXACT


def test_translations_are_isometries_that_take_the_apex_along():
    x, y, to = (points_of(PLAIN, 30) for _ in range(3))
    apex = PLAIN.exp(torch.zeros(30, PLAIN.space.size, dtype=torch.float64))
    moved = PLAIN.translate(x, to)
    assert relative(PLAIN.translate(apex, to), to) < EXACT
    assert relative(PLAIN.translate_back(moved, to), x) < 100 * EXACT
    assert relative(PLAIN.distance(moved, PLAIN.translate(y, to)), PLAIN.distance(x, y)) < 1e-10
    assert relative(PLAIN.inner(to - moved, to - moved), PLAIN.inner(apex - x, apex - x)) < 1e-10


def test_the_group_acts_by_isometries():
    x, y = points_of(PLAIN, 30), points_of(PLAIN, 30)
    g = SO2().random_element()
    rotated = [PLAIN.field_type.transform(g, z) for z in (x, y)]
    assert off(PLAIN, rotated[0]) < EXACT
    assert relative(PLAIN.distance(*rotated), PLAIN.distance(x, y)) < EXACT


def test_concatenation():
    """t^2 = sum of t_i^2 - (n - 1) k (Bdeir et al. 2024)."""
    parts = [points_of(PLAIN, 5) for _ in range(3)]
    into = LorentzType(PLAIN.space * 3, 1.7)
    whole = PLAIN.concatenate(parts, into)
    assert off(into, whole) < EXACT
    assert relative(whole[:, 0].square(), sum(x[:, 0].square() for x in parts) - 2 * 1.7) < EXACT
    g = SO2().random_element(5)
    rotated = PLAIN.concatenate([PLAIN.field_type.transform(g, x) for x in parts], into)
    assert relative(rotated, into.field_type.transform(g, whole)) < EXACT
    with pytest.raises(ValueError, match="into"):
        PLAIN.concatenate(parts, PLAIN)


# --- gauges, on any base space ------------------------------------------------------------------------------------

CASES = [
    (Sphere(2), SO2(), "3x0 + 2x1", 0.6),
    (Hyperbolic(2), O2(), "3x0 + 2x1 + 1x0-", 0.9),
    (Hyperbolic(3), SO3(), "2x0 + 1x1 + 1x2", 1.2),
    (MobiusStrip(4.0), Reflection(), "2x0 + 2x0- + 1xregular", 0.6),
]


@pytest.mark.parametrize(("space", "group", "spec", "radius"), CASES, ids=lambda c: str(c))
def test_layers_do_not_depend_on_frames_and_keep_points_on_the_hyperboloid(space, group, spec, radius):
    points = space.random_points(60, generator=torch.Generator().manual_seed(0))
    graph = space.gauge_graph(points, group, radius=radius, dtype=torch.float64)
    for name, layer in layers(group, spec).items():
        x = points_of(taken(layer), 60)
        control = name == "conv"
        assert_gauge_equivariant(layer, graph, x=x, atol=10 * EXACT, control=control)
        y = layer(x, graph) if name in ("conv", "batch norm", "batch norm in eval") else layer(x)
        if name not in ("regression", "log"):
            assert off(layer.hyperbolic, y) < EXACT, name
    embed = LorentzEmbedding(lorentz(group, spec))
    assert_gauge_equivariant(embed, graph, x=torch.randn(60, embed.in_type.size).double(), control=False)


class NaiveNorm(LorentzBatchNorm):
    """The batch normalization of the paper: the centroid of all components."""

    def __init__(self, field_type: LorentzType) -> None:
        super().__init__(field_type)
        self.add_table("_basis", torch.eye(field_type.space.size, dtype=torch.float64))
        self.running_mean = torch.zeros(field_type.space.size)
        self.bias = nn.Parameter(torch.zeros(field_type.space.size))


class NaiveRegression(LorentzMLR):
    """The regression of the paper: normals in all directions."""

    def __init__(self, field_type: LorentzType) -> None:
        super().__init__(field_type, 4)
        self.add_table("_basis", torch.eye(field_type.space.size, dtype=torch.float64))
        self.weight = nn.Parameter(torch.randn(4, field_type.space.size))


class NaiveActivation(nn.Module):
    """A pointwise function of nontrivial components."""

    def __init__(self, field_type: LorentzType) -> None:
        super().__init__()
        self.kind, self.in_type, self.out_type = field_type, field_type.field_type, field_type.field_type

    def forward(self, x):
        return self.kind.lift(x[:, 1:].relu())


@pytest.mark.parametrize("layer", [NaiveNorm, NaiveRegression, NaiveActivation])
def test_controls_layers_of_flat_space_depend_on_frames(layer):
    graph = Sphere(2).gauge_graph(Sphere(2).random_points(40), SO2(), radius=0.6, dtype=torch.float64)
    with pytest.raises(AssertionError, match="depends on the gauge"):
        assert_gauge_equivariant(layer(PLAIN).double(), graph, x=points_of(PLAIN, 40), control=False)


def test_pointwise_functions_of_permuted_components():
    kind = lorentz(Cyclic(4), "2xregular + 1x0")
    layer = LorentzActivation(PointwiseNonlinearity(kind.space, activation="relu"), k=1.7)
    x, g = points_of(kind, 12), Cyclic(4).random_element(12)
    assert relative(layer(kind.field_type.transform(g, x)), kind.field_type.transform(g, layer(x))) < EXACT
    assert relative(layer(x)[:, 1:], x[:, 1:].relu()) == 0


def test_isometries_of_the_base_space():
    """Scalars as points, a network, logits: the same wherever the hyperbolic plane is moved to."""
    space, group = Hyperbolic(2), SO2()
    kind = lorentz(group, "2x0")
    hidden = lorentz(group, "3x0 + 2x1")
    network = nn.ModuleList([LorentzEmbedding(kind), LorentzConv(kind, hidden), LorentzConv(hidden, hidden)]).double()
    head = LorentzMLR(hidden, 3).double()
    points = space.random_points(60, generator=torch.Generator().manual_seed(0))
    x = torch.randn(60, 2, dtype=torch.float64)

    def run(p):
        graph = space.gauge_graph(p, group, radius=0.9, dtype=torch.float64)
        y = network[0](x)
        return head(network[2](network[1](y, graph), graph))

    rotation = torch.tensor([[0.6, -0.8], [0.8, 0.6]], dtype=torch.float64)
    assert relative(run(space.affine(2.0, 0.4)(space.rotate(rotation, points))), run(points)) < 1e-10
    assert relative(run(points * torch.tensor([-1.0, 1.0], dtype=torch.float64)), run(points)) > 1e-3


@pytest.mark.parametrize("domain", ["grid", "icosphere"])
def test_lattices(domain):
    group = Cyclic(4) if domain == "grid" else Cyclic(6)
    kind = lorentz(group, "2x0 + 1xregular")
    conv, norm, head = LorentzConv(kind, kind).double(), LorentzBatchNorm(kind).double(), LorentzMLR(kind, 3).double()
    if domain == "icosphere":
        space = Icosphere(2)
        x = points_of(kind, space.num_vertices)
        y = head(norm(conv(x, space), space))
        assert y.shape == (space.num_vertices, 3)
        assert off(kind, conv(x, space)) < EXACT
        return
    grid = Grid((9, 9), group=group, kernel_size=3)
    x = kind.lift(torch.randn(2, kind.space.size, 9, 9, dtype=torch.float64))
    g = group.elements()[1]
    rotated = torch.rot90(kind.field_type.transform(g, x), 1, (2, 3))
    expected = torch.rot90(head(norm(conv(x, grid), grid)), 1, (2, 3))
    norm.reset_parameters()
    # whether rot90 is g or its inverse is a convention of image axes: one of them is, the other is not
    errors = []
    for element in (g, g.T):
        rotated = torch.rot90(kind.field_type.transform(element, x), 1, (2, 3))
        errors.append(relative(head(norm(conv(rotated, grid), grid)), expected))
    assert min(errors) < 1e-11
    assert max(errors) > 1e-3


# --- what the layers compute --------------------------------------------------------------------------------------


def test_logits_are_signed_distances_to_hyperplanes():
    kind = lorentz(SO2(), "4x0")
    head = LorentzMLR(kind, 1).double()
    nn.init.constant_(head.bias, 0.8)
    z = head.weight[0].detach()
    normal = z / z.norm()
    foot = kind.exp(0.8 * normal[None])
    for d in (-2.0, 0.0, 0.3, 5.0):
        across = torch.randn(6, 4, dtype=torch.float64)
        across = across - (across @ normal)[:, None] * normal
        on_plane = kind.translate(kind.exp(across), foot.expand(6, -1))
        x = kind.translate(kind.exp(d * normal[None]), foot)
        assert relative(head(x) / z.norm(), torch.full((1, 1), d, dtype=torch.float64)) < 1e-10 or d == 0
        assert head(on_plane).abs().max() < 1e-10


def test_batch_norm_centres_and_scales():
    kind = lorentz(SO2(), "3x0 + 2x1")
    norm = LorentzBatchNorm(kind).double()
    with torch.no_grad():
        norm.weight.fill_(1.3)
        norm.bias.copy_(torch.tensor([0.4, -0.2, 0.1]))
    graph = Sphere(2).gauge_graph(Sphere(2).random_points(50), SO2(), radius=0.6, dtype=torch.float64)
    shift = torch.tensor([1.0, -2.0, 0.5, 0, 0, 0, 0], dtype=torch.float64)
    x = kind.translate(points_of(kind, 50), kind.exp(shift[None]).expand(50, -1))
    y = norm(x, graph)
    weight = graph.mass / graph.mass.sum()
    basis = invariant_basis(kind.space)
    centre = kind.exp((norm.bias.detach() @ basis)[None])
    square = (weight * kind.distance(y, centre.expand(50, -1)).square()).sum()
    assert abs(square.item() - 1.3**2) < 1e-4, "eps is 1e-5"
    norm.eval()
    norm.momentum = 1.0
    norm.train()
    trained = norm(x, graph)
    norm.eval()
    assert relative(norm(x, graph), trained) < 1e-10, "running statistics are those of the batch"


def test_curvature_zero_is_the_limit():
    """k to infinity, time left out: ordinary layers."""
    space = FieldType(SO2(), "3x0 + 2x1")
    flat = LorentzType(space, 1e12)
    s = torch.randn(50, space.size, dtype=torch.float64)
    assert relative(flat.exp(s)[:, 1:], s) < 1e-9
    assert relative(flat.distance(flat.lift(s), flat.lift(s.flip(0))), (s - s.flip(0)).norm(dim=1)) < 1e-6
    norm = LorentzBatchNorm(flat, eps=0.0).double()
    centred = s.clone()
    centred[:, :3] -= s[:, :3].mean(0)
    expected = centred / centred.square().sum(1).mean().sqrt()
    assert relative(norm(flat.lift(s))[:, 1:], expected) < 1e-4
    head = LorentzMLR(flat, 2).double()
    nn.init.normal_(head.bias)
    z = head.weight
    assert relative(head(flat.lift(s)), s[:, :3] @ z.T - z.norm(dim=1) * head.bias) < 1e-5


def test_convolution_of_space_parts_is_that_of_ordinary_features_but_for_time():
    kind = lorentz(SO2(), "2x0 + 1x1")
    conv, plain = LorentzConv(kind, kind).double(), GaugeConv(kind.space, kind.space).double()
    graph = Sphere(2).gauge_graph(Sphere(2).random_points(40), SO2(), radius=0.6, dtype=torch.float64)
    x = points_of(kind, 40)
    y = conv(x, graph)
    assert y.shape == x.shape
    assert relative(y[:, 1:], conv.conv(x, graph)) == 0
    later = torch.cat([x[:, :1] + 1, x[:, 1:]], 1)
    assert relative(conv(later, graph)[:, 1:3], y[:, 1:3]) > 1e-3, "time is seen"
    assert plain(x[:, 1:], graph).shape[1] == 4


# --- as modules ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["linear", "batch norm", "batch norm in eval", "regression", "log", "gated", "norm"])
def test_layers_are_well_behaved_modules(name):
    layer = layers(SO2(), "3x0 + 2x1")[name]
    kind = taken(layer)
    x = points_of(kind, 5).requires_grad_()
    if name != "batch norm":  # its running statistics move
        assert torch.autograd.gradcheck(lambda s: layer(kind.lift(s)), x[:, 1:].detach().requires_grad_())
        for same in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
            assert torch.equal(same(x), layer(x))
        exported = torch.export.export(layer, (x.detach(),), strict=False).module()
        assert relative(exported(x), layer(x)) < EXACT
    layer(x).square().sum().backward()
    assert x.grad.isfinite().all()
    assert layer(x[:0]).shape[0] == 0
    assert layer(x[:1]).isfinite().all()
    single = layer.float()(x.float())
    assert single.dtype == torch.float32
    assert single.isfinite().all()


def test_features_at_the_apex_have_finite_gradients():
    v = torch.zeros(3, PLAIN.space.size, dtype=torch.float64, requires_grad=True)
    x = PLAIN.exp(v)
    (PLAIN.log(x).sum() + PLAIN.distance(x, x.detach()).sum()).backward()
    assert v.grad.isfinite().all()


def test_arguments():
    with pytest.raises(ValueError, match="orthogonal representations"):
        LorentzType(FieldType(Lorentz(3), "1x1"))
    with pytest.raises(ValueError, match="positive `k`"):
        LorentzType(FieldType(SO2(), "1x0"), 0.0)
    with pytest.raises(ValueError, match="at least one channel"):
        LorentzType(FieldType(SO2(), ""))
    with pytest.raises(ValueError, match="Expected invariant fields"):
        LorentzMLR(lorentz(SO2(), "2x1"), 3)
    with pytest.raises(ValueError, match="channels in dimension 1"):
        LorentzLinear(PLAIN, PLAIN)(torch.zeros(3, 2))


def test_statistics_of_a_batch_are_those_of_its_graphs_each_counted_once():
    from torch_geometric.data import Batch

    sphere, kind = Sphere(2), lorentz(SO2(), "2x0 + 1x1")
    graphs = [sphere.gauge_graph(sphere.random_points(n), SO2(), radius=1.2, dtype=torch.float64) for n in (12, 20)]
    norm = LorentzBatchNorm(kind).double()
    x = points_of(kind, 32)
    batch = Batch.from_data_list(graphs)
    y = norm(x, batch)
    lengths = [kind.log(part).square().sum(1) for part in y.split([12, 20])]
    means = [float((g.mass / g.mass.sum() * square).sum()) for g, square in zip(graphs, lengths, strict=True)]
    assert abs(sum(means) / 2 - 1) < 1e-4

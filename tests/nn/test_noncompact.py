"""Networks of groups that are not compact: on space-time, and on frames up to scale or volume."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from gaugenet.geometry import Euclidean, Grid, GStructure, Minkowski
from gaugenet.groups import SO2, FieldType, GeneralLinear, Lorentz, Scaling, SpecialLinear
from gaugenet.nn import (
    EquivariantLinear,
    GatedNonlinearity,
    GaugeConv,
    InvariantReadout,
    NormNonlinearity,
    NormPool,
    TensorProductNonlinearity,
    use_engine,
)
from gaugenet.testing import assert_gauge_equivariant
from tests.tolerances import TOL, relative

EXACT = TOL[torch.float64]
CASES = [
    (Minkowski(2), Lorentz(2), "2x0 + 2x1", "2x1 + 1x0"),
    (Minkowski(3), Lorentz(3), "2x0 + 2x1 + 1xtime", "2x1 + 1x0 + 1x2"),
    (Minkowski(3), Lorentz(3, part="O"), "2x0 + 2x1", "2x1 + 1xdet"),
    (Euclidean(2), SpecialLinear(2), "2x0 + 2x1", "2x1 + 1x0"),
    (Euclidean(2), GeneralLinear(2), "2x0 + 2x1", "2x1 + 1x2"),
    (Euclidean(2), Scaling(2, rotations=SO2()), "2x0 + 1x1 + 1xs1", "1x1 + 1xs2 + 1x0"),
    (Euclidean(1), Scaling(1), "2x0 + 1xs1", "1xs2 + 1x0"),
]


def events(space, group, radius: float = 4.0, size: int = 24, move=None):
    """A graph on which all points are neighbours of each other, before and after a symmetry."""
    points = space.random_points(size, generator=torch.Generator().manual_seed(0))
    points = points if move is None else points @ move.T + 0.3
    return space.gauge_graph(points, group, radius=radius, dtype=torch.float64)


@pytest.mark.parametrize(("space", "group", "a", "b"), CASES, ids=lambda c: str(c))
def test_convolutions_do_not_depend_on_frames_and_engines_agree(space, group, a, b):
    conv = GaugeConv(FieldType(group, a), FieldType(group, b)).double()
    graph = events(space, group)
    # boosts and shears enlarge features by an order of magnitude, and with them rounding
    general = type(group) is GeneralLinear  # nothing lies outside, nor is there anything on a line
    assert_gauge_equivariant(conv, graph, atol=100 * EXACT, control=not general and space.dim > 1)
    rotated = graph.gauge_transform(group.random_element(graph.num_nodes))
    x = torch.randn(graph.num_nodes, conv.in_type.size, dtype=torch.float64)
    found = conv(x, rotated)
    with use_engine("reference"):
        assert relative(conv(x, rotated), found) < 10 * EXACT


class Particles(nn.Module):
    """Scalars of events -> vectors -> squares of vectors -> scalars."""

    def __init__(self, group) -> None:
        super().__init__()
        self.in_type = self.out_type = FieldType(group, "2x0")
        self.gate = GatedNonlinearity(FieldType(group, "4x0 + 3x1"))
        self.lift = GaugeConv(self.in_type, self.gate.in_type)
        self.mix = GaugeConv(self.gate.out_type, FieldType(group, "2x0 + 3x1"))
        self.square = TensorProductNonlinearity(self.mix.out_type, self.out_type, channels=2)

    def forward(self, x, domain):
        return self.square(self.mix(self.gate(self.lift(x, domain)), domain))


@pytest.mark.parametrize("dim", [2, 3])
def test_a_network_on_space_time_commutes_with_the_poincare_group(dim):
    space, group = Minkowski(dim), Lorentz(dim)
    network, graph = Particles(group).double(), events(space, group)
    x = torch.randn(graph.num_nodes, 2, dtype=torch.float64)
    expected = network(x, graph)
    pairs = graph.num_nodes * (graph.num_nodes - 1)
    for move in (group.boost(0.5), group.boost(-1.5), group.generators()[0], group.random_element()):
        moved = events(space, group, radius=60.0, move=move)
        moved.radius = graph.radius  # the unit of length, not the reach
        assert moved.edge_index.shape[1] == graph.edge_index.shape[1] == pairs
        assert relative(network(x, moved), expected) < 1e-10
    rotation = torch.eye(dim, dtype=torch.float64)
    rotation[0, 0] = rotation[1, 1] = math.cos(0.5)
    rotation[0, 1], rotation[1, 0] = math.sin(0.5), -math.sin(0.5)
    control = events(space, group, move=rotation)
    assert control.edge_index.shape[1] == pairs
    assert relative(network(x, control), expected) > 3e-3, "a rotation that mixes time and space"


def test_networks_do_not_depend_on_boosted_frames():
    group = Lorentz(3)
    report = assert_gauge_equivariant(Particles(group).double(), events(Minkowski(3), group), atol=1e-10)
    assert report.control > 1e-2


def test_a_smaller_neighbourhood_is_not_invariant_under_boosts():
    """The cut-off is: which is why the tests above take all pairs."""
    space, group = Minkowski(2), Lorentz(2)
    near, boosted = (events(space, group, radius=0.8, move=m) for m in (None, group.boost(1.5)))
    assert near.edge_index.shape != boosted.edge_index.shape


def test_dilations_about_any_centre():
    space, group = Euclidean(2), Scaling(2, rotations=SO2())
    lift = GaugeConv(FieldType(group, "2x0"), FieldType(group, "1x0 + 2xs1 + 1x(1⊗s1)")).double()
    read = GaugeConv(lift.out_type, lift.in_type).double()
    x = torch.randn(24, 2, dtype=torch.float64)

    def run(matrix):
        graph = events(space, group, move=matrix)
        assert graph.edge_index.shape[1] == 24 * 23
        return read(lift(x, graph), graph)

    eye, rotation = torch.eye(2, dtype=torch.float64), torch.tensor([[0.6, -0.8], [0.8, 0.6]], dtype=torch.float64)
    expected = run(eye)
    for scale in (0.4, 1.7):
        assert relative(run(scale * rotation), expected) < 1e-11
    assert relative(run(torch.diag(torch.tensor([1.0, 1.5], dtype=torch.float64))), expected) > 1e-2


def test_a_lattice_of_space_time_is_convolved_as_its_points_are():
    group = Lorentz(2)
    conv = GaugeConv(FieldType(group, "1x0 + 1x1"), FieldType(group, "1x1 + 1x0")).double()
    grid = Grid((7, 7), kernel_size=5)
    x = torch.randn(1, 3, 7, 7, dtype=torch.float64)
    kernel, bias = conv.sampled(grid.sliding.stencil)
    found = conv(x, grid)[0, :, 3, 3]
    v, weights = grid.sliding.stencil.offsets, grid.sliding.stencil.weights
    kernels = conv.kernels.evaluate(conv.weight, v) * weights[:, None, None]
    patch = x[0, :, 1:6, 1:6].flatten(1)
    expected = torch.einsum("soi,is->o", kernels, patch) + conv.self_interaction(x[:, :, 3, 3])[0]
    assert relative(found, expected) < EXACT
    assert kernel.shape == (3, 3, 5, 5)
    assert bias is not None


def test_structures_that_vary_are_seen_the_same():
    """Frames of varying scale on the plane: transporters that stretch, features that follow."""
    group = Scaling(2)
    points = Euclidean(2).random_points(24, generator=torch.Generator().manual_seed(0))
    eye = torch.eye(2, dtype=torch.float64)
    frames = (0.4 * points[:, 0]).exp()[:, None, None] * eye
    conv = GaugeConv(FieldType(group, "1x0 + 1xs1"), FieldType(group, "1x0")).double()
    plain, stretched = (
        Euclidean(2).gauge_graph(points, radius=9.0, structure=GStructure(group, f), dtype=torch.float64)
        for f in (eye.expand(24, -1, -1), frames)
    )
    x = torch.randn(24, 3, dtype=torch.float64)
    seen = conv.in_type.transform(torch.linalg.inv(frames), x)
    assert relative(conv(seen, stretched), conv(x, plain)) < EXACT
    assert relative(conv(x, stretched), conv(x, plain)) > 1e-2


@pytest.mark.parametrize("layer", [NormNonlinearity, NormPool, InvariantReadout])
def test_layers_that_need_lengths_refuse_vectors_of_space_time(layer):
    with pytest.raises(ValueError, match="needs lengths"):
        layer(FieldType(Lorentz(3), "2x0 + 1x1"))
    layer(FieldType(Lorentz(3), "2x0"))
    layer(FieldType(Scaling(2), "2x0 + 1xs1"))


def test_linear_maps_and_biases():
    group = Lorentz(3)
    linear = EquivariantLinear(FieldType(group, "2x0 + 1x1 + 1x(1⊗1)"), FieldType(group, "1x0 + 2x1")).double()
    assert len(linear.weight) == 2 + 1 + 2 + 2, "scalars; the trace; vectors; the dual of the antisymmetric part"
    nn.init.normal_(linear.bias.bias)
    g, x = group.random_element(5), torch.randn(5, linear.in_type.size, dtype=torch.float64)
    expected = linear.out_type.transform(g, linear(x))
    assert relative(linear(linear.in_type.transform(g, x)), expected) < 100 * EXACT

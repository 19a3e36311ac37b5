"""Clifford convolutions: on grids with a metric, on events of space-time, on meshes; all engines agree."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
import trimesh
from torch import nn

from gaugenet.geometry import Euclidean, Grid, Minkowski, PointCloud, PseudoEuclidean, TriangleMesh
from gaugenet.geometry.grids.action import FieldAction
from gaugenet.groups import O2, O3, SO2, SO3, FieldType, PseudoOrthogonal, multivector
from gaugenet.kernels import Clifford
from gaugenet.nn import GaugeConv, GeometricProduct, GridConv, InvariantGate, MultivectorNorm, use_engine
from gaugenet.testing import assert_gauge_equivariant
from tests.compilers import newer_than_torch_2_6
from tests.tolerances import TOL, relative

EXACT = TOL[torch.float64]
GRIDS = [
    (O2(), Grid((5, 5), signature=(2, 0))),
    (O2(), Grid((4, 6), signature=(0, 2), boundary="periodic", kernel_size=3)),
    (SO2(), Grid((5, 5), signature=(2, 0))),
    (O3(), Grid((4, 4, 4), signature=(3, 0), kernel_size=3)),
    (PseudoOrthogonal(1, 1), Grid((5, 7), signature=(1, 1), spacing=(1.0, 0.5), radius=2.0)),
    (PseudoOrthogonal(1, 2), Grid((4, 4, 5), signature=(1, 2), kernel_size=3)),
    (PseudoOrthogonal(2, 1), Grid((5, 4, 4), signature=(2, 1), boundary="periodic", kernel_size=3)),
    (PseudoOrthogonal(2, 1), Grid((5, 4, 4), signature=(2, 1), boundary="reflect", kernel_size=3)),
    (PseudoOrthogonal(1, 2, part="SO+"), Grid((4, 4, 5), signature=(1, 2), kernel_size=3)),
    (PseudoOrthogonal(3, 1), Grid((2, 3, 3, 3), signature=(3, 1), kernel_size=3)),
]


def conv(group, complete: bool = True, rings: int = 2) -> GaugeConv:
    torch.manual_seed(0)
    kinds = multivector(group, multiplicity=2), multivector(group, multiplicity=3)
    return GaugeConv(*kinds, kernel=Clifford(rings, complete)).double()


def signed_permutations(d: int) -> list[torch.Tensor]:
    found = []
    for order in itertools.permutations(range(d)):
        for signs in itertools.product([1.0, -1.0], repeat=d):
            g = torch.zeros(d, d, dtype=torch.float64)
            g[range(d), list(order)] = torch.tensor(signs, dtype=torch.float64)
            found.append(g)
    return found


def maps_grid_to_itself(g: torch.Tensor, grid: Grid) -> bool:
    lengths = torch.tensor([n * h for n, h in zip(grid.shape, grid.spacing)], dtype=torch.float64).flip(-1)
    return bool(((g.abs() @ lengths) == lengths).all())


@pytest.mark.parametrize(("group", "grid"), GRIDS, ids=lambda c: str(c)[:60])
@pytest.mark.parametrize("complete", [True, False])
def test_exact_under_all_symmetries_that_map_the_grid_to_itself(group, grid, complete):
    layer = conv(group, complete)
    x = torch.randn(2, layer.in_type.size, *grid.shape, dtype=torch.float64)
    y, count = layer(x, grid), 0
    for g in signed_permutations(group.d):
        if not maps_grid_to_itself(g, grid):
            continue
        full = [_names(k, _full(group)) for k in (layer.in_type, layer.out_type)]
        if not _full(group).contains(g):
            continue  # exchanges time and space, see below
        moved, expected = layer(FieldAction(full[0])(g, x), grid), FieldAction(full[1])(g, y)
        if torch.linalg.det(g) > 0 or not group.orientation_preserving:
            assert relative(moved, expected) < EXACT
            count += 1
        elif grid.boundary != "reflect":
            assert relative(moved, expected) > 1e-3, "a mirror image"
    assert count >= (2 if group.orientation_preserving else 4)


def _full(group):
    if isinstance(group, PseudoOrthogonal):
        return PseudoOrthogonal(group.p, group.q)
    return O2() if group.d == 2 else O3()


def _names(kind: FieldType, group) -> FieldType:
    return FieldType(group, [(group.exterior(k), b.multiplicity) for k, b in enumerate(kind.blocks)])


def test_control_time_and_space_are_not_exchanged():
    group, grid = PseudoOrthogonal(1, 1), Grid((5, 5), signature=(1, 1))
    layer = conv(group)
    swap = torch.tensor([[0.0, 1.0], [1.0, 0.0]], dtype=torch.float64)
    general = [_names(k, O2()) for k in (layer.in_type, layer.out_type)]
    x = torch.randn(1, layer.in_type.size, 5, 5, dtype=torch.float64)
    moved = layer(FieldAction(general[0])(swap, x), grid)
    assert relative(moved, FieldAction(general[1])(swap, layer(x, grid))) > 0.1


@pytest.mark.parametrize(("group", "grid"), GRIDS, ids=lambda c: str(c)[:60])
def test_engines_agree_on_grids(group, grid):
    layer = conv(group)
    x = torch.randn(1, layer.in_type.size, *grid.shape, dtype=torch.float64)
    y = layer(x, grid)
    for name in ("graph", "reference"):
        if grid.boundary == "reflect":
            continue  # the graph's transporters are the mirrors of `grid.group`
        with use_engine(name):
            assert relative(layer(x, grid), y) < EXACT


def events(space, group, move: torch.Tensor | None = None, frames: bool = False):
    """A graph on which all points are neighbours of each other, before and after a symmetry."""
    points = torch.randn(16, space.dim, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    points = points if move is None else points @ move.T + 0.3
    graph = space.gauge_graph(points, group, radius=200.0, dtype=torch.float64)
    graph.radius = torch.tensor([3.0], dtype=torch.float64)  # the unit of length
    assert graph.edge_index.shape[1] == 16 * 15
    return graph


class Network(nn.Module):
    """Two convolutions with a norm, a gate and a product in between."""

    def __init__(self, group) -> None:
        super().__init__()
        self.in_type = self.out_type = multivector(group)
        hidden = multivector(group, multiplicity=2)
        self.first = GaugeConv(self.in_type, hidden, kernel=Clifford())
        self.norm, self.gate = MultivectorNorm(hidden), InvariantGate(hidden)
        self.product = GeometricProduct(hidden)
        self.second = GaugeConv(hidden, self.out_type, kernel=Clifford())

    def forward(self, x, domain):
        return self.second(self.product(self.gate(self.norm(self.first(x, domain)))), domain)


SPACES = [
    (PseudoEuclidean(1, 1), PseudoOrthogonal(1, 1)),
    (Minkowski(3), PseudoOrthogonal(1, 2)),
    (PseudoEuclidean(2, 1), PseudoOrthogonal(2, 1)),
    (Minkowski(4), PseudoOrthogonal(1, 3)),
    (PseudoEuclidean(2, 2), PseudoOrthogonal(2, 2, part="SO+")),
    (Euclidean(2), O2()),
    (Euclidean(3), O3()),
    (Euclidean(3), SO3()),
]


@pytest.mark.parametrize(("space", "group"), SPACES, ids=str)
def test_point_clouds_under_any_boost_and_rotation(space, group):
    """Shifts, and any element of O(p, q): fields of events transform, the network commutes; convolutions to 1e-12."""
    torch.manual_seed(0)
    layer, network = conv(group), Network(group).double()
    graph = events(space, group)
    x, z = (torch.randn(16, m.in_type.size, dtype=torch.float64) for m in (layer, network))
    for g in group.random_element(3, generator=torch.Generator().manual_seed(1)):
        moved = events(space, group, g)
        scale = 1 if group.compact else 10  # boosts enlarge features, and with them rounding
        y = layer.out_type.transform(g, layer(x, graph))
        assert relative(layer(layer.in_type.transform(g, x), moved), y) < scale * EXACT
        y = network.out_type.transform(g, network(z, graph))
        assert relative(network(network.in_type.transform(g, z), moved), y) < 1000 * EXACT
    shear = torch.eye(space.dim, dtype=torch.float64)
    shear[0, -1] = 0.5
    y = layer.out_type.transform(shear, layer(x, graph))
    assert relative(layer(layer.in_type.transform(shear, x), events(space, group, shear)), y) > 1e-3


@pytest.mark.parametrize(("space", "group"), SPACES, ids=str)
def test_frames_at_every_point_do_not_matter(space, group):
    graph = events(space, group)
    scale = 1 if group.compact else 1000  # a boost at every point
    assert_gauge_equivariant(conv(group), graph, atol=scale * EXACT)
    layer = conv(group)
    x = torch.randn(16, layer.in_type.size, dtype=torch.float64)
    y = layer(x, graph)
    with use_engine("reference"):
        assert relative(layer(x, graph), y) < EXACT


def test_on_meshes():
    part = trimesh.creation.torus(1.0, 0.4, major_sections=10, minor_sections=6)
    graph = TriangleMesh(part.vertices, part.faces).gauge_graph(SO2(), mean_neighbors=10, dtype=torch.float64)
    assert_gauge_equivariant(conv(SO2()), graph)
    assert_gauge_equivariant(Network(SO2()).double(), graph, atol=10 * EXACT)


def test_point_cloud_class():
    cloud = PointCloud(torch.rand(30, 3))
    for group in (O3(), PseudoOrthogonal(2, 1)):
        graph = cloud.gauge_graph(group, neighbors=8, dtype=torch.float64)
        assert_gauge_equivariant(conv(group), graph, atol=EXACT * (1 if group.compact else 1000))


def test_kernels_are_computed_once_in_evaluation():
    group, grid = PseudoOrthogonal(2, 1), Grid((4, 5, 5), signature=(2, 1), kernel_size=3)
    layer = conv(group).eval()
    x = torch.randn(1, layer.in_type.size, *grid.shape, dtype=torch.float64)
    calls = []
    original = type(layer.kernels).sample

    def counted(*arguments):
        calls.append(1)
        return original(*arguments)

    type(layer.kernels).sample = counted
    try:
        with torch.no_grad():
            first = layer(x, grid)
            assert torch.equal(layer(x, grid), first)
            assert len(calls) == 1
            layer.weight.mul_(2)
            layer.self_interaction.weight.mul_(2)
            layer.bias.bias.mul_(2)
            assert relative(layer(x, grid), 2 * first) < EXACT
            assert len(calls) == 2, "once more for other weights"
        layer.train()(x, grid)
        assert len(calls) == 3
    finally:
        type(layer.kernels).sample = original


def test_grid_conv_knows_its_window():
    kind = multivector(PseudoOrthogonal(2, 1))
    layer = GridConv(kind, kind, kernel_size=3, kernel=Clifford()).double()
    x = torch.randn(2, kind.size, 4, 5, 6, dtype=torch.float64)
    assert relative(layer(x), layer(x, Grid((4, 5, 6), signature=(2, 1), kernel_size=3))) < EXACT


def test_gradients():
    group = PseudoOrthogonal(1, 1)
    kind = multivector(group)
    layer = GaugeConv(kind, kind, kernel=Clifford(rings=1)).double()
    x = torch.randn(1, kind.size, 3, 3, dtype=torch.float64, requires_grad=True)
    grid = Grid((3, 3), signature=(1, 1), kernel_size=3)
    assert torch.autograd.gradcheck(
        lambda x, w: torch.func.functional_call(layer, {"weight": w}, (x, grid)), (x, layer.weight)
    )


@newer_than_torch_2_6
def test_compiled_and_in_single_precision():
    group, grid = PseudoOrthogonal(1, 2), Grid((4, 4, 4), signature=(1, 2), kernel_size=3)
    layer = conv(group).float()
    x = torch.randn(1, layer.in_type.size, 4, 4, 4)
    double = conv(group)(x.double(), grid)
    assert relative(layer(x, grid).double(), double) < TOL[torch.float32]
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    assert relative(compiled(x, grid), layer(x, grid)) < TOL[torch.float32]


def test_bad_input():
    kind = multivector(PseudoOrthogonal(1, 2))
    layer = GaugeConv(kind, kind, kernel=Clifford())
    x = torch.zeros(1, kind.size, 4, 4, 4)
    with pytest.raises(ValueError, match="preserves the metric"):
        layer(x, Grid((4, 4, 4), signature=(2, 1)))
    with pytest.raises(ValueError, match="preserves the metric"):
        layer(x, Grid((4, 4, 4), signature=(3, 0)))
    assert layer(x, Grid((4, 4, 4))).shape == x.shape, "no signature, no check"
    with pytest.raises(ValueError, match="Expected"):
        layer(x, Grid((4, 4), signature=(1, 1)))


def test_boosts_of_a_grid_hold_up_to_the_window():
    """A stated error: the window is no invariant set, so a boosted kernel is cut off elsewhere."""
    group = PseudoOrthogonal(1, 1)
    space = Clifford(rings=2).space(multivector(group), multivector(group))
    weight = torch.randn(space.num_weights, dtype=torch.float64)
    v = torch.randn(100, 2, dtype=torch.float64)
    g = group.boost(0.5)
    rho = multivector(group).representation()(g)
    exact = relative(space.evaluate(weight, v @ g.T), rho @ space.evaluate(weight, v) @ torch.linalg.inv(rho))
    assert exact < EXACT
    inside = torch.linalg.vector_norm(v, dim=1) < 1
    assert 0 < int((inside != (torch.linalg.vector_norm(v @ g.T, dim=1) < 1)).sum()) < 100
    assert math.isclose(float(torch.linalg.det(g)), 1, rel_tol=1e-12)

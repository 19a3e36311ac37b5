"""Differential operators as the kernels of a convolution: on every domain, in every engine, in networks."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
import torch.nn.functional as F

from gaugenet.geometry import EmbeddedTorus, GaugeGraph, Grid, Icosphere, PointCloud
from gaugenet.groups import (
    O2,
    SO2,
    SO3,
    Cyclic,
    Dihedral,
    FieldType,
    GeneralLinear,
    Lorentz,
    Reflection,
    Trivial,
)
from gaugenet.kernels import Differential, DifferentialSpace, Harmonic, KernelSum, Neighborhood
from gaugenet.kernels.jets import differentiable_rows, local_jets
from gaugenet.nn import GaugeConv, GridConv, GridConvTranspose, prepare_graph, use_engine
from gaugenet.operators import apply_operator, divergence, gradient, laplacian
from gaugenet.testing import assert_gauge_equivariant
from tests.compilers import newer_than_torch_2_6
from tests.geometry.mesh import surfaces
from tests.tolerances import TOL, relative

DOUBLE = {"dtype": torch.float64}
EXACT = TOL[torch.float64]


def mesh_graph(group=None) -> GaugeGraph:
    return surfaces.sphere(8, jitter=0.2).gauge_graph(group or SO2(), mean_neighbors=20, **DOUBLE)


def cloud(group, count: int = 200, neighbors: int = 30) -> GaugeGraph:
    x = torch.rand(count, group.d, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return PointCloud(x).gauge_graph(group, neighbors=neighbors, **DOUBLE)


def features(conv: GaugeConv, graph: GaugeGraph) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(graph.num_nodes, conv.in_type.size, generator=generator, dtype=torch.float64)


FAMILIES = [
    Differential(max_order=2),
    Differential(max_order=1, degree=3),
    Differential(max_order=3),
    KernelSum(Harmonic(rings=2), Differential(max_order=2)),
]
CASES = [
    (SO2(), "2x0 + 2x1", "1x0 + 1x1 + 1x2"),
    (O2(), "1x0 + 1x0- + 1x1", "1x1 + 1x0"),
    (Cyclic(4), "1xregular", "1xregular + 1x1"),
    (SO3(), "2x0 + 1x1", "1x0 + 1x1 + 1x2"),
    (Reflection(1), "1xregular", "1xregular"),
    (GeneralLinear(2), "1x0 + 1xdual", "1xdual + 1x0 + 1x(dual⊗dual)"),
    (Lorentz(3), "1x0 + 1x1", "1x1 + 1x0"),
]


@pytest.mark.parametrize("kernel", FAMILIES, ids=str)
@pytest.mark.parametrize(("group", "a", "b"), CASES, ids=[str(c[0]) for c in CASES])
def test_engines_agree_and_frames_do_not_matter(group, a, b, kernel):
    """Random frames at every point, also ones that are not orthonormal; outside of the group they do matter."""
    if not group.compact and isinstance(kernel, KernelSum):
        kernel = KernelSum(Harmonic(rings=1), Differential(max_order=2))
    conv = GaugeConv(FieldType(group, a), FieldType(group, b), kernel=kernel, **DOUBLE)
    graph = cloud(group, neighbors={1: 8, 2: 30, 3: 60}[group.d])
    x = features(conv, graph)
    y = conv(x, graph)
    with use_engine("reference"):
        assert relative(conv(x, graph), y) < EXACT
    g = group.random_element(graph.num_nodes, generator=torch.Generator().manual_seed(2))
    moved = conv(conv.in_type.transform(g, x), graph.gauge_transform(g))
    assert relative(moved, conv.out_type.transform(g, y)) < (1e-12 if group.compact else 1e-9)
    assert relative(moved, y) > 1e-2


@pytest.mark.parametrize("kernel", [FAMILIES[0], FAMILIES[3]], ids=str)
def test_gauge_equivariance_on_a_mesh_with_its_negative_control(kernel):
    fields = FieldType(SO2(), "4x0 + 4x1")
    assert_gauge_equivariant(GaugeConv(fields, fields, kernel=kernel, **DOUBLE), mesh_graph())


def selecting(conv: GaugeConv, **factors: float) -> GaugeConv:
    """The layer with the named operators alone, times factors."""
    space = conv.kernels
    names = [operator.name for operator in space.operators]
    assert len(names) == space.num_weights, "of multiplicity one"
    with torch.no_grad():
        conv.weight.copy_(torch.tensor([factors.get(name, 0.0) for name in names]))
    return conv


def scalars_to_vectors(**options) -> GaugeConv:
    kernel = Differential(max_order=1, **options)
    conv = GaugeConv(FieldType(SO2(), "1x0"), FieldType(SO2(), "1x1"), kernel=kernel, bias=False, **DOUBLE)
    return selecting(conv, grad=1.0)


DOMAINS = {
    "mesh": mesh_graph,
    "points": lambda: cloud(SO2()),
    "icosphere": lambda: Icosphere(3).gauge_graph(SO2(), connection="levi_civita", mean_neighbors=20),
    "hexagons": lambda: Icosphere(3).gauge_graph(Cyclic(6)),
    "manifold": lambda: EmbeddedTorus(1.0, 0.4).gauge_graph(
        EmbeddedTorus(1.0, 0.4).random_points(300, generator=torch.Generator().manual_seed(0)), SO2(), radius=0.4
    ),
}


@pytest.mark.parametrize("name", DOMAINS)
def test_a_layer_with_known_weights_is_the_gradient(name):
    """Times half the radius, which makes the weights independent of the scale."""
    graph = DOMAINS[name]().astype(torch.float64)
    f = graph.pos[:, :1] ** 2 + graph.pos[:, 1:2]
    for degree in (2,) if name in ("hexagons", "manifold") else (2, 3):
        found = scalars_to_vectors(degree=degree)(f, graph)
        assert relative(found, graph.radius / 2 * gradient(f, graph, degree=degree)) < EXACT
    second = GaugeConv(FieldType(SO2(), "1x0"), FieldType(SO2(), "1x0"), kernel=Differential(), bias=False, **DOUBLE)
    found = selecting(second, laplacian=1.0)(f, graph)
    assert relative(found, graph.radius**2 / 8 * laplacian(f, graph, degree=2)) < EXACT


@pytest.mark.parametrize("make", [mesh_graph, lambda: cloud(SO2())], ids=["mesh", "points"])
def test_a_layer_is_the_operator_of_its_weights_in_units_of_length(make):
    graph, fields = make(), FieldType(SO2(), "2x0 + 1x1")
    conv = GaugeConv(fields, fields, kernel=Differential(max_order=3), bias=False, **DOUBLE)
    f, weight = features(conv, graph), conv.kernels.in_units_of_length(conv.weight, graph.radius)
    assert relative(conv(f, graph), apply_operator(conv.kernels, weight, f, graph)) < 1e-10
    assert relative(conv(f, graph), apply_operator(conv.kernels, conv.weight, f, graph)) > 0.1


@pytest.mark.parametrize("size", [3, 5, 7])
def test_derivatives_of_all_orders_have_rows_of_about_one_norm(size):
    """By these an optimizer changes outputs; with derivatives in units of the radius norms differ by 12 to 170."""
    stencil = GridConv(FieldType(SO2(), "1x0"), FieldType(SO2(), "1x0"), size).sliding.stencil
    fields = FieldType(SO2(), "1x0 + 1x1 + 1x2 + 1x3")
    space = DifferentialSpace(fields, fields, max_order=2 if size == 3 else 3)
    norms = space.stencil_coefficients(stencil).norm(dim=0)
    assert norms.max() < 2.5 * norms.min()


@pytest.mark.parametrize("accuracy", [2, 4])
@pytest.mark.parametrize("boundary", ["periodic", "reflect"])
def test_differences_on_a_grid_are_those_of_the_operators(boundary, accuracy):
    group = O2()
    grid = Grid((9, 11), boundary=boundary, group=group, spacing=0.5, kernel_size=5)
    kernel = Differential(max_order=2, discretization="differences", accuracy=accuracy)
    scalars, vectors = FieldType(group, "1x0"), FieldType(group, "1x1")
    f = torch.randn(2, 1, 9, 11, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    slope = selecting(GaugeConv(scalars, vectors, kernel=kernel, bias=False, **DOUBLE), grad=1.0)
    assert relative(slope(f, grid), grid.radius / 2 * gradient(f, grid, accuracy=accuracy)) < EXACT
    flow = selecting(GaugeConv(scalars, scalars, kernel=kernel, bias=False, **DOUBLE), laplacian=1.0)
    assert relative(flow(f, grid), grid.radius**2 / 8 * laplacian(f, grid, accuracy=accuracy)) < EXACT
    spread = selecting(GaugeConv(vectors, scalars, kernel=kernel, bias=False, **DOUBLE), div=1.0)
    u = gradient(f, grid)
    assert relative(spread(u, grid), grid.radius / 2 * divergence(u, grid, accuracy=accuracy)) < EXACT


@pytest.mark.parametrize("d", [1, 2, 3])
@pytest.mark.parametrize("options", [{}, {"discretization": "differences"}, {"width": 1.2}], ids=str)
def test_weights_move_between_pixels_and_points(d, options):
    """On polynomials of degree 2 all discretisations are exact: a grid, and its pixels as points, give the same."""
    group = {1: Reflection(1), 2: SO2(), 3: SO3()}[d]
    fields = FieldType(group, "1x0 + 1x0-" if d == 1 else "1x0 + 1x1")
    grid = Grid((7,) * d, kernel_size=5)
    conv = GaugeConv(fields, fields, kernel=Differential(max_order=2, **options), **DOUBLE)
    p = grid.pos
    f = torch.cat([(p**2).sum(1, keepdim=True) + p[:, :1], p * p[:, -1:] + 1], 1)[:, : fields.size]
    on_points = conv(f, PointCloud(p).gauge_graph(group, radius=grid.radius, **DOUBLE))
    on_pixels = conv(f.T.reshape(1, fields.size, *grid.shape), grid).flatten(2)[0].T
    inner = p.abs().amax(1) <= 1
    blurred = options.get("discretization") != "differences"
    if blurred:  # the derivative of order 0 of a Gaussian is a mean, and it differs from the value
        with torch.no_grad():
            conv.weight *= torch.tensor([o.order > 0 for o in conv.kernels.operators])
        on_points = conv(f, PointCloud(p).gauge_graph(group, radius=grid.radius, **DOUBLE))
        on_pixels = conv(f.T.reshape(1, fields.size, *grid.shape), grid).flatten(2)[0].T
    assert inner.any()
    assert relative(on_pixels[inner], on_points[inner]) < 1e-9


def test_strides_dilation_and_padding_are_those_of_conv2d():
    fields = FieldType(Cyclic(4), "1xregular")
    x = torch.randn(2, 4, 15, 15, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for options in ({"stride": 2}, {"dilation": 2}, {"padding": 0}, {"boundary": "periodic"}):
        conv = GridConv(fields, fields, 3, kernel=Differential(max_order=2), **options, **DOUBLE)
        kernel, bias = conv.sampled(conv.sliding.stencil)
        s = conv.sliding
        padded = F.pad(x, [s.padding[0]] * 4, mode="circular" if s.boundary == "periodic" else "constant")
        assert relative(conv(x), F.conv2d(padded, kernel, bias, s.stride, 0, s.dilation)) < EXACT
        rotated = torch.rot90(x, 1, (-2, -1))[:, [3, 0, 1, 2]]
        assert relative(conv(rotated), torch.rot90(conv(x), 1, (-2, -1))[:, [3, 0, 1, 2]]) < EXACT
    up = GridConvTranspose(fields, fields, 3, kernel=Differential(max_order=2), **DOUBLE)
    assert up(x).shape == (2, 4, 29, 29)
    mirrored = FieldType(Dihedral(4), "1xregular")
    conv = GridConv(mirrored, mirrored, 3, kernel=Differential(), boundary="reflect", **DOUBLE)
    x = torch.randn(1, 8, 9, 9, dtype=torch.float64)
    s = Dihedral(4).elements()[1]
    moved = mirrored.transform(s, torch.rot90(x, 1, (-2, -1)))
    assert relative(conv(moved), mirrored.transform(s, torch.rot90(conv(x), 1, (-2, -1)))) < EXACT


def test_the_charts_of_the_icosphere():
    """Off the 12 corners and their neighbours the layer is that on the gauge graph, for orders above 0."""
    sphere, fields = Icosphere(3), FieldType(Cyclic(6), "1xregular")
    conv = GaugeConv(fields, fields, kernel=Differential(), bias=False, **DOUBLE)
    with torch.no_grad():
        for p in conv.kernels.pairs:
            p.weight(conv.weight).mul_(float(p.key[0] > 0))
    x = torch.randn(sphere.num_vertices, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    graph = sphere.gauge_graph(Cyclic(6))
    inside = graph.edge_index[1].bincount() == 6  # edges from corners come once for every orientation
    assert (~inside).sum() == 12 * 6
    on_charts, on_graph = conv(x, sphere), conv(x, graph)
    assert relative(on_charts[inside], on_graph[inside]) < EXACT


def test_log_maps_with_gradients():
    """The fit in PyTorch is the compiled one, and its derivative is right."""
    graph = cloud(SO2(), 40, 12)
    fields = FieldType(SO2(), "1x0 + 1x1")
    conv = GaugeConv(fields, fields, kernel=Differential(), **DOUBLE)
    x = features(conv, graph)
    expected = conv(x, graph)
    moved = graph.clone()
    moved.log_map = graph.log_map.clone().requires_grad_()
    found = conv(x, moved)
    assert relative(found.detach(), expected.detach()) < 1e-10
    (slope,) = torch.autograd.grad(found.square().sum(), moved.log_map)
    step = 1e-5 * torch.randn(graph.log_map.shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    values = []
    for sign in (1, -1):
        other = graph.clone()
        other.log_map = graph.log_map + sign * step
        values.append(conv(x, other).square().sum())
    assert ((values[0] - values[1]) / 2).item() == pytest.approx((slope * step).sum().item(), rel=1e-5)
    v = torch.rand(60, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    v[::12] = 0
    indptr = torch.tensor([0, 12, 24, 36, 40, 60])
    jets = local_jets(v, indptr, degree=3)
    assert len(jets.degree.unique()) > 1
    assert relative(differentiable_rows(v, indptr, jets, uniform=False), jets.rows) < 1e-8


@newer_than_torch_2_6
def test_precision_copies_and_graphs_of_code():
    graph, fields = mesh_graph(), FieldType(SO2(), "2x0 + 2x1")
    conv = GaugeConv(fields, fields, kernel=Differential(), **DOUBLE)
    x = features(conv, graph)
    y = conv(x, graph)
    for other in (copy.deepcopy(conv), pickle.loads(pickle.dumps(conv))):
        assert torch.equal(other(x, graph), y)
    assert set(conv.state_dict()) == {"weight", "bias.bias"}
    single = copy.deepcopy(conv).float()
    assert relative(single(x.float(), graph.astype(torch.float32)).double(), y) < 1e-4
    with torch.autocast("cpu", torch.bfloat16):
        assert relative(single(x.bfloat16(), graph.astype(torch.float32)).double(), y) < TOL[torch.bfloat16]
    to_numbers = torch.randn(
        4, *y.shape, generator=torch.Generator().manual_seed(0), **DOUBLE
    )  # each output would be a backward pass

    def numbers(weight: torch.Tensor) -> torch.Tensor:
        return (to_numbers * torch.func.functional_call(conv, {"weight": weight}, (x, graph))).sum((1, 2))

    assert torch.autograd.gradcheck(numbers, conv.weight)
    prepared = prepare_graph(conv, x, graph)
    assert relative(conv(x, prepared), y) < EXACT
    assert relative(torch.compile(conv, fullgraph=True, backend="eager")(x, prepared), y) < EXACT
    assert relative(torch.export.export(conv, (x, prepared)).module()(x, prepared), y) < EXACT


def test_jets_are_computed_once_for_all_layers():
    graph, calls = mesh_graph(), []
    import gaugenet.kernels.jets as module

    original = module.local_jets
    module.local_jets = lambda *a, **k: calls.append(1) or original(*a, **k)
    try:
        for spec in ("1x0", "1x1", "1x2 + 1x0"):
            fields = FieldType(SO2(), spec)
            conv = GaugeConv(fields, fields, kernel=Differential(), **DOUBLE)
            conv(features(conv, graph), graph)
    finally:
        module.local_jets = original
    assert len(calls) == 1


def test_what_a_graph_cannot_carry():
    fields = FieldType(Trivial(2), "1x0")
    x = torch.randn(50, 2, generator=torch.Generator().manual_seed(0))
    few = PointCloud(x).gauge_graph(Trivial(2), neighbors=4)
    with pytest.raises(ValueError, match=r"order 2 are not determined at 50 of 50 points.*`radius`"):
        GaugeConv(fields, fields, kernel=Differential(max_order=2))(torch.randn(50, 1), few)
    assert GaugeConv(fields, fields, kernel=Differential(max_order=1))(torch.randn(50, 1), few).shape == (50, 1)
    alone = few.clone()
    for name in ("log_map", "transporter", "weight"):
        alone[name] = alone[name][:0]
    alone.edge_index = alone.edge_index[:, :0]
    with pytest.raises(ValueError, match="50 points without edges"):
        GaugeConv(fields, fields, kernel=Differential(max_order=1))(torch.randn(50, 1), alone)
    with pytest.raises(ValueError, match="3 x 3 pixels does not determine derivatives of order 3"):
        GridConv(fields, fields, 3, kernel=Differential(max_order=3))(torch.randn(1, 1, 9, 9))
    with pytest.raises(ValueError, match="`degree` of at least `max_order` = 3"):
        DifferentialSpace(fields, fields, max_order=3, degree=2)
    with pytest.raises(ValueError, match="`accuracy` is for"):
        Differential(accuracy=2).space(fields, fields)
    with pytest.raises(ValueError, match="`width` is for"):
        Differential(discretization="differences", width=1.0).space(fields, fields)
    with pytest.raises(ValueError, match="at least two kernel families"):
        KernelSum(Harmonic())


def test_no_points():
    fields = FieldType(SO2(), "1x0 + 1x1")
    conv = GaugeConv(fields, fields, kernel=Differential())
    empty = GaugeGraph(
        edge_index=torch.zeros(2, 0, dtype=torch.long), log_map=torch.zeros(0, 2), transporter=torch.zeros(0, 2, 2),
        weight=torch.zeros(0), frame=torch.zeros(0, 2, 2), pos=torch.zeros(0, 2), mass=torch.zeros(0),
        radius=torch.ones(1), structure="SO(2)",
    )  # fmt: skip
    assert conv(torch.zeros(0, 3), empty).shape == (0, 3)


def test_the_parts_of_a_sum_are_those_of_the_families():
    """The sum of a harmonic and a differential kernel, with the weights of each, is the sum of their convolutions."""
    graph, fields = mesh_graph(), FieldType(SO2(), "1x0 + 1x1")
    families = Harmonic(rings=2, max_frequency=2), Differential(max_order=2)
    both = GaugeConv(fields, fields, kernel=KernelSum(*families), bias=False, **DOUBLE)
    parts = [GaugeConv(fields, fields, kernel=f, bias=False, self_interaction=False, **DOUBLE) for f in families]
    with torch.no_grad():
        for part, w in zip(parts, both.kernels.split(both.weight), strict=True):
            part.weight.copy_(w)
    x = features(both, graph)
    assert relative(both(x, graph), parts[0](x, graph) + parts[1](x, graph)) < EXACT
    image = torch.randn(1, 3, 9, 9, dtype=torch.float64)
    grid = Grid((9, 9), kernel_size=5)
    assert relative(both(image, grid), parts[0](image, grid) + parts[1](image, grid)) < EXACT
    assert eval(repr(KernelSum(*families))) == KernelSum(*families)


def test_neighborhoods_are_plain_arrays():
    """The space needs no geometry: rows, the point itself first."""
    fields = FieldType(SO2(), "1x0")
    space = DifferentialSpace(fields, FieldType(SO2(), "1x1"), max_order=1)
    v = torch.tensor([[0.0, 0], [1, 0], [-1, 0], [0, 1], [0, -1], [0.7, 0.7]])
    rows = Neighborhood(v, torch.zeros(6), torch.arange(6), torch.tensor([0, 6]), torch.ones(6))
    assert torch.allclose(space.coefficients(rows).T @ v.double(), torch.eye(2).double() / 2, atol=1e-12)

"""The charts engine: the gauge graph's answer at every vertex, equivariant under the 60 rotations, and transfers."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from gaugenet.geometry import Icosphere, icosahedral_rotations
from gaugenet.geometry.icosphere.icosphere import HexagonalStencil
from gaugenet.groups import SO2, Cyclic, Dihedral, FieldType
from gaugenet.nn import ChartBatchNorm, FieldBatchNorm, GaugeConv, Pool, Unpool
from gaugenet.nn.engines import chart_factors, charts, grid_factors
from gaugenet.nn.engines._chart_transfer import project_corners
from tests.compilers import newer_than_torch_2_6
from tests.tolerances import TOL, relative

C6 = Cyclic(6)
EXACT = TOL[torch.float64]
MIXED = "2x0 + 1x1 + 2xregular + 1x2 + 1x3"
TYPES = [
    (C6, "3xregular", "3xregular"),
    (C6, MIXED, "1x0 + 2x1 + regular + 1x3"),
    (C6, "3x0", "2xregular"),
    (C6, "2xregular", "2x0"),
    (Dihedral(6), "1x0 + 1xregular", "1xregular"),
    (SO2(), "2x0 + 2x1 + 1x2", "1x0 + 1x1"),
]


def layer(group, in_type: str, out_type: str, **options) -> GaugeConv:
    torch.manual_seed(0)
    conv = GaugeConv(FieldType(group, in_type), FieldType(group, out_type), **options).double()
    torch.nn.init.normal_(conv.bias.bias)
    return conv


def field(field_type: FieldType, sphere: Icosphere, *, seed: int = 0) -> torch.Tensor:
    """Random, invariant at the corners, `(V, C)`."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(sphere.num_vertices, field_type.size, generator=generator, dtype=torch.float64)
    return sphere.from_charts(project_corners(sphere.to_charts(x.T[None]), field_type, sphere))[0].T


# --- agreement with the general engine ----------------------------------------------------------------------------


@pytest.mark.parametrize(("level", "rings"), [(0, 1), (1, 1), (2, 1), (2, 2), (3, 2)])
@pytest.mark.parametrize(("group", "in_type", "out_type"), TYPES)
def test_charts_equal_the_gauge_graph_at_every_vertex(group, in_type, out_type, level, rings):
    sphere, conv = Icosphere(level, neighborhood=rings), layer(group, in_type, out_type)
    x = torch.randn(sphere.num_vertices, conv.in_type.size, dtype=torch.float64)
    expected = conv(x, sphere.gauge_graph(group))
    assert relative(conv(x, sphere), expected) < EXACT
    if level > 0:
        assert relative(conv(x, sphere.strided()), expected[sphere.coarse_vertices]) < EXACT


@pytest.mark.parametrize("stride", [1, 2])
def test_gradients_equal_those_of_the_gauge_graph(stride):
    sphere, conv = Icosphere(2), layer(C6, MIXED, "2xregular + 1x1")
    domain = sphere if stride == 1 else sphere.strided()
    sampled_kernels = slice(None) if stride == 1 else sphere.coarse_vertices
    x = torch.randn(sphere.num_vertices, conv.in_type.size, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(
        len(torch.arange(sphere.num_vertices)[sampled_kernels]), conv.out_type.size, dtype=torch.float64
    )

    def gradients(out: torch.Tensor) -> list[torch.Tensor]:
        return list(torch.autograd.grad((out * weight).sum(), [x, *conv.parameters()]))

    expected = gradients(conv(x, sphere.gauge_graph(C6))[sampled_kernels])
    for found, other in zip(gradients(conv(x, domain)), expected):
        assert relative(found, other) < EXACT


def test_gradcheck():
    sphere, conv = Icosphere(1), layer(C6, "1x0 + 1x1", "1xregular")
    x = torch.randn(1, conv.in_type.size, *sphere.chart_shape, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: conv(x, sphere), x, fast_mode=True)


@pytest.mark.parametrize(("in_type", "out_type"), [("2x0 + 1x1", "1xregular + 1x3"), ("1x1", "1x0")])
@pytest.mark.parametrize("rings", [1, 2])
def test_sides_from_the_basis_are_those_of_the_kernel(in_type, out_type, rings, monkeypatch):
    """Compilers get the latter; there are no kernels of one ring between some pairs of blocks."""
    sphere, conv = Icosphere(2, neighborhood=rings), layer(C6, in_type, out_type)
    found = []
    for way in (charts.all_at_once, lambda *_: None):
        monkeypatch.setattr(charts, "all_at_once", way)
        conv.zero_grad()
        out = conv(field(conv.in_type, sphere), sphere)
        out.square().sum().backward()
        found.append([out, *(p.grad for p in conv.parameters() if p.numel())])
    assert all(relative(a, b) < EXACT for a, b in zip(*found, strict=True))


def test_the_sides_are_not_for_nothing():
    """Control: the same kernel on the stacked charts without the sides is wrong along them, and only there."""
    sphere, conv = Icosphere(3), layer(C6, "2xregular", "2xregular")
    x = field(conv.in_type, sphere)
    kernel, bias = conv.sampled(HexagonalStencil())
    plain = sphere.from_charts(F.conv2d(sphere.to_charts(x.T[None]), kernel, bias, padding=1))[0].T
    wrong = (plain - conv(x, sphere)).abs().amax(1) > EXACT
    row, column = torch.arange(640).div(16, rounding_mode="floor") % 8, torch.arange(640) % 16
    side = (row == 0) | (row == 7) | (column == 0) | (column == 15)
    beside_corner = torch.isin(torch.arange(640), torch.cat([sphere.corners[:10] + k for k in (1, 16, 17, -1)]))
    assert not wrong[:640][~side & ~beside_corner].any()
    assert wrong[:640][side].float().mean() > 0.8


def test_layouts_agree():
    sphere, conv = Icosphere(2), layer(C6, "2x0 + 1x1", "1xregular")
    x = torch.randn(3, conv.in_type.size, sphere.num_vertices, dtype=torch.float64)
    batched = conv(x, sphere)
    assert batched.shape == (3, 6, sphere.num_vertices)
    assert relative(conv(x[1].T, sphere).T, batched[1]) < EXACT
    assert relative(sphere.from_charts(conv(sphere.to_charts(x), sphere)), batched) < EXACT
    contiguous = sphere.to_charts(x).to(memory_format=torch.channels_last)
    assert conv(contiguous, sphere).is_contiguous(memory_format=torch.channels_last)


def test_unused_cells_of_the_layout_touch_nothing():
    sphere, conv = Icosphere(2), layer(C6, "2x0", "1xregular")
    x = sphere.to_charts(torch.randn(1, 2, sphere.num_vertices, dtype=torch.float64))
    noisy = x.clone()
    noisy[:, :, -1, 2:] = torch.randn_like(noisy[:, :, -1, 2:])
    for domain in (sphere, sphere.strided()):
        assert relative(domain.out.from_charts(conv(noisy, domain)), domain.out.from_charts(conv(x, domain))) < EXACT


def test_the_second_ring_is_the_hexagonal_lattice_inside_a_chart():
    """Its kernel is K in the lattice: a function of position gives the sum over the eighteen places themselves."""
    sphere, scalar = Icosphere(3, neighborhood=2), FieldType(C6, "1x0")
    conv = GaugeConv(scalar, scalar, rings=2, bias=False, self_interaction=False).double()
    row, column = torch.meshgrid(*(torch.arange(n, dtype=torch.float64) for n in sphere.chart_shape), indexing="ij")
    x, y = row - column / 2, column * 3**0.5 / 2
    found = conv((x * y + y**2)[None, None], sphere)[0, 0, 12, 4]
    near = [(a, b) for a in range(-2, 3) for b in range(-2, 3) if 0 < a * a - a * b + b * b <= 4]
    assert len(near) == 18
    positions = torch.tensor([(a - b / 2, b * 3**0.5 / 2) for a, b in near], dtype=torch.float64)
    values = (x[12, 4] + positions[:, 0]) * (y[12, 4] + positions[:, 1]) + (y[12, 4] + positions[:, 1]) ** 2
    kernel = conv.kernels.evaluate(conv.weight, positions / 2)[:, 0, 0]
    assert relative(found, (kernel * values).sum() / 19) < EXACT


def test_flat_reduction_inside_a_chart():
    """Away from the sides it is torch's convolution with K sampled in the six directions."""
    sphere, conv = Icosphere(3), layer(C6, "2x0", "2x0")
    x = torch.randn(1, 2, *sphere.chart_shape, dtype=torch.float64)
    angle = torch.arange(6, dtype=torch.float64) * torch.pi / 3
    six = conv.kernels.evaluate(conv.weight, 0.5 * torch.stack([angle.cos(), angle.sin()], 1)) / 7
    kernel = torch.zeros(2, 2, 3, 3, dtype=torch.float64)
    for k, (a, b) in enumerate([(1, 0), (1, 1), (0, 1), (-1, 0), (-1, -1), (0, -1)]):
        kernel[:, :, a + 1, b + 1] = six[k]
    kernel[:, :, 1, 1] = conv.self_interaction.matrix()
    expected = F.conv2d(x, kernel, conv.bias.vector(), padding=1)
    inside = (..., slice(10, 15), slice(2, 7))
    assert relative(conv(x, sphere)[inside], expected[inside]) < EXACT


# --- equivariance -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("level", "rings"), [(1, 1), (2, 1), (2, 2)])
@pytest.mark.parametrize(("group", "in_type", "out_type"), TYPES)
def test_equivariant_under_sixty_rotations_at_every_vertex(group, in_type, out_type, level, rings):
    sphere, conv = Icosphere(level, neighborhood=rings), layer(group, in_type, out_type)
    x = field(conv.in_type, sphere)
    y = conv(x, sphere)
    for r in icosahedral_rotations(sphere):
        assert relative(conv(r.apply(conv.in_type, x), sphere), r.apply(conv.out_type, y)) < EXACT


def test_rotations_without_turning_the_fibres_are_no_symmetry():
    sphere, conv = Icosphere(2), layer(C6, "2xregular", "2xregular")
    x = field(conv.in_type, sphere)
    y = conv(x, sphere)

    def moved(r, f):
        return torch.empty_like(f).index_copy(0, r.permutation, f)

    errors = [relative(conv(moved(r, x), sphere), moved(r, y)) for r in icosahedral_rotations(sphere)]
    assert sum(e > 0.1 for e in errors) == 55, "control: all but the five about the poles, which turn no frame"


def test_a_kernel_that_is_not_steerable_is_not_equivariant(monkeypatch):
    monkeypatch.setattr(charts, "all_at_once", lambda *_: None)
    sphere, conv = Icosphere(2), layer(C6, "2xregular", "2xregular")
    x, r = field(conv.in_type, sphere), icosahedral_rotations(sphere)[17]
    kernel, bias = conv.sampled(HexagonalStencil())
    conv.sampled = lambda stencil: (kernel * torch.linspace(0.5, 1.5, 3, dtype=kernel.dtype), bias)
    assert relative(conv(r.apply(conv.in_type, x), sphere), r.apply(conv.out_type, conv(x, sphere))) > 0.01


def test_mirror_images_are_a_symmetry_of_dihedral_kernels_only():
    """A reflection of the sphere that fixes the icosahedron: C_6 has a handedness, as cyclones do; D_6 has none."""
    sphere = Icosphere(2)
    mirror = torch.tensor([1.0, -1.0, 1.0], dtype=torch.float64)
    image = torch.cdist(sphere.pos * mirror, sphere.pos).argmin(1)

    def error(group) -> float:
        first, second = layer(group, "1x0", "2xregular"), layer(group, "2xregular", "1x0")
        x = field(first.in_type, sphere)

        def network(x):
            return second(torch.relu(first(x, sphere)), sphere)

        return relative(network(x[image]), network(x)[image])

    assert error(Dihedral(6)) < EXACT
    assert error(C6) > 1e-3


def test_corners_hold_invariants():
    sphere, conv = Icosphere(2), layer(C6, "2xregular", MIXED)
    y = conv(field(conv.in_type, sphere), sphere)[sphere.corners]
    for g in C6.elements():
        assert relative(conv.out_type.transform(g, y), y) < EXACT


def test_no_weight_is_dead_on_the_hexagon_but_those_of_the_odd_wave():
    """K has 36 free values for each pair of regular fields; C_6 harmonics up to frequency 3 span them, with 6 more
    that tell cos 3t from sin 3t, which needs other directions than these six."""
    conv = layer(C6, "1xregular", "1xregular", rings=1)
    jacobian = torch.func.jacrev(lambda w: conv.kernels.evaluate(w, HexagonalStencil().offsets[[0, 1, 3, 5, 7, 8]]))
    singular = torch.linalg.svdvals(jacobian(conv.weight).flatten(0, -2))
    assert conv.kernels.num_weights == 42
    assert int((singular > 1e-10).sum()) == 36


# --- levels -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", [1, 2, 3])
def test_pool_and_unpool_commute_with_the_rotations(level):
    fine = Icosphere(level)
    coarse = fine.coarser()
    field_type = FieldType(C6, MIXED)
    down, up = Pool(field_type), Unpool(field_type)
    x, y = field(field_type, fine), field(field_type, coarse)
    pooled, unpooled = down(x, fine), up(y, fine)
    assert pooled.shape == y.shape
    assert unpooled.shape == x.shape
    for a, b in zip(icosahedral_rotations(fine), icosahedral_rotations(coarse)):
        assert relative(down(a.apply(field_type, x), fine), b.apply(field_type, pooled)) < EXACT
        assert relative(up(b.apply(field_type, y), fine), a.apply(field_type, unpooled)) < EXACT


def test_unpool_takes_midpoints_and_pool_keeps_constants():
    fine = Icosphere(3)
    scalars = FieldType(C6, "3x0")
    middle = Unpool(scalars)(fine.coarser().pos, fine)
    assert relative(middle / middle.norm(dim=1, keepdim=True), fine.pos) < EXACT
    ones = torch.ones(fine.num_vertices, 3, dtype=torch.float64)
    assert relative(Pool(scalars)(ones, fine), ones[: fine.coarser().num_vertices]) < EXACT
    assert relative(Pool(scalars)(fine.pos, fine), fine.coarser().pos) < 0.02


def test_chart_batch_norm_is_that_of_the_vertices():
    """The statistics of `FieldBatchNorm` over the vertices as plain points, whatever stands in the unused cells."""
    sphere, field_type = Icosphere(2), FieldType(C6, "2xregular + 3x0")
    x = torch.randn(4, field_type.size, sphere.num_vertices, dtype=torch.float64) * 3 + 1
    norm, other = ChartBatchNorm(field_type).double(), FieldBatchNorm(field_type).double()
    for parameter in norm.parameters():
        torch.nn.init.normal_(parameter)
    other.load_state_dict(norm.state_dict())
    charts = sphere.to_charts(x)
    charts[:, :, -1, 2:] = 100
    found = sphere.from_charts(norm(charts))
    expected = other(x.transpose(1, 2).flatten(0, 1)).unflatten(0, (4, -1)).transpose(1, 2)
    assert relative(found, expected) < EXACT
    assert relative(norm.running_var, other.running_var) < EXACT
    assert relative(norm.eval()(charts)[..., :-1, :], sphere.to_charts(other.eval()(x))[..., :-1, :]) < EXACT
    with pytest.raises(ValueError, match="regular, quotient or trivial"):
        ChartBatchNorm(FieldType(C6, "2x1"))


# --- a module like others -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_precisions(dtype):
    sphere, conv = Icosphere(2), layer(C6, "2xregular", "1xregular")
    x = field(conv.in_type, sphere)
    expected = conv(x, sphere)
    assert relative(copy.deepcopy(conv).to(dtype)(x.to(dtype), sphere).double(), expected) < TOL[dtype]


class Operands(TorchDispatchMode):
    """The precisions of all floating-point tensors that the operators of the engine are given."""

    def __init__(self) -> None:
        super().__init__()
        self.dtypes: dict[str, set[torch.dtype]] = {}

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function.namespace == "gaugenet":
            given = {t.dtype for t in args if isinstance(t, torch.Tensor) and t.is_floating_point()}
            self.dtypes.setdefault(function._opname, set()).update(given)
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("strided", [False, True])
def test_autocast_runs_all_three_convolutions_in_bfloat16(strided):
    """Forward, gradient of the features, gradient of the kernel; parameters keep float32, and the answer is right."""
    sphere, conv = Icosphere(3), layer(C6, MIXED, "2xregular")
    domain = sphere.strided() if strided else sphere
    x = sphere.to_charts(field(conv.in_type, sphere).T[None]).requires_grad_()
    weight = (
        torch.randn_like(conv(x, domain)) * domain.out.to_charts(torch.ones(1, 1, domain.out.num_vertices)).double()
    )

    def gradients(conv, x) -> list[torch.Tensor]:
        return list(torch.autograd.grad((conv(x, domain) * weight.to(x)).sum(), [x, *conv.parameters()]))

    expected = gradients(conv, x)
    single, narrow = copy.deepcopy(conv).float(), x.detach().float().requires_grad_()
    with Operands() as operands, torch.autocast("cpu", torch.bfloat16):
        found = gradients(single, narrow)
    assert operands.dtypes == {"chart_conv": {torch.bfloat16}, "chart_conv_backward": {torch.bfloat16}}
    for got, exact in zip(found, expected, strict=True):
        assert got.dtype == torch.float32
        assert relative(got.double(), exact) < TOL[torch.bfloat16]
    with torch.autocast("cpu", torch.bfloat16):
        assert conv(x, domain).dtype == torch.float64, "as in `conv2d`, autocast leaves double precision alone"


@newer_than_torch_2_6
def test_compiles_without_a_break():
    sphere, conv = Icosphere(1), layer(C6, "1x0", "1xregular")
    x = torch.randn(1, 1, *sphere.chart_shape, dtype=torch.float64).to(memory_format=torch.channels_last)
    compiled = torch.compile(conv, fullgraph=True, backend="aot_eager")
    assert relative(compiled(x, sphere), conv(x, sphere)) < EXACT


def test_wrong_arguments_are_named():
    sphere, conv = Icosphere(2), layer(C6, "2x0", "1x0")
    with pytest.raises(ValueError, match=r"Expected `x` of shape \(162, C\)"):
        conv(torch.randn(161, 2), sphere)
    with pytest.raises(ValueError, match="`neighborhood` 1, or 2 from level 2 on"):
        Icosphere(1, neighborhood=2)
    with pytest.raises(ValueError, match="C_6 is not a subgroup of C_4"):
        layer(Cyclic(4), "2x0", "1x0")(torch.randn(162, 2).double(), sphere)
    with pytest.raises(ValueError, match="channel groups"):
        layer(C6, "2x0", "2x0", groups=2)(torch.randn(162, 2).double(), sphere)


# --- scalars -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("out_type", ["3x0", "1x0 + 2x1 + 1xregular"])
@pytest.mark.parametrize("rings", [1, 2])
def test_scalars_may_be_aggregated_on_the_gauge_graph(monkeypatch, rings, out_type):
    """The same values and gradients as by a convolution of the charts, in every layout."""
    sphere, conv = Icosphere(2, neighborhood=rings), layer(C6, "4x0", out_type)
    by_vertex = torch.randn(3, sphere.num_vertices, 4, dtype=torch.float64).mT
    inputs = [by_vertex[0].mT, by_vertex, sphere.to_charts(by_vertex)]

    def results() -> list[torch.Tensor]:
        found = []
        for x in inputs:
            x = x.clone().requires_grad_()
            out = conv(x, sphere)
            values = sphere.from_charts(out) if x.dim() == 4 else out
            found += [values.detach(), *torch.autograd.grad(values.pow(3).sum(), [x, *conv.parameters()])]
        return found

    monkeypatch.setattr(grid_factors, "_MARGIN", 1e12)
    used = []
    convolve = chart_factors.convolve_vertices
    monkeypatch.setattr(chart_factors, "convolve_vertices", lambda *args: used.append(1) or convolve(*args))
    factorized = results()
    assert len(used) == 3
    monkeypatch.setattr(chart_factors, "pays", lambda *args: False)
    for ours, theirs in zip(factorized, results(), strict=True):
        assert relative(ours, theirs) < 10 * EXACT


def test_scalars_are_aggregated_where_it_is_faster():
    wide, regular = FieldType(C6, "96x0"), FieldType(C6, "16xregular")
    sphere, x = Icosphere(5), torch.randn(4, 96, Icosphere(5).num_vertices)
    assert chart_factors.pays(GaugeConv(wide, wide, rings=1), x, sphere)
    assert not chart_factors.pays(GaugeConv(regular, regular, rings=1), x, sphere), "needs transport"
    assert not chart_factors.pays(GaugeConv(wide, wide, rings=1), x, sphere.strided())

"""Convolution on grids: one `conv2d`, the same layer as on a graph, and exactly the symmetries of the pixels."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from gaugenet.geometry import Grid, Icosphere, TriangleMesh
from gaugenet.geometry.grids.action import FieldAction
from gaugenet.geometry.grids.stencil import mirror
from gaugenet.groups import O2, O3, SO2, SO3, Cyclic, Dihedral, FieldType, Trivial
from gaugenet.kernels.sampling import sample_at_once
from gaugenet.nn import GaugeConv, GridConv, GridConvTranspose, to_torch, use_engine
from tests.nn.layers import with_random_weights
from tests.tolerances import TOL, relative

EXACT = TOL[torch.float64]

TYPES_2D = [
    (Trivial(), "2x0", "3x0"),
    (SO2(), "2x0 + 2x1 + 1x2", "1x0 + 2x1"),
    (O2(), "2x0 + 1x0- + 1x1", "1x0 + 1x2"),
    (Cyclic(4), "2xregular + 1x1", "1xregular + 1x2"),
    (Cyclic(8), "2xregular", "1xregular + 1xquotient(C_2) + 1x3"),
    (Dihedral(4), "1xregular + 1x0-", "1xregular + 1x1"),
]
TYPES_3D = [(SO3(), "2x0 + 1x1", "1x0 + 1x1 + 1x2"), (O3(), "1x0 + 1x1o", "1x0 + 1x1o + 1x1e")]
QUARTER = torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=torch.float64)


def layer_on(kind: type, group, in_spec: str, out_spec: str, *args, **options) -> GaugeConv:
    torch.manual_seed(0)
    layer = kind(FieldType(group, in_spec), FieldType(group, out_spec), *args, dtype=torch.float64, **options)
    return with_random_weights(layer)


def fields(layer: GaugeConv, *shape: int, batch: int = 2) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(batch, layer.in_type.size, *shape, generator=generator, dtype=torch.float64)


def rotated(field_type: FieldType, x: torch.Tensor, g: torch.Tensor, axes=(-2, -1)) -> torch.Tensor:
    return field_type.transform(g, torch.rot90(x, 1, axes))


def on_graph(layer: GaugeConv, x: torch.Tensor, grid: Grid) -> torch.Tensor:
    graph = grid.gauge_graph()
    images = [layer(image.flatten(1).T.contiguous(), graph).T for image in x]
    return torch.stack(images).unflatten(2, grid.shape)


@pytest.mark.parametrize(("group", "in_spec", "out_spec"), TYPES_2D, ids=str)
@pytest.mark.parametrize("boundary", ["zeros", "periodic"])
def test_it_is_conv2d_with_the_sampled_kernel(group, in_spec, out_spec, boundary):
    """The kernel evaluated pixel by pixel, by its definition; K_self in the middle."""
    layer = layer_on(GaugeConv, group, in_spec, out_spec, rings=3)
    grid = Grid((7, 8), boundary=boundary, kernel_size=5, spacing=0.3)
    kernel = torch.zeros(layer.out_type.size, layer.in_type.size, 5, 5, dtype=torch.float64)
    for row in range(5):
        for column in range(5):
            v = 0.3 * torch.tensor([column - 2.0, 2.0 - row], dtype=torch.float64)  # x to the right, y up
            if 0 < v.norm() <= 0.75:
                kernel[..., row, column] = layer.kernels.evaluate(layer.weight, v / 0.75) / 21
    kernel[..., 2, 2] = layer.self_interaction.matrix()
    x = fields(layer, 7, 8)
    padded = F.pad(x, (2, 2, 2, 2), mode={"zeros": "constant", "periodic": "circular"}[boundary])
    expected = F.conv2d(padded, kernel, layer.bias.vector())
    assert relative(layer(x, grid), expected) < EXACT
    if not layer.in_type.is_invariant:
        control = F.conv2d(padded, kernel.flip(-2), layer.bias.vector())
        assert relative(layer(x, grid), control) > 0.1


@pytest.mark.parametrize(("group", "in_spec", "out_spec"), TYPES_2D, ids=str)
@pytest.mark.parametrize("boundary", ["zeros", "periodic", "reflect"])
def test_grids_and_gauge_graphs_are_one_space(group, in_spec, out_spec, boundary):
    layer = layer_on(GaugeConv, group, in_spec, out_spec)
    grid = Grid((6, 7), boundary=boundary, kernel_size=5, spacing=2.0)
    if boundary == "reflect" and group not in (O2(), Dihedral(4)):
        if not layer.in_type.is_invariant:
            with pytest.raises(ValueError, match="have no mirror image"):
                layer(fields(layer, 6, 7), grid)
        return
    if boundary == "reflect":
        grid = grid.replace(group=Dihedral(2))
    x = fields(layer, 6, 7).requires_grad_()
    results = [layer(x, grid), on_graph(layer, x, grid)]
    assert relative(*results) < EXACT
    targets = [x, *layer.parameters()]
    gradients = [torch.autograd.grad(y.sin().sum(), targets) for y in results]
    assert max(relative(a, b) for a, b in zip(*gradients)) < EXACT


@pytest.mark.parametrize(("group", "in_spec", "out_spec"), TYPES_3D, ids=str)
def test_volumes_and_gauge_graphs_are_one_space(group, in_spec, out_spec):
    layer = layer_on(GaugeConv, group, in_spec, out_spec)
    grid = Grid((4, 5, 6), kernel_size=3, spacing=(0.5, 0.5, 0.5))
    x = fields(layer, 4, 5, 6)
    assert relative(layer(x, grid), on_graph(layer, x, grid)) < EXACT
    slices = Grid((4, 5, 6), spacing=(1.0, 0.5, 0.5), radius=1.0)
    assert relative(layer(x, slices), on_graph(layer, x, slices)) < EXACT


def test_lines_and_gauge_graphs_are_one_space():
    layer = layer_on(GaugeConv, Trivial(1), "2x0", "3x0")
    grid = Grid((9,), kernel_size=5)
    x = fields(layer, 9)
    assert relative(layer(x, grid), on_graph(layer, x, grid)) < EXACT
    kernel, bias = layer.sampled(grid.stencil)
    assert relative(layer(x, grid), F.conv1d(x, kernel, bias, padding=2)) < EXACT


@pytest.mark.parametrize(("group", "in_spec", "out_spec"), TYPES_2D[1:], ids=str)
@pytest.mark.parametrize(
    ("kind", "shape", "options"),
    [
        (GridConv, (7, 8), {}),
        (GridConv, (7, 8), {"boundary": "periodic"}),
        (GridConv, (9, 7), {"stride": 2}),
        (GridConv, (10, 9), {"dilation": 2, "padding": 1}),
        (GridConv, (7, 6), {"padding": 0}),
        (GridConvTranspose, (4, 5), {"stride": 2}),
        (GridConvTranspose, (4, 3), {"stride": 3, "padding": 1}),
    ],
    ids=str,
)
def test_rotations_by_90_degrees_are_exact(group, in_spec, out_spec, kind, shape, options):
    layer = layer_on(kind, group, in_spec, out_spec, 5, **options)
    x = fields(layer, *shape)
    expected = rotated(layer.out_type, layer(x), QUARTER)
    assert relative(layer(rotated(layer.in_type, x, QUARTER)), expected) < EXACT
    clockwise = rotated(layer.in_type, x, QUARTER.T)  # the image rotates one way, its vectors the other
    if not layer.in_type.is_invariant:
        assert relative(layer(clockwise), expected) > 0.1


@pytest.mark.parametrize(("group", "in_spec", "out_spec"), [TYPES_2D[2], TYPES_2D[5]], ids=str)
@pytest.mark.parametrize("boundary", ["zeros", "periodic", "reflect"])
def test_flips_are_exact(group, in_spec, out_spec, boundary):
    layer = layer_on(GridConv, group, in_spec, out_spec, 5, boundary=boundary)
    x = fields(layer, 6, 7)
    for axis in (0, 1):
        s = mirror(axis, 2)
        expected = layer.out_type.transform(s, layer(x).flip(axis + 2))
        assert relative(layer(layer.in_type.transform(s, x.flip(axis + 2))), expected) < EXACT
    assert relative(layer(x.flip(2)), expected) > 0.1


def test_control_flips_are_no_symmetry_of_rotations_alone():
    layer = layer_on(GridConv, SO2(), "2x0 + 1x1", "2x0", 5)
    x = fields(layer, 6, 7)
    flipped = O2().representation("1")(mirror(0, 2))
    x_flipped = x.flip(2)
    x_flipped[:, 2:] = torch.einsum("ij,bjhw->bihw", flipped, x_flipped[:, 2:])
    assert relative(layer(x_flipped), layer(x).flip(2)) > 0.1


@pytest.mark.parametrize(("group", "in_spec", "out_spec"), TYPES_3D, ids=str)
@pytest.mark.parametrize(("axes", "plane"), [((-2, -1), (0, 1)), ((-3, -2), (1, 2)), ((-3, -1), (2, 0))])
def test_rotations_of_volumes_are_exact(group, in_spec, out_spec, axes, plane):
    layer = layer_on(GridConv, group, in_spec, out_spec, 3)
    x = fields(layer, 4, 5, 6, batch=1)
    i, j = plane
    g = torch.eye(3, dtype=torch.float64)
    g[i, i] = g[j, j] = 0
    g[j, i], g[i, j] = 1, -1
    expected = rotated(layer.out_type, layer(x), g, axes)
    assert relative(layer(rotated(layer.in_type, x, g, axes)), expected) < EXACT
    assert relative(layer(rotated(layer.in_type, x, g.T, axes)), expected) > 0.1
    if group == O3():
        s = mirror(0, 3)
        expected = layer.out_type.transform(s, layer(x).flip(2))
        assert relative(layer(layer.in_type.transform(s, x.flip(2))), expected) < EXACT


def test_a_mirror_unfolds_to_a_torus():
    """Reflected by rho(s) at both ends, a field is one on a torus of twice the size; conv commutes with unfolding."""
    layer = layer_on(GridConv, Dihedral(4), "1xregular + 1x1", "2x1", 5, boundary="reflect")
    torus = layer_on(GridConv, Dihedral(4), "1xregular + 1x1", "2x1", 5, boundary="periodic")
    x = fields(layer, 6, 7)
    unfolded = x
    for axis in (0, 1):
        middle = unfolded.narrow(axis + 2, 1, unfolded.shape[axis + 2] - 2).flip(axis + 2)
        unfolded = torch.cat([unfolded, layer.in_type.transform(mirror(axis, 2), middle)], axis + 2)
    assert unfolded.shape[2:] == (10, 12)
    assert relative(layer(x), torus(unfolded)[..., :6, :7]) < EXACT
    plain = F.pad(x, (2, 2, 2, 2), mode="reflect")
    kernel, bias = layer.sampled(layer.sliding.stencil)
    assert relative(layer(x), F.conv2d(plain, kernel, bias)) > 0.1  # vectors in a mirror point the other way


@pytest.mark.parametrize("groups", [2, 4])
def test_channel_groups_are_separate_layers(groups):
    """A grouped layer is that many smaller ones, on grids and on graphs, strided and transposed."""
    in_spec, out_spec = "4xregular + 4x1", "8x0 + 4x1"
    layer = layer_on(GaugeConv, Cyclic(4), in_spec, out_spec, groups=groups)
    x = fields(layer, 6, 7)
    grid = Grid((6, 7))
    assert relative(layer(x, grid), on_graph(layer, x, grid)) < EXACT

    moved = x.clone()
    first = layer.in_type.blocks[0]
    moved[:, first.start] += 1  # component 0 of field 0: of the first group
    changed = (layer(moved, grid) - layer(x, grid)).abs().amax((0, 2, 3)) > 1e-9
    per_group = torch.cat(
        [
            torch.arange(b.multiplicity).repeat(b.representation.dim) * groups // b.multiplicity
            for b in layer.out_type.blocks
        ]
    )
    assert changed[per_group == 0].all()
    assert not changed[per_group != 0].any()

    part = GaugeConv(layer.kernels.in_type, layer.kernels.out_type)
    assert layer.weight.numel() == groups * part.weight.numel()
    for kind, options in ((GridConv, {"stride": 2}), (GridConvTranspose, {})):
        other = layer_on(kind, Cyclic(4), in_spec, out_spec, 3, groups=groups, **options)
        x = fields(other, 5, 5)
        assert relative(other(rotated(other.in_type, x, QUARTER)), rotated(other.out_type, other(x), QUARTER)) < EXACT


@pytest.mark.parametrize(("shape", "stride"), [((9, 7), 2), ((8, 10), 2), ((11, 8), 3)])
def test_transposed_convolution_by_its_sum(shape, stride):
    """out(p) = sum over coarse pixels q of w K(q - p) x(q); the coarse pixels lie in the middle of the box."""
    layer = layer_on(GaugeConv, SO2(), "1x0 + 1x1", "1x0 + 1x1")
    down = Grid(shape, kernel_size=5, stride=stride)
    up = down.replace(transposed=True)
    coarse = fields(layer, *up.in_shape, batch=1)
    got = layer(coarse, up)
    assert got.shape[2:] == shape
    stuffed = torch.zeros(1, layer.in_type.size, *shape, dtype=torch.float64)
    added = [n - (m - 1) * stride - 1 for n, m in zip(shape, up.in_shape, strict=True)]
    starts = list(itertools.product(*[(n // 2, n - n // 2) for n in added]))
    for rows, columns in starts:
        stuffed[..., rows::stride, columns::stride][..., : coarse.shape[2], : coarse.shape[3]] += coarse / len(starts)
    padded = F.pad(stuffed, [10] * 4)  # beyond the border there are coarse pixels only if the window is cut off
    expected = layer(stride**2 * padded, Grid(padded.shape[2:], kernel_size=5))[..., 10:-10, 10:-10]
    assert relative(got, expected) < EXACT


@pytest.mark.parametrize("shape", [(8, 8), (9, 9), (8, 11), (7, 10)])
@pytest.mark.parametrize(("stride", "dilation"), [(2, 1), (3, 1), (2, 2)])
def test_transposed_convolutions_keep_the_symmetries_for_all_sizes(shape, stride, dilation):
    """A domain, and a layer with output padding; both are the transpose of the strided convolution."""
    layer = layer_on(GridConvTranspose, Dihedral(4), "1xregular + 1x1", "1x0- + 1x1", 3, stride=stride)
    up = Grid(shape, kernel_size=3, stride=stride, dilation=dilation, transposed=True)
    coarse = fields(layer, *up.in_shape)
    fine = layer(coarse, up)
    assert fine.shape[2:] == shape
    turned = Grid(shape[::-1], kernel_size=3, stride=stride, dilation=dilation, transposed=True)
    got = layer(rotated(layer.in_type, coarse, QUARTER), turned)
    assert relative(got, rotated(layer.out_type, fine, QUARTER)) < EXACT
    flip = mirror(1, 2)
    got = layer(layer.in_type.transform(flip, coarse.flip(-1)), up)
    assert relative(got, layer.out_type.transform(flip, fine.flip(-1))) < EXACT

    down = up.replace(transposed=False)
    scalars = layer_on(GaugeConv, Dihedral(4), "1x0", "1x0", bias=False)  # kernels equal to their transpose
    x, y = fields(scalars, *shape), fields(scalars, *up.in_shape)
    assert relative((scalars(x, down) * y).sum() * stride**2, (scalars(y, up) * x).sum()) < EXACT


@pytest.mark.parametrize("stride", [2, 3])
def test_output_padding_is_shared_between_both_ends(stride):
    added = stride - 1
    layer = layer_on(GridConvTranspose, Cyclic(4), "2xregular", "2x1", 5, stride=stride, output_padding=added, groups=2)
    x = fields(layer, 6, 5)
    fine = layer(x)
    assert (
        fine.shape[2:] == nn.ConvTranspose2d(1, 1, 5, stride, 2, output_padding=added)(torch.rand(1, 1, 6, 5)).shape[2:]
    )
    got = layer(rotated(layer.in_type, x, QUARTER))
    assert relative(got, rotated(layer.out_type, fine, QUARTER)) < EXACT
    assert relative(to_torch(layer, x)(x), fine) < EXACT
    plain = layer_on(GridConvTranspose, Trivial(), "2x0", "2x0", 5, stride=stride, output_padding=added)
    x = fields(plain, 6, 5)
    kernel, bias = plain.sampled(plain.sliding.stencil)
    kernel = stride**2 * kernel.transpose(0, 1).flip(-2, -1)
    assert relative(plain(x), F.conv_transpose2d(x, kernel, bias, stride, 2, added)) < EXACT  # nothing to keep


def test_wrapper_and_domain_are_one_layer():
    for kind, shape, options, grid in (
        (GridConv, (9, 8), {"stride": 2, "dilation": 2}, {"stride": 2, "dilation": 2}),
        (GridConv, (9, 8), {"padding": 0, "boundary": "periodic"}, {"padding": 0, "boundary": "periodic"}),
        (GridConvTranspose, (5, 4), {"stride": 2, "output_padding": (0, 1)}, {"stride": 2, "transposed": True}),
    ):
        layer = layer_on(kind, Cyclic(4), "1xregular", "2xregular", 3, **options)
        x = fields(layer, *shape)
        fine = (9, 8) if kind is GridConvTranspose else shape
        assert torch.equal(layer(x), layer(x, Grid(fine, kernel_size=3, **grid)))
    plain = GaugeConv(
        layer.in_type, layer.out_type, rings=layer.kernels.radial, max_frequency=layer.kernels.max_frequency
    )
    plain.load_state_dict(layer.state_dict())  # the same weights on any space


def test_sizes_are_those_of_conv2d():
    group = Cyclic(4)
    a, b = FieldType(group, "1x0"), FieldType(group, "1xregular")
    x = torch.randn(1, 1, 11, 14)
    for kwargs in ({}, {"stride": 2}, {"stride": (1, 3), "padding": (0, 2)}, {"dilation": 2, "padding": 1}):
        expected = nn.Conv2d(1, 4, 3, **{"padding": (kwargs.get("dilation", 1),) * 2, **kwargs})(x).shape
        assert GridConv(a, b, 3, **kwargs)(x).shape == expected
    for kwargs in ({}, {"stride": 2}, {"stride": 3, "padding": 0, "output_padding": 1}):
        plain = nn.ConvTranspose2d(1, 4, 3, **{"padding": 1, "stride": 2, **kwargs})
        assert GridConvTranspose(a, b, 3, **kwargs)(x).shape == plain(x).shape


def test_the_same_weights_on_a_mesh_and_on_a_grid_converge():
    """A flat square, cut into jittered triangles and into pixels: the difference of outputs falls with the spacing."""
    torch.manual_seed(0)
    layer = layer_on(GaugeConv, SO2(), "1x0 + 1x1", "2x0 + 2x1", rings=2, self_interaction=False, bias=False)
    errors = [_mesh_against_grid(layer, n, 0.2) for n in (16, 24, 48)]
    order = math.log(errors[0] / errors[-1]) / math.log(3)
    assert errors[-1] < 0.02
    assert order > 1.4, errors  # measured: 0.09, 0.04, 0.014, order 1.7
    assert _mesh_against_grid(layer, 24, 0.2, grid_radius=0.26) > 0.1  # control: another radius


def smooth(pos: torch.Tensor) -> torch.Tensor:
    """A scalar and a vector field of the plane at points `(N, 2)`: `(N, 3)`."""
    x, y = pos.unbind(-1)
    return torch.stack([torch.sin(3 * x) * torch.cos(2 * y), torch.cos(2 * x + y), torch.sin(x - 3 * y)], -1)


def _mesh_against_grid(layer: GaugeConv, n: int, radius: float, *, grid_radius: float | None = None) -> float:
    """RMS difference in the inner part of [-1/2, 1/2]^2, relative; the mesh has n x n vertices at jittered pixels."""
    h = 1 / n
    grid = Grid((n, n), spacing=h, radius=radius if grid_radius is None else grid_radius)
    image = layer(smooth(grid.pos).T.reshape(1, 3, n, n), grid)[0].flatten(1).T
    generator = torch.Generator().manual_seed(n)
    jitter = 0.3 * h * (torch.rand(n * n, 2, generator=generator, dtype=torch.float64) - 0.5)
    points = torch.cat([grid.pos + jitter, torch.zeros(n * n, 1, dtype=torch.float64)], 1)
    corner = (torch.arange(n - 1)[:, None] * n + torch.arange(n - 1)).flatten()
    faces = torch.cat(
        [torch.stack([corner, corner + n, corner + 1], 1), torch.stack([corner + 1, corner + n, corner + n + 1], 1)]
    )
    mesh = TriangleMesh(points.numpy(), faces.numpy())
    axes = torch.eye(3, dtype=torch.float64)[:, :2].expand(n * n, 3, 2)
    graph = mesh.gauge_graph(layer.in_type.group, radius=radius, frames=axes.numpy(), dtype=torch.float64)
    on_mesh = layer(smooth(points[:, :2]), graph)
    # the same point of the plane: the output at a jittered point against the image, moved there by its gradient
    rows = image.T.reshape(-1, n, n)
    dy, dx = torch.gradient(rows, spacing=h, dim=(1, 2), edge_order=2)
    moved = image + dx.flatten(1).T * jitter[:, :1] - dy.flatten(1).T * jitter[:, 1:]
    inner = (grid.pos.abs() < 0.5 - radius - h).all(1)
    return ((on_mesh - moved)[inner].square().mean() / image[inner].square().mean()).sqrt().item()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_lower_precisions(dtype):
    layer = layer_on(GridConv, Cyclic(8), "2xregular", "2xregular", 5)
    x = fields(layer, 8, 8)
    expected = layer(x)
    for module in (layer.train(), layer.eval()):
        out = module.to(dtype)(x.to(dtype))
        assert out.dtype == dtype
        assert relative(out.double(), expected) < TOL[dtype]


def test_autocast():
    torch.manual_seed(0)
    layer = GridConv(FieldType(Cyclic(8), "2xregular"), FieldType(Cyclic(8), "2xregular"), 5)
    x = fields(layer, 8, 8).float()
    expected = layer(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = layer(x)
    assert out.dtype == torch.bfloat16
    assert relative(out.float(), expected) < TOL[torch.bfloat16]
    out.float().sum().backward()
    assert all(p.grad.isfinite().all() and p.grad.dtype == torch.float32 for p in layer.parameters())


@pytest.mark.parametrize(
    ("group", "in_spec", "out_spec", "options"),
    [
        (Cyclic(8), "2xregular", "3xregular + 2x0", {}),
        (Dihedral(4), "2xregular + 1x1", "2xquotient(C_2) + 1x2", {"stride": 2}),
        (SO2(), "2x0 + 2x1", "3x0 + 1x2", {"self_interaction": False}),
        (SO3(), "1x0 + 1x1", "2x1", {"boundary": "periodic"}),
    ],
    ids=str,
)
def test_training_under_autocast_is_training(group, in_spec, out_spec, options):
    """Kernels come from one matrix product then: the same function and gradients, up to rounding."""
    layer = layer_on(GridConv, group, in_spec, out_spec, 3, **options)
    kernels = (layer.kernels, layer.weight, layer.sliding.stencil, layer.self_interaction, torch.float64)
    expected = layer.sampled(layer.sliding.stencil)[0]
    assert relative(sample_at_once(*kernels).transpose(1, 2), expected.flatten(2)) < EXACT
    layer = layer.float()
    x = fields(layer, *[6] * group.d).float()
    gradients = []
    for enabled in (False, True):
        layer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            out = layer(x)
        out.float().square().sum().backward()
        gradients.append([p.grad.clone() for p in layer.parameters()])
    assert out.dtype == torch.bfloat16
    for g, h in zip(*gradients, strict=True):
        assert relative(h, g) < TOL[torch.bfloat16]
        assert g.dtype == h.dtype == torch.float32
    if group.d == 2:
        assert out.is_contiguous(memory_format=torch.channels_last)


def test_few_results_are_a_matrix_product():
    """A wide layer with a handful of results, beside `conv2d`."""
    layer = layer_on(GridConv, Cyclic(8), "32xregular", "32xregular", 5, padding=0, stride=2)
    x = fields(layer, 7, 9, batch=1).requires_grad_()
    kernel, bias = layer.sampled(layer.sliding.stencil)
    y, expected = layer(x), F.conv2d(x, kernel, bias, 2)
    assert "Conv" not in type(y.grad_fn).__name__, "or this test tests nothing"
    assert relative(y, expected) < EXACT
    weights = torch.randn_like(y)
    found, known = (torch.autograd.grad(out, (x, layer.weight), weights) for out in (y, expected))
    assert all(relative(a, b) < EXACT for a, b in zip(found, known, strict=True))


@pytest.mark.parametrize("engine", ["reference", "graph"])
@pytest.mark.parametrize("options", [{}, {"boundary": "periodic", "dilation": 2}, {"groups": 2}], ids=str)
def test_engines_of_graphs_can_be_forced(engine, options):
    layer = layer_on(GridConv, Cyclic(4), "2xregular", "4x1", 3, **options)
    x = fields(layer, 6, 7)
    expected = layer(x)
    with use_engine(engine):
        assert relative(layer(x), expected) < EXACT
        assert relative(layer(x, layer.grid((6, 7))), expected) < EXACT
        with pytest.raises(ValueError, match="without strides"):
            layer_on(GridConv, Cyclic(4), "2xregular", "4x1", 3, stride=2)(x)
        scalars, sphere = layer_on(GaugeConv, Cyclic(6), "1x0", "1x0"), Icosphere(1)
        with pytest.raises(ValueError, match="got an Icosphere"):
            scalars(torch.zeros(42, 1, dtype=torch.float64), sphere)


@pytest.mark.parametrize("options", [{}, {"boundary": "reflect"}, {"stride": 2, "groups": 2}], ids=str)
def test_gradcheck(options):
    layer = layer_on(GridConv, Dihedral(4), "2x0 + 2x1", "2x0 + 2x1", 3, **options)
    x = fields(layer, 4, 5, batch=1).requires_grad_()

    def function(x, *parameters):
        named = dict(zip(dict(layer.named_parameters()), parameters, strict=True))
        return torch.func.functional_call(layer, named, (x,))

    assert torch.autograd.gradcheck(function, (x, *layer.parameters()), fast_mode=True)


def test_empty_types_and_batches():
    group = SO2()
    x = torch.randn(2, 3, 6, 6)
    for a, b in (("3x0", ""), ("", "2x0 + 1x1")):
        layer = GridConv(FieldType(group, a), FieldType(group, b), 3)
        out = layer(x[:, : layer.in_type.size])
        assert out.shape == (2, layer.out_type.size, 6, 6)
    assert GridConv(FieldType(group, "3x0"), FieldType(group, "1x1"), 3)(x[:0]).shape == (0, 2, 6, 6)


def test_wrong_arguments():
    group = Cyclic(4)
    image, hidden = FieldType(group, "3x0"), FieldType(group, "2xregular")
    for message, make in (
        ("Expected an odd `kernel_size`, got 4", lambda: GridConv(image, hidden, 4)),
        ("use `EquivariantLinear`", lambda: GridConv(image, hidden, 1)),
        ("have no mirror image", lambda: GridConv(hidden, hidden, 3, boundary="reflect")),
        ("zeros, reflect, periodic", lambda: GridConv(image, hidden, 3, boundary="circular")),
        ("multiplicities of `in_type` that `groups` = 2", lambda: GridConv(image, hidden, 3, groups=2)),
        ("no .*-steerable kernels", lambda: GridConv(FieldType(O2(), "1x0"), FieldType(O2(), "1x0-"), 3)),
        ("transposed", lambda: GridConvTranspose(image, hidden, 3, boundary="periodic")),
    ):
        with pytest.raises(ValueError, match=message):
            make()
    layer = GridConv(image, hidden, 5, boundary="periodic")
    x = torch.randn(2, 3, 8, 8)
    for message, arguments in (
        ("2 spatial dimensions", (x[0],)),
        ("3 channels", (x[:, :2],)),
        ("too far for an axis of 1 pixels", (x[..., :1],)),
        (r"shape \(batch, 3, 8, 9\)", (x, Grid((8, 9)))),
        ("SO.2. is not a subgroup of C_4", (x, Grid((8, 8), group=SO2()))),
        ("not a subgroup", (x, Grid((8, 8), group=Dihedral(2)))),
        ("one row per point", (x, Grid((8, 8)).gauge_graph())),
    ):
        with pytest.raises(ValueError, match=message):
            layer(*arguments)
    assert GridConv(image, hidden, 3, boundary="reflect")(x).shape == (2, 8, 8, 8)  # scalars have mirror images


STRIDED = [
    *(({"stride": 2}, shape) for shape in ((8, 8), (9, 9), (12, 12))),
    *(({"stride": 3}, shape) for shape in ((8, 8), (9, 9), (10, 10))),
    ({"stride": 2, "dilation": 2}, (10, 10)),
    ({"stride": 2, "padding": 0}, (8, 8)),
    ({"stride": 4, "padding": 0}, (13, 13)),
    ({"stride": 2, "boundary": "periodic"}, (8, 8)),
    ({"stride": 2, "boundary": "reflect"}, (8, 8)),
    ({"stride": 2, "groups": 2}, (8, 8)),
]


@pytest.mark.parametrize(("options", "shape"), STRIDED, ids=str)
def test_strided_layers_keep_the_symmetry_on_every_size(options, shape):
    """Under all rotations and mirrors of the pixels; the convolution of PyTorch's with the same kernel does not."""
    group = Dihedral(4)
    in_type, out_type = FieldType(group, "2xregular + 2x1"), FieldType(group, "2xregular + 2x1")
    layer = with_random_weights(GridConv(in_type, out_type, 3, **options).double())
    x = fields(layer, *shape)
    y = layer(x)
    kernel, bias = layer.sampled(layer.sliding.stencil)
    s, act, error = layer.sliding, FieldAction, 0.0
    for g in group.elements():
        assert relative(layer(act(in_type)(g, x)), act(out_type)(g, y)) < EXACT
        plain = lambda x: F.conv2d(x, kernel, bias, s.stride, s.padding, s.dilation)  # noqa: E731
        if layer.groups == 1:
            error = max(error, relative(plain(act(in_type)(g, x)), act(out_type)(g, plain(x))))
    if any(s.left_out(shape)) and layer.groups == 1:
        assert error > 0.1  # control
    assert y.shape[2:] == s.coarse(shape)


@pytest.mark.parametrize(("options", "shape"), [({"stride": 2}, (8, 9)), ({"stride": 3}, (8, 10))], ids=str)
def test_strided_layers_are_convolutions_of_torch(options, shape):
    layer = layer_on(GridConv, Cyclic(4), "2xregular", "1xregular", 5, **options)
    x = fields(layer, *shape)
    assert relative(to_torch(layer, x)(x), layer(x)) < EXACT
    trivial = layer_on(GridConv, Trivial(), "2x0", "3x0", 5, **options)  # no symmetry: as it is in PyTorch
    x = fields(trivial, *shape)
    kernel, bias = trivial.sampled(trivial.sliding.stencil)
    assert relative(trivial(x), F.conv2d(x, kernel, bias, options["stride"], 2)) < EXACT

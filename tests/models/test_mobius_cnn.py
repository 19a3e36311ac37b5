"""Images on a Möbius strip: the kernel constraint, the cut that nobody sees, and networks that do not mind sides."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from gaugenet.geometry.grids.strip import _mirror as mirrors
from gaugenet.geometry.grids.strip import pad_strip, shift_strip, strip_action
from gaugenet.geometry.manifolds.quotient import MobiusStrip
from gaugenet.groups import SO2, FieldType, Reflection
from gaugenet.models import MobiusCNN, OrdinaryStripCNN, mobius_layers
from gaugenet.models.mobius_cnn import FIELDS, mobius_type
from gaugenet.models.mobius_layers import (
    StripConv,
    StripNonlinearity,
    StripPool,
    reflection_kernels,
)
from tests.compilers import newer_than_torch_2_6
from tests.tolerances import TOL, relative

EXACT = TOL[torch.float64]
SCALARS = FieldType(Reflection(), "1x0")


def types() -> list[FieldType]:
    return [mobius_type(name, 1) for name in FIELDS]


def field(field_type: FieldType, *shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, field_type.size, *shape, generator=generator, dtype=torch.float64)


def random_conv(in_type: FieldType, out_type: FieldType, size: int = 5) -> StripConv:
    conv = StripConv(in_type, out_type, kernel_size=size).double()
    with torch.no_grad():
        for p in conv.parameters():
            p.normal_()
    return conv


# --- kernels ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "target", "count"),
    [
        ("trivial", "trivial", 15), ("0-", "0-", 15), ("trivial", "0-", 10), ("0-", "trivial", 10),
        ("trivial", "regular", 25), ("regular", "trivial", 25), ("0-", "regular", 25), ("regular", "regular", 50),
    ],
)  # fmt: skip
def test_kernels_are_all_solutions_of_the_constraint(source, target, count):
    group = Reflection()
    rho_in, rho_out = group.representation(source), group.representation(target)
    basis = reflection_kernels(rho_in, rho_out, 5)
    assert len(basis) == count
    assert torch.linalg.matrix_rank(basis.flatten(1)) == count
    s = group.elements()[1]
    assert relative(torch.einsum("op,npiyx,ij->nojyx", rho_out(s), basis.flip(-2), rho_in(s).mT), basis) < EXACT
    free = torch.randn(200, rho_out.dim, rho_in.dim, 5, 5, dtype=torch.float64)
    solutions = free + torch.einsum("op,npiyx,ij->nojyx", rho_out(s), free.flip(-2), rho_in(s).mT)
    assert torch.linalg.matrix_rank(solutions.flatten(1)) == count
    assert relative(solutions, free) > 0.1  # random kernels are no solutions


def test_convolution_is_the_periodic_one_on_the_double_cover():
    """Going around twice is a cylinder of twice the length, where torch pads by itself."""
    a, b = mobius_type("mixed", 2), mobius_type("mixed", 3)
    conv, x = random_conv(a, b), field(a, 6, 8)
    cover = torch.cat([x, strip_action(x, a)], -1)
    padded = F.pad(F.pad(cover, (2, 2, 0, 0), mode="circular"), (0, 0, 2, 2))
    expected = F.conv2d(padded, conv.kernel())[..., :8]
    assert relative(conv.bias(expected), conv(x)) < EXACT


def test_convolution_is_the_one_on_the_gauge_graph_of_the_manifold():
    """The definition: kernel at the logarithmic map, features transported by the transporter, edge by edge."""
    across, along = 6, 9
    a, b = mobius_type("mixed", 1), mobius_type("regular", 1)
    conv, x = random_conv(a, b, 3), field(a, across, along)
    rows, columns = torch.meshgrid(torch.arange(across), torch.arange(along), indexing="ij")
    points = torch.stack([columns.flatten(), rows.flatten() - (across - 1) / 2], -1).double()
    graph = MobiusStrip(along, across).gauge_graph(points, Reflection(), radius=1.5, dtype=torch.float64)
    source, target = graph.edge_index
    assert bool((torch.linalg.det(graph.transporter) < 0).any())  # some edges cross the cut

    kernel = conv.kernel()
    offset = graph.log_map.round().long() + 1
    k = kernel[:, :, offset[:, 1], offset[:, 0]].movedim(-1, 0)
    flat = x.flatten(2).movedim(-1, 0)  # (points, batch, channels)
    rho = a.representation()(graph.transporter)
    messages = torch.einsum("eoi,eij,ebj->ebo", k, rho, flat[source])
    out = torch.einsum("oi,pbi->pbo", kernel[:, :, 1, 1], flat).index_add(0, target, messages)
    assert relative(conv.bias(out.movedim(0, -1).unflatten(-1, (across, along))), conv(x)) < EXACT


# --- equivariance -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field_type", types(), ids=list(FIELDS))
def test_shifts_are_an_action(field_type):
    x = field(field_type, 4, 6)
    assert torch.equal(shift_strip(shift_strip(x, 2, field_type), 3, field_type), shift_strip(x, 5, field_type))
    assert torch.equal(shift_strip(x, 6, field_type), strip_action(x, field_type))
    assert torch.equal(shift_strip(x, 12, field_type), x)
    assert torch.equal(shift_strip(shift_strip(x, 5, field_type), -5, field_type), x)


@pytest.mark.parametrize("shift", [1, 2, 5, 8, 11])
@pytest.mark.parametrize("field_type", types(), ids=list(FIELDS))
def test_layers_commute_with_shifts(field_type, shift):
    x = field(field_type, 6, 8)
    moved = shift_strip(x, shift, field_type)
    conv = random_conv(field_type, field_type)
    assert relative(conv(moved), shift_strip(conv(x), shift, field_type)) < EXACT
    act = StripNonlinearity(field_type).double()
    if act.bias is not None:
        torch.nn.init.normal_(act.bias)
    assert relative(act(moved), shift_strip(act(x), shift, field_type)) < EXACT
    pool = StripPool(field_type)
    results = [shift_strip(pool(x), k, field_type) for k in range(8)]
    for sample in range(2):  # each by half the shift, rounded up or down
        assert min(relative(pool(moved)[sample], r[sample]) for r in results) < EXACT
    even = StripPool(field_type, phase="even")
    exact = relative(even(moved), shift_strip(even(x), shift // 2, field_type)) < EXACT
    assert exact == (shift % 2 == 0)


def test_control_free_kernels_see_the_cut():
    kernel = torch.randn(1, 1, 5, 5, dtype=torch.float64)
    x = field(SCALARS, 6, 8)

    def convolve(x):
        return F.conv2d(pad_strip(x, SCALARS, 2), kernel, padding=(2, 0))

    assert relative(convolve(shift_strip(x, 3, SCALARS)), shift_strip(convolve(x), 3, SCALARS)) > 0.1


@pytest.mark.parametrize("fields", FIELDS)
def test_networks_are_invariant_under_all_shifts(fields):
    network = MobiusCNN(fields).double().eval()
    x = torch.rand(1, 1, 28, 28, dtype=torch.float64)
    with torch.no_grad():
        expected = network(x)
        for shift in (1, 6, 29):
            assert relative(network(shift_strip(x, shift, SCALARS)), expected) < EXACT


def test_rounding_decides_nothing_where_symmetry_makes_signs_vanish(monkeypatch):
    """In the middle of a symmetric image signs are zero but for rounding, and their biases are not."""
    signs = FieldType(Reflection(), "8x0-")
    conv, act = random_conv(SCALARS, signs).float(), StripNonlinearity(signs)
    torch.nn.init.uniform_(act.bias, 0.2, 0.6)
    x = torch.rand(4, 1, 7, 16)
    x = x + x.flip(-2)

    def error() -> float:
        with torch.no_grad():
            return relative(act(conv(shift_strip(x, 16, SCALARS))), shift_strip(act(conv(x)), 16, signs))

    assert error() < TOL[torch.float32]
    monkeypatch.setattr(mobius_layers, "NEAR_ZERO", 1e-30)  # the published function
    assert error() > 0.1


def test_pooling_of_opposite_signs_is_continuous():
    signs = FieldType(Reflection(), "8x0-")
    x = torch.randn(4, 8, 14, 16, dtype=torch.float64)
    x = x - x.flip(-2)  # opposite in the two rows of the middle
    pooled = StripPool(signs)(x)
    assert relative(StripPool(signs)(x + 1e-9 * torch.randn_like(x)), pooled) < 1e-7
    assert float(pooled[..., 3, :].abs().max()) < 1e-12
    assert float(pooled.abs().mean()) > 0.1


def test_controls_published_pooling_and_ordinary_networks_are_not():
    x = torch.rand(1, 1, 28, 28)
    with torch.no_grad():
        published = MobiusCNN("regular", phase="even").eval()
        assert relative(published(shift_strip(x, 1, SCALARS)), published(x)) > 1e-2
        assert relative(published(shift_strip(x, 8, SCALARS)), published(x)) < TOL[torch.float32]
        ordinary = OrdinaryStripCNN().eval()
        assert relative(ordinary(shift_strip(x, 28, SCALARS)), ordinary(x)) > 1e-2


def test_layers_in_low_precision_are_close_and_gradients_arrive():
    t = mobius_type("mixed", 2)
    conv, act, pool = random_conv(t, t).float(), StripNonlinearity(t), StripPool(t, phase="even")
    x = field(t, 6, 8).float()
    with torch.autocast("cpu", torch.bfloat16):
        low = pool(act(conv(x)))
    assert low.dtype == torch.bfloat16
    assert relative(low.float(), pool(act(conv(x)))) < TOL[torch.bfloat16]
    low.float().square().sum().backward()
    for p in [*conv.parameters(), *act.parameters()]:
        assert p.grad.dtype == torch.float32
        assert bool(p.grad.isfinite().all())


def test_pooling_ahead_of_the_nonlinearity_is_the_published_order():
    """Only where the nonlinearity keeps the order of entries: not for signs."""
    for name, same in [("regular", True), ("sign", False)]:
        t = mobius_type(name, 2)
        x, act, pool = field(t, 6, 8), StripNonlinearity(t).double(), StripPool(t, phase="even")
        if act.bias is not None:
            torch.nn.init.constant_(act.bias, -1.0)
        assert torch.equal(pool(act(x)), act(pool(x))) == same
    layers = [type(layer) for layer in MobiusCNN("sign").features]
    assert layers.index(StripPool) == 4
    layers = [type(layer) for layer in MobiusCNN("regular").features]
    assert layers.index(StripPool) == 3


@pytest.mark.parametrize("fields", ["sign", "mixed"])
def test_new_networks_are_exported(fields):
    """Before any plain call, and with gradients: the mirror was computed while tracing, and signs wrote to `out=`."""
    mirrors.cache_clear()
    network, x = MobiusCNN(fields).eval(), torch.rand(2, 1, 28, 28)
    program = torch.export.export(network, (x,))
    assert relative(program.module()(x), network(x)) < TOL[torch.float32]


@pytest.mark.slow
@newer_than_torch_2_6
@pytest.mark.parametrize("fields", ["sign", "mixed"])
def test_new_networks_compile_as_one_graph(fields):
    mirrors.cache_clear()
    torch._dynamo.reset()
    network, x = MobiusCNN(fields, dropout=0.0), torch.rand(2, 1, 28, 28)
    fast = torch.compile(network, fullgraph=True, backend="eager")
    grads = [torch.autograd.grad(f(x).square().sum(), list(network.parameters())) for f in (fast, network)]
    for ours, theirs in zip(*grads, strict=True):
        assert relative(ours, theirs) < 1e-4


def test_gradcheck_of_signs():
    act, pool = StripNonlinearity(mobius_type("mixed", 1)).double(), StripPool(mobius_type("mixed", 1), phase="even")
    torch.nn.init.uniform_(act.bias, -0.5, 0.5)
    x = field(act.in_type, 2, 4).requires_grad_()
    for function in (act, pool):
        assert torch.autograd.gradcheck(function, x)
        assert torch.autograd.gradgradcheck(function, x)
    assert torch.autograd.gradcheck(lambda b: torch.func.functional_call(act, {"bias": b}, x), act.bias)


def test_gradients_reach_every_weight():
    network = MobiusCNN("mixed")
    network(torch.rand(3, 1, 28, 28)).square().sum().backward()
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in network.parameters())
    assert all(float(p.grad.abs().max()) > 0 for name, p in network.named_parameters() if "weight" in name)


def test_sizes_are_those_published():
    def thousands(network: torch.nn.Module) -> int:
        return round(sum(p.numel() for p in network.parameters()) / 1000)

    assert [thousands(MobiusCNN(name)) for name in FIELDS] == [902, 820, 752, 752, 752]
    assert [thousands(OrdinaryStripCNN(equal)) for equal in ("channels", "parameters")] == [1501, 832]


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="`fields`"):
        MobiusCNN("vector")
    with pytest.raises(ValueError, match="`equal`"):
        OrdinaryStripCNN("depth")
    with pytest.raises(ValueError, match="`phase`"):
        StripPool(SCALARS, phase="odd")
    with pytest.raises(ValueError, match="odd `kernel_size`"):
        StripConv(SCALARS, SCALARS, kernel_size=4)
    with pytest.raises(ValueError, match="group Reflection"):
        StripConv(FieldType(SO2(), "1x0"), FieldType(SO2(), "1x0"))
    with pytest.raises(ValueError, match="even number of pixels"):
        StripPool(SCALARS)(torch.zeros(1, 1, 3, 4))
    with pytest.raises(ValueError, match="at least 3 pixels"):
        pad_strip(torch.zeros(1, 1, 4, 2), SCALARS, 3)

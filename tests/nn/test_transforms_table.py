"""Layers x transforms: every cell is what finite differences of the plain call say, or it is refused; none is wrong."""

from __future__ import annotations

import functools

import pytest
import torch
from torch.func import grad, hessian, jacfwd, jacrev, jvp, vjp, vmap

from gaugenet.geometry import Icosphere, LatticeGaugeField
from gaugenet.groups import O2, SO2, SU, Cyclic, FieldType, multivector
from gaugenet.kernels import Clifford
from gaugenet.nn import (
    AttentionBlock,
    ChartBatchNorm,
    FieldBatchNorm,
    GaugeAttention,
    GaugeConv,
    GaugeMessagePassing,
    GeometricProduct,
    GlobalPool,
    GradeDropout,
    GridConv,
    GridConvTranspose,
    GridPool,
    GridUpsample,
    InvariantGate,
    LatticeBilinear,
    LatticeBlock,
    LatticePool,
    LatticeUnpool,
    LorentzActivation,
    LorentzBatchNorm,
    LorentzConv,
    LorentzEmbedding,
    LorentzLinear,
    LorentzLog,
    LorentzMLR,
    LorentzType,
    MultivectorAttention,
    MultivectorNorm,
    MultivectorReadout,
    NormNonlinearity,
    PairProduct,
    Pool,
    RadialNetwork,
    SequentialModule,
    TensorProduct,
    TraceActivation,
    TraceNorm,
    TraceReadout,
    Unpool,
    prepare_graph,
)
from tests.nn.graphs import synthetic_graph
from tests.nn.layers import ON_GRAPHS, layers, with_random_weights

STEP = 1e-4
CLOSE = 1e-5
"""Central differences of a step of 1e-4 are right to 1e-8 of the third derivative, of which some are large."""

SMALL, FOUR = FieldType(SO2(), "1x0 + 1x1"), FieldType(SO2(), "2x0 + 2x1")
PIXELS, VECTORS = FieldType(Cyclic(4), "1xregular"), multivector(O2(), multiplicity=2)
MATRICES = FieldType(SU(2), {"matrix": 2})
SPHERE, LORENTZ = Icosphere(0), LorentzType(SMALL, 1.0)
ONE = FieldType(SU(2), {"matrix": 1})
LATTICE, EVEN = (
    LatticeGaugeField.random(SU(2), shape, generator=torch.Generator().manual_seed(0)) for shape in ((3, 3), (4, 4))
)
FIRST = "Differential(max_order=1)"


def _graph():
    return synthetic_graph(SO2(), 4, degree=3, levels=2, seed=2)


def _rows(size, points=4):
    return (points, size)


def _radial_network():
    space = GaugeConv(VECTORS, VECTORS, kernel=Clifford()).kernels
    network = RadialNetwork(space, features=1, hidden=4)
    network.in_type = VECTORS
    return network


SPECIAL = {
    "attention": (lambda: GaugeAttention(FOUR, FOUR, heads=2), _rows(6), "graph"),
    "attention of multivectors": (
        lambda: MultivectorAttention(multivector(SO2()), multivector(SO2()), heads=1, keys=1, values=1, rings=2),
        _rows(4),
        "graph",
    ),
    "messages": (lambda: GaugeMessagePassing(SMALL, SMALL), _rows(3), "graph"),
    "implicit conv": (lambda: GaugeConv(SMALL, SMALL, kernel=_family("Implicit(hidden=4)")), _rows(3), "graph"),
    "differential conv": (
        lambda: GaugeConv(SMALL, SMALL, kernel=_family(FIRST)),
        _rows(3),
        "graph",
    ),
    "global pool": (lambda: GlobalPool(FieldType(SO2(), "2x0")), _rows(2), "graph"),
    "pool": (lambda: Pool(SMALL), _rows(3), "graph"),
    "unpool": (lambda: Unpool(SMALL), _rows(3, 2), "graph"),
    "chart conv": (lambda: GaugeConv(FieldType(Cyclic(6), "1x0"), FieldType(Cyclic(6), "1xregular")), (12, 1), SPHERE),
    "grid conv": (lambda: GridConv(PIXELS, PIXELS, 3), (1, 4, 3, 3), None),
    "strided conv": (lambda: GridConv(PIXELS, PIXELS, 3, stride=2), (1, 4, 4, 4), None),
    "transposed conv": (lambda: GridConvTranspose(PIXELS, PIXELS, 3), (1, 4, 2, 2), None),
    "grid pool": (lambda: GridPool(PIXELS), (1, 4, 3, 4), None),
    "grid maximum": (lambda: GridPool(PIXELS, kind="max"), (1, 4, 3, 4), None),
    "grid upsample": (lambda: GridUpsample(PIXELS, size=(4, 5)), (1, 4, 2, 3), None),
    "image norm": (lambda: FieldBatchNorm(PIXELS), (2, 4, 2, 2), None),
    "geometric product": (lambda: GeometricProduct(VECTORS), _rows(8, 2), None),
    "product of pairs": (lambda: PairProduct(VECTORS), _rows(16, 2), None),
    "gate of multivectors": (lambda: InvariantGate(VECTORS), _rows(8, 2), None),
    "norm of multivectors": (lambda: MultivectorNorm(VECTORS), _rows(8, 2), None),
    "readout of multivectors": (lambda: MultivectorReadout(VECTORS), _rows(8, 2), None),
    "product": (lambda: _Twice(TensorProduct(SMALL, SMALL, SMALL)), _rows(3), None),
    "bilinear": (lambda: _Twice(LatticeBilinear(MATRICES, MATRICES, MATRICES)), (1, 16, 2), None),
    "trace activation": (lambda: TraceActivation(MATRICES), (1, 16, 2), None),
    "trace norm": (lambda: TraceNorm(MATRICES), (1, 16, 2), None),
    "trace readout": (lambda: TraceReadout(MATRICES), (1, 16, 2), None),
    "lattice block": (lambda: LatticeBlock(ONE, ONE, d=2), (1, 8, 3, 3), LATTICE),
    "lattice pool": (lambda: LatticePool(ONE), (1, 8, 4, 4), EVEN),
    "lattice unpool": (lambda: LatticeUnpool(ONE), (1, 8, 2, 2), EVEN),
    "attention block": (lambda: AttentionBlock(SMALL, heads=1, expansion=1), _rows(3), "graph"),
    "sequence": (lambda: SequentialModule(GaugeConv(SMALL, SMALL), NormNonlinearity(SMALL)), _rows(3), "graph"),
    "chart norm": (lambda: ChartBatchNorm(FieldType(Cyclic(6), "1xregular")), (1, 6, 6, 2), None),
    "radial network": (_radial_network, (32,), None),
    "grade dropout": (lambda: GradeDropout(VECTORS, p=0.5), _rows(8, 2), None),
    "hyperbolic embedding": (lambda: LorentzEmbedding(LORENTZ), _rows(3, 2), None),
    "hyperbolic log": (lambda: _OnHyperboloid(LorentzLog(LORENTZ)), _rows(3, 2), None),
    "hyperbolic linear": (lambda: _OnHyperboloid(LorentzLinear(LORENTZ, LORENTZ)), _rows(3, 2), None),
    "hyperbolic conv": (lambda: _OnHyperboloid(LorentzConv(LORENTZ, LORENTZ)), _rows(3), "graph"),
    "hyperbolic norm": (lambda: _OnHyperboloid(LorentzBatchNorm(LORENTZ)), _rows(3, 2), None),
    "hyperbolic activation": (
        lambda: _OnHyperboloid(LorentzActivation(NormNonlinearity(SMALL))),
        _rows(3, 2),
        None,
    ),
    "hyperbolic classes": (lambda: _OnHyperboloid(LorentzMLR(LORENTZ, 2)), _rows(3, 2), None),
}


class _OnHyperboloid(torch.nn.Module):
    """A layer of points of a hyperboloid, as a function of their components in space."""

    def __init__(self, layer):
        super().__init__()
        self.layer, self.in_type = layer, LORENTZ.space

    def forward(self, x, *domain):
        return self.layer(LORENTZ.lift(x), *domain)


class _Twice(torch.nn.Module):
    """A layer of two arguments, both the same."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return self.layer(x, x)


def _family(text):
    from gaugenet.kernels import kernel_from_text

    return kernel_from_text(text)


def _plain():
    """All layers of `tests.nn.layers`, of one continuous and one finite group."""
    found = {}
    for group in (Cyclic(4), SO2()):  # where both have a layer of one name, that of the latter, as graphs are of SO(2)
        found |= {name: (make, None, "graph" if name in ON_GRAPHS else None) for name, make in layers(group).items()}
    return found


TABLE = {**_plain(), **SPECIAL}


@functools.cache
def setting(name):
    """The call, its argument, a direction, a covector, and by finite differences the Jacobian."""
    make, shape, where = TABLE[name]
    torch.manual_seed(0)
    layer = with_random_weights(make().double()).eval()
    domain = _graph() if where == "graph" else where
    size = _rows(layer.in_type.size, 4 if domain is not None else 2) if shape is None else shape
    x, v = torch.randn(2, *size, dtype=torch.float64)

    def call(x):
        return layer(x) if domain is None else layer(x, domain)

    with torch.no_grad():
        y = call(x)
        columns = [(call(x + h) - call(x - h)).flatten() / (2 * STEP) for h in STEP * _units(x)]
    return layer, call, x, v, torch.randn_like(y), torch.stack(columns, 1)


def _units(x):
    return torch.eye(x.numel(), dtype=x.dtype).view(-1, *x.shape)


def _gradient(f, x, w):
    x = x.detach().clone().requires_grad_()
    return torch.autograd.grad((f(x).square() * w).sum(), x, create_graph=True)[0], x


def _second(f, x, v, w):
    first, leaf = _gradient(f, x, w)
    return torch.autograd.grad((first * v).sum(), leaf)[0]


def _batched(f, x, *, create_graph=False):
    """The Jacobian, as one batch of gradients after a plain call."""
    x = x.detach().clone().requires_grad_()
    y = f(x)
    rows = torch.autograd.grad(y, x, _units(y), is_grads_batched=True, retain_graph=True, create_graph=create_graph)
    return rows[0].flatten(1)


def _mapped(f, x):
    """The same by `torch.vmap` of the backward pass."""
    x = x.detach().clone().requires_grad_()
    y = f(x)
    return vmap(lambda w: torch.autograd.grad(y, x, w, retain_graph=True)[0])(_units(y)).flatten(1)


def _batched_hessian(f, x, w):
    first, leaf = _gradient(f, x, w)
    return torch.autograd.grad(first, leaf, _units(x), is_grads_batched=True)[0]


TRANSFORMS = {
    "jvp": (lambda f, x, v, w: jvp(f, (x,), (v,))[1], lambda f, x, v, w, j: j @ v.flatten()),
    "vjp": (lambda f, x, v, w: vjp(f, x)[1](w)[0], lambda f, x, v, w, j: j.T @ w.flatten()),
    "grad": (lambda f, x, v, w: grad(lambda x: (f(x) * w).sum())(x), lambda f, x, v, w, j: j.T @ w.flatten()),
    "jacfwd": (lambda f, x, v, w: jacfwd(f)(x), lambda f, x, v, w, j: j),
    "jacrev": (lambda f, x, v, w: jacrev(f)(x), lambda f, x, v, w, j: j),
    "vmap": (lambda f, x, v, w: vmap(f)(torch.stack([x, v])), lambda f, x, v, w, j: torch.stack([f(x), f(v)])),
    "double backward": (_second, lambda f, x, v, w, j: _hessian(f, x, w) @ v.flatten()),
    "hessian": (
        lambda f, x, v, w: hessian(lambda x: (f(x).square() * w).sum())(x),
        lambda f, x, v, w, j: _hessian(f, x, w),
    ),
    "batched gradients": (lambda f, x, v, w: _batched(f, x), lambda f, x, v, w, j: j),
    "differentiable batch": (lambda f, x, v, w: _batched(f, x, create_graph=True), lambda f, x, v, w, j: j),
    "vmap of gradients": (lambda f, x, v, w: _mapped(f, x), lambda f, x, v, w, j: j),
    "batched hessian": (lambda f, x, v, w: _batched_hessian(f, x, w), lambda f, x, v, w, j: _hessian(f, x, w)),
}


def _hessian(f, x, w):
    """By finite differences of first derivatives, which the other rows check."""
    ends = [(_gradient(f, x + h, w)[0] - _gradient(f, x - h, w)[0]).detach() for h in STEP * _units(x)]
    return torch.stack([e.flatten() / (2 * STEP) for e in ends], 1)


REFUSED: dict[tuple[str, str], str] = {}
"""What the error says where a cell is refused."""


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("name", TABLE)
def test_every_cell_is_right_or_refused(name, transform):
    _, call, x, v, w, jacobian = setting(name)
    transformed, expected = TRANSFORMS[transform]
    if (name, transform) in REFUSED:
        with pytest.raises((RuntimeError, ValueError, NotImplementedError), match=REFUSED[name, transform]):
            transformed(call, x, v, w)
        return
    found, wanted = transformed(call, x, v, w).detach(), expected(call, x, v, w, jacobian).detach()
    scale = max(1.0, float(wanted.abs().max()))
    assert float((found.flatten() - wanted.flatten()).abs().max()) < CLOSE * scale
    if transform in ("jvp", "jacfwd", "vjp"):  # control: nothing that every layer would satisfy
        assert float(wanted.abs().max()) > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("name", TABLE)
def test_every_layer_compiles_as_one_graph(name):
    layer, call, x, v, *_ = setting(name)
    _, _, where = TABLE[name]
    arguments = () if where is None else (prepare_graph(layer, x, _graph()),) if where == "graph" else (where,)
    torch._dynamo.reset()
    fast = torch.compile(layer, fullgraph=True, backend="eager")
    for argument in (x, v):
        assert torch.allclose(fast(argument, *arguments), call(argument), rtol=1e-9, atol=1e-9)

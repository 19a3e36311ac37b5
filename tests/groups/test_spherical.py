"""Harmonics and Wigner matrices: e3nn's up to the order of the basis, Legendre's addition theorem, polynomials."""

from __future__ import annotations

import pytest
import torch
from torch._subclasses import FakeTensor, FakeTensorMode

from gaugenet._caching import cached
from gaugenet.groups import O3, SO2, SO3, spherical_harmonics
from gaugenet.groups.representations.planar import rotation
from gaugenet.groups.representations.spherical import component, coupling, harmonics_up_to, wigner
from tests.groups.cases import elements
from tests.tolerances import TOL, relative

EXACT = TOL[torch.float64]
ORDERS = range(9)


def directions(count: int = 16) -> torch.Tensor:
    v = torch.randn(count, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return torch.nn.functional.normalize(v, dim=-1)


def to_e3nn(order: int) -> torch.Tensor:
    """The permutation from our components to e3nn's: orders -l ... l about its polar axis y, where we have z.

    Its coordinates (x, y, z) are our (y, z, x), so that e3nn's longitude counts from our x towards our y.
    """
    p = torch.zeros(2 * order + 1, 2 * order + 1, dtype=torch.float64)
    for m in range(-order, order + 1):
        p[m + order, component(order, m)] = 1
    return p


def axes() -> torch.Tensor:
    """Our (x, y, z) -> e3nn's (x, y, z) = our (y, z, x)."""
    return torch.eye(3, dtype=torch.float64)[[1, 2, 0]]


@pytest.mark.parametrize("order", ORDERS)
def test_harmonics_are_those_of_e3nn(order):
    o3 = pytest.importorskip("e3nn.o3")
    v = directions()
    theirs = o3.spherical_harmonics(order, v @ axes().T, normalize=True, normalization="norm")
    ours = spherical_harmonics(v, order) @ to_e3nn(order).T
    assert relative(ours, theirs) < EXACT


@pytest.mark.parametrize("order", ORDERS)
def test_wigner_matrices_are_those_of_e3nn(order):
    o3 = pytest.importorskip("e3nn.o3")
    g = elements(SO3(), 16)
    theirs = o3.Irrep(order, 1).D_from_matrix(axes() @ g @ axes().T)
    p = to_e3nn(order)
    assert relative(p @ wigner(g, order) @ p.T, theirs) < TOL[torch.float32]  # the precision of its tables


def test_control_with_its_axes_in_our_order_e3nn_differs():
    o3 = pytest.importorskip("e3nn.o3")
    g, p = elements(SO3(), 16), to_e3nn(2)
    assert relative(p @ wigner(g, 2) @ p.T, o3.Irrep(2, 1).D_from_matrix(g)) > 0.1


@pytest.mark.parametrize("order", ORDERS)
def test_harmonics_turn_by_wigner_matrices_of_rotations_and_reflections(order):
    g, v = elements(O3(), 16), directions()
    rotated = (wigner(g, order) @ spherical_harmonics(v, order)[..., None])[..., 0]
    assert relative(spherical_harmonics((g @ v[..., None])[..., 0], order), rotated) < EXACT


@pytest.mark.parametrize("order", ORDERS)
def test_addition_theorem(order):
    """Y_l(v) . Y_l(w) = P_l(v . w): so they are unit vectors, of one frequency each."""
    v, w = directions().chunk(2)
    legendre = torch.special.legendre_polynomial_p((v * w).sum(-1), order)
    found = (spherical_harmonics(v, order) * spherical_harmonics(w, order)).sum(-1)
    assert (found - legendre).abs().max() < EXACT


def test_low_orders_by_hand():
    v = directions()
    x, y, z = v.unbind(-1)
    assert torch.equal(spherical_harmonics(v, 1), v)
    second = torch.stack([(x * x - y * y) / 2, x * y, x * z, y * z, (2 * z * z - x * x - y * y) / 12**0.5], -1) * 3**0.5
    assert relative(spherical_harmonics(v, 2), second) < EXACT
    assert torch.equal(wigner(elements(SO3()), 1), elements(SO3()))
    together = harmonics_up_to(v, 4)
    assert all(torch.equal(y, spherical_harmonics(v, l)) for l, y in enumerate(together))


@pytest.mark.parametrize("order", ORDERS)
def test_they_are_homogeneous_and_harmonic(order):
    v = torch.tensor([0.3, -0.8, 1.1], dtype=torch.float64)
    scaled = spherical_harmonics(2 * v, order) / 2**order
    assert (scaled - spherical_harmonics(v, order)).abs().max() < EXACT
    hessian = torch.func.hessian(lambda u: spherical_harmonics(u, order))(v)
    assert hessian.diagonal(dim1=-2, dim2=-1).sum(-1).abs().max() < 1e-11  # second derivatives of degree 8


@pytest.mark.parametrize("order", range(1, 9))
def test_rotations_about_the_pole_act_by_irreps_of_the_plane(order):
    angle = torch.tensor([0.4, 2.5], dtype=torch.float64)
    g = torch.zeros(2, 3, 3, dtype=torch.float64)
    g[:, :2, :2], g[:, 2, 2] = rotation(angle), 1
    blocks = [SO2().irrep(m)(rotation(angle)) for m in range(order, -1, -1)]
    expected = torch.stack([torch.block_diag(*(b[i] for b in blocks)) for i in range(2)])
    assert (wigner(g, order) - expected).abs().max() < EXACT
    pole = spherical_harmonics(torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64), order)
    assert (pole - torch.eye(2 * order + 1, dtype=torch.float64)[-1]).abs().max() < EXACT


@pytest.mark.parametrize("order", range(1, 9))
def test_couplings_are_isometric_and_equivariant(order):
    q, g = coupling(order), elements(SO3())
    product = torch.einsum("nab,nij->naibj", wigner(g, order - 1), g).flatten(1, 2).flatten(2)
    assert (q.T @ q - torch.eye(2 * order + 1, dtype=torch.float64)).abs().max() < EXACT
    assert (product @ q - q @ wigner(g, order)).abs().max() < EXACT


@pytest.mark.parametrize("rho", [SO3().irrep(3), O3().irrep("2o"), O3().irrep("3e")], ids=repr)
def test_irreps_are_differentiable(rho):
    g = elements(rho.group, 2).requires_grad_()
    assert torch.autograd.gradcheck(rho, (g,))
    assert torch.autograd.gradcheck(lambda v: spherical_harmonics(v, 3), (directions(2).requires_grad_(),))


@pytest.mark.parametrize("rho", [*SO3().irreps(6), *O3().irreps(6)], ids=repr)
def test_homomorphism_up_to_order_six(rho):
    g, h = elements(rho.group), elements(rho.group, seed=1)
    assert (rho(g @ h) - rho(g) @ rho(h)).abs().max() < EXACT


def test_parity():
    """The inversion is 1 on even and -1 on odd irreps; determinants are `0o`; `0e` is the trivial one."""
    for rho in O3().irreps(4):
        sign = -1 if rho.name.endswith("o") else 1
        assert (rho(-O3().identity()) - sign * torch.eye(rho.dim, dtype=torch.float64)).abs().max() < EXACT
    g = elements(O3())
    assert (O3().irrep("0o")(g)[:, 0, 0] - torch.linalg.det(g)).abs().max() < EXACT
    assert O3().irrep("0e") == O3().trivial()
    assert O3().standard() == O3().irrep("1o") == O3().harmonic(1)
    assert O3().harmonic(2).name == "2e"
    assert SO3().standard() == SO3().irrep(1)
    assert (O3().irrep("2o")(g) - O3().irrep("2e")(g)).abs().max() > 0.1  # control


def test_tables_made_while_code_is_traced_are_not_kept():
    """A tensor that stands for another would spoil every later use: tables are made outside of the trace, for good.

    Nor is one of inference mode kept as such.
    """
    made = []

    @cached
    def table(order: int) -> torch.Tensor:
        made.append(order)
        return torch.full((2,), float(order))

    with FakeTensorMode():
        assert type(table(1)) is torch.Tensor
        assert type(torch.ones(1)) is FakeTensor  # control: the trace makes stand-ins
    with torch.inference_mode():
        assert not table(1).is_inference()
    assert type(table(1)) is torch.Tensor
    assert table(1) is table(1)
    assert made == [1], "once, for good"

"""Kernel bases solve the constraint B(g v) = rho_out(g) B(v) rho_in(g)^-1, and miss no solution."""

from __future__ import annotations

import itertools

import pytest
import torch

from gaugenet.groups import O2, SO2, Cyclic, Dihedral, Reflection, Representation, Trivial
from gaugenet.groups.representations.planar import rotation
from gaugenet.kernels import AlignedBasis, HarmonicBasis, KernelBasis
from gaugenet.kernels.basis import unit
from gaugenet.testing.gauge import outside_elements
from tests.groups.cases import GROUPS, elements, representations
from tests.tolerances import SOLVED

IRREPS = [pair for group in (SO2(), O2()) for pair in itertools.product(group.irreps(3), repeat=2)]
FINITE = [
    pair
    for group in (Trivial(), Reflection(), Cyclic(2), Cyclic(4), Cyclic(6), Dihedral(3), Dihedral(4))
    for pair in itertools.product([*group.irreps(2), group.regular()], repeat=2)
]
COMPOSED = [
    pair
    for group in (g for g in GROUPS if g.d == 2)
    for pair in itertools.product([r for r in representations(group) if not r.is_irreducible][-3:], repeat=2)
]


def directions(count: int = 32, *, seed: int = 0) -> torch.Tensor:
    v = torch.randn(count, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return unit(v)


def defect(basis: KernelBasis, g: torch.Tensor) -> float:
    """Largest violation of the constraint."""
    v = directions(len(g))
    rotated = basis.sample((g @ v[..., None])[..., 0])
    expected = basis.rho_out(g)[:, None] @ basis.sample(v) @ torch.linalg.inv(basis.rho_in(g))[:, None]
    return (rotated - expected).abs().amax().item() if basis.dim else 0.0


def complete_dim(rho_in: Representation, rho_out: Representation, frequency: int) -> int:
    """Dimension of the solutions among all Fourier series, by sampling the constraint at random points and elements.

    The unknowns are the matrices of sum_j A_j cos(j t) + B_j sin(j t); each sample gives out x in linear equations.
    """
    n = rho_in.dim * rho_out.dim
    count = 4 * frequency + 24
    g = elements(rho_in.group, count, seed=3)
    v = directions(count, seed=4)

    def fourier(u: torch.Tensor) -> torch.Tensor:
        t = torch.atan2(u[:, 1], u[:, 0])[:, None] * torch.arange(frequency + 1)
        return torch.cat([torch.cos(t), torch.sin(t)[:, 1:]], 1)

    here, there = fourier(v), fourier((g @ v[..., None])[..., 0])
    mapped = torch.einsum("nab,ncd->nacbd", rho_out(g), rho_in(g)).reshape(count, n, n)  # vec(rho_out K rho_in^T)
    eye = torch.eye(n, dtype=torch.float64)
    equations = torch.einsum("nf,ab->nafb", there, eye) - torch.einsum("nf,nab->nafb", here, mapped)
    singular = torch.linalg.svdvals(equations.reshape(count * n, -1))
    return equations.shape[2] * n - int((singular > 1e-8 * singular.max()).sum())


def span_rank(*bases: KernelBasis) -> int:
    rows = [b.sample(directions(64)).movedim(1, 0).flatten(1) for b in bases]
    return int(torch.linalg.matrix_rank(torch.cat(rows), rtol=1e-9))


@pytest.mark.parametrize(("rho_in", "rho_out"), IRREPS, ids=str)
def test_both_bases_of_so2_and_o2_solve_the_constraint_and_agree(rho_in, rho_out):
    frequency = rho_in.order + rho_out.order
    aligned, harmonic = AlignedBasis(rho_in, rho_out), HarmonicBasis(rho_in, rho_out, frequency)
    for basis in (aligned, harmonic):
        assert defect(basis, elements(rho_in.group, 32)) < SOLVED
        assert span_rank(basis) == basis.dim
    assert aligned.dim == harmonic.dim == span_rank(aligned, harmonic)
    assert aligned.dim == complete_dim(rho_in, rho_out, frequency + 2)


@pytest.mark.parametrize(("rho_in", "rho_out"), [p for p in IRREPS if p[0].order and p[1].order], ids=str)
def test_control_reflections_break_so2_kernels_and_shears_break_o2(rho_in, rho_out):
    for basis in (AlignedBasis(rho_in, rho_out), HarmonicBasis(rho_in, rho_out, 6)):
        assert defect(basis, outside_elements(rho_in.group, 32, torch.Generator().manual_seed(0))) > 0.1


def test_numbers_of_parameters():
    """One for scalars, two and four for SO(2); O(2) allows half of them (:cite:`weiler2019general`, Tables 8 and 9)."""

    def dims(group, labels):
        return [AlignedBasis(group.irrep(a), group.irrep(b)).dim for a, b in itertools.product(labels, repeat=2)]

    assert dims(SO2(), "012") == [1, 2, 2, 2, 4, 4, 2, 4, 4]
    assert dims(O2(), ["0", "0-", "1", "2"]) == [1, 0, 1, 1, 0, 1, 1, 1, 1, 1, 2, 2, 1, 1, 2, 2]


@pytest.mark.parametrize(("rho_in", "rho_out"), FINITE, ids=str)
def test_kernels_of_finite_groups(rho_in, rho_out):
    basis = HarmonicBasis(rho_in, rho_out, 3)
    assert defect(basis, rho_in.group.random_element(32, generator=torch.Generator().manual_seed(0))) < SOLVED
    assert span_rank(basis) == basis.dim
    if rho_in.dim * rho_out.dim <= 36:
        assert basis.dim == complete_dim(rho_in, rho_out, 3)


@pytest.mark.parametrize("group", [Cyclic(4), Dihedral(3), Reflection()], ids=str)
def test_control_random_rotations_break_kernels_of_finite_groups(group):
    rotations = rotation(torch.rand(32, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 6)
    assert defect(HarmonicBasis(group.regular(), group.regular(), 3), rotations) > 0.1


@pytest.mark.parametrize(("rho_in", "rho_out"), COMPOSED, ids=str)
def test_kernels_of_induced_quotient_restricted_and_product_fields(rho_in, rho_out):
    basis = HarmonicBasis(rho_in, rho_out, 4)
    assert defect(basis, elements(rho_in.group, 32)) < SOLVED
    assert span_rank(basis) == basis.dim
    if rho_in.dim * rho_out.dim <= 20:
        assert basis.dim == complete_dim(rho_in, rho_out, 4)


@pytest.mark.parametrize(("rho_in", "rho_out"), IRREPS[::3] + FINITE[::5], ids=str)
def test_harmonic_elements_have_unit_mean_square(rho_in, rho_out):
    basis = HarmonicBasis(rho_in, rho_out, 4)
    t = torch.arange(360, dtype=torch.float64) * torch.pi / 180
    square = basis.sample(torch.stack([t.cos(), t.sin()], -1)).square().sum((-2, -1)).mean(0)
    assert torch.allclose(square, torch.ones_like(square))


def test_unit_at_zero_and_its_gradient():
    v = torch.tensor([[0.0, 0.0], [3.0, 4.0]], dtype=torch.float64, requires_grad=True)
    u = unit(v)
    assert torch.equal(u, torch.tensor([[1.0, 0.0], [0.6, 0.8]], dtype=torch.float64))
    u.sum().backward()
    assert v.grad.isfinite().all()


def test_a_missing_frequency_is_named():
    with pytest.raises(ValueError, match="pass `max_frequency`"):
        HarmonicBasis(Cyclic(4).regular(), Cyclic(4).regular())

"""Matter on lattices: gauge covariance, adjoints, and spectra of free fields in closed form."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from gaugenet.geometry.lattice.dirac import (
    covariant_derivative,
    covariant_laplacian,
    gamma5,
    gamma_matrices,
    staggered_dirac,
    wilson_dirac,
)
from gaugenet.groups import SU, U1
from tests.geometry.lattice.cases import random_field, random_gauge
from tests.tolerances import TOL, relative

EXACT = TOL[torch.float64]
CASES = [(U1(), (4, 6)), (SU(2), (4, 4, 4)), (SU(3), (4, 4, 4, 4))]
every_case = pytest.mark.parametrize(("group", "shape"), CASES, ids=str)


def spinor(group, shape, *, batch=2, seed=0):
    spins = gamma_matrices(len(shape)).shape[-1]
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, spins, *shape, group.d, dtype=torch.complex128, generator=generator)


def inner(a, b):
    return (a.conj() * b).sum()


def operators():
    return [
        lambda field, psi: wilson_dirac(field, psi, 0.1),
        lambda field, psi: staggered_dirac(field, psi, 0.1),
        lambda field, psi: covariant_derivative(field, psi, 1),
        covariant_laplacian,
    ]


@pytest.mark.parametrize("d", [2, 3, 4])
def test_gamma_matrices_anticommute(d):
    g = gamma_matrices(d)
    products = g[:, None] @ g + g @ g[:, None]
    expected = 2 * torch.eye(d)[..., None, None] * torch.eye(g.shape[-1])
    assert relative(products, expected.to(products)) < EXACT
    assert torch.equal(g.mH, g)
    if d != 3:
        five = gamma5(d)
        assert (five @ g + g @ five).abs().max() < EXACT
        assert relative(five @ five, torch.eye(len(five)).to(five)) < EXACT
        assert relative(five.mH, five) < EXACT


@every_case
@pytest.mark.parametrize("antiperiodic", [(), (0,)])
def test_operators_are_gauge_covariant(group, shape, antiperiodic):
    field, psi = random_field(group, shape, antiperiodic=antiperiodic), spinor(group, shape)
    omega = random_gauge(field)[:, None]

    def moved(v):
        return (omega @ v[..., None])[..., 0]

    for operator in operators():
        expected = moved(operator(field, psi))
        assert relative(operator(field.gauge_transform(omega[:, 0]), moved(psi)), expected) < EXACT
        assert relative(operator(field, moved(psi)), expected) > 1e-3  # control: links of another gauge


@every_case
def test_adjoints(group, shape):
    """The derivative is anti-Hermitian, the Laplacian Hermitian and negative, gamma_5 D gamma_5 = D^+."""
    field, psi, chi = random_field(group, shape, antiperiodic=[0]), spinor(group, shape), spinor(group, shape, seed=1)
    d = len(shape)
    assert (
        relative(inner(chi, covariant_derivative(field, psi, 0)), -inner(covariant_derivative(field, chi, 0), psi))
        < 1e-11
    )
    laplacian = covariant_laplacian(field, psi)
    assert relative(inner(chi, laplacian), inner(covariant_laplacian(field, chi), psi)) < 1e-11
    assert inner(psi, laplacian).real < 0
    if d != 3:
        five = gamma5(d)

        def flipped(v):
            return torch.einsum("st,bt...->bs...", five, v)

        left = inner(chi, flipped(wilson_dirac(field, flipped(psi), 0.2)))
        assert relative(left, inner(wilson_dirac(field, chi, 0.2), psi)) < 1e-11
        assert relative(inner(chi, wilson_dirac(field, psi, 0.2)), inner(wilson_dirac(field, chi, 0.2), psi)) > 1e-3
    free = inner(chi, staggered_dirac(field, psi, 0.0))
    assert relative(free, -inner(staggered_dirac(field, chi, 0.0), psi)) < 1e-11


@pytest.mark.parametrize("antiperiodic", [(), (0,)])
@pytest.mark.parametrize("shape", [(4, 6), (4, 4, 4, 4)])
def test_free_wilson_fermions_have_the_textbook_propagator(shape, antiperiodic):
    """On a plane wave D = mass + sum (1 - cos p) + i sum gamma sin p, with half-integer p on antiperiodic axes."""
    d = len(shape)
    field = random_field(U1(), shape, batch=1, antiperiodic=antiperiodic)
    field = field.with_links(torch.ones_like(field.links))
    gamma = gamma_matrices(d)
    grid = torch.stack(torch.meshgrid(*(torch.arange(n).double() for n in shape), indexing="ij"))
    for momentum in itertools.islice(itertools.product(*(range(n) for n in shape)), 0, None, 7):
        p = torch.tensor(
            [2 * math.pi * (k + 0.5 * (mu in antiperiodic)) / n for mu, (k, n) in enumerate(zip(momentum, shape))],
            dtype=torch.float64,
        )
        wave = torch.exp(1j * torch.tensordot(p, grid, 1))
        s = torch.randn(gamma.shape[-1], dtype=torch.complex128)
        symbol = (0.3 + (1 - p.cos()).sum()) * torch.eye(len(s), dtype=s.dtype) + 1j * torch.einsum(
            "m,mst->st", p.sin().to(s), gamma
        )
        psi = (s.view(-1, *[1] * d) * wave)[None, ..., None]
        expected = ((symbol @ s).view(-1, *[1] * d) * wave)[None, ..., None]
        assert relative(wilson_dirac(field, psi, 0.3), expected) < 1e-11


def test_free_staggered_fermions_square_to_the_laplacian_of_twice_the_spacing():
    """D^+ D is diagonal: mass^2 + sum sin^2 p on plane waves, the same for every component."""
    shape = (4, 6)
    field = random_field(U1(), shape, batch=1)
    field = field.with_links(torch.ones_like(field.links))
    grid = torch.stack(torch.meshgrid(*(torch.arange(n).double() for n in shape), indexing="ij"))
    p = torch.tensor([2 * math.pi / 4, 2 * math.pi * 2 / 6], dtype=torch.float64)
    psi = torch.exp(1j * torch.tensordot(p, grid, 1))[None, None, ..., None]
    forward = staggered_dirac(field, psi, 0.2)
    square = 2 * 0.2 * forward - staggered_dirac(field, forward, 0.2)  # (m - K)(m + K) with K anti-Hermitian
    assert relative(square, (0.04 + p.sin().square().sum()) * psi) < 1e-11


def test_arguments():
    field = random_field(U1(), (4, 6))
    with pytest.raises(ValueError, match="2 spin components"):
        wilson_dirac(field, torch.zeros(2, 4, 4, 6, 1, dtype=torch.complex128), 0.0)
    with pytest.raises(ValueError, match="even extents"):
        staggered_dirac(random_field(U1(), (3, 4)), torch.zeros(2, 1, 3, 4, 1, dtype=torch.complex128), 0.0)
    with pytest.raises(ValueError, match="three dimensions"):
        gamma5(3)

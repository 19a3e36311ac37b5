"""Physical fields as multivectors: transformation laws of textbooks, invariants, Maxwell's equations, inverses."""

from __future__ import annotations

import pytest
import torch

from gaugenet.groups import (
    O3,
    CliffordAlgebra,
    PseudoOrthogonal,
    axial_to_bivector,
    bivector_to_axial,
    electric_magnetic,
    faraday,
)
from tests.tolerances import TOL, relative

EXACT = TOL[torch.float64]
SPACE_TIMES = [(1, 3), (3, 1), (1, 2), (2, 1)]
every_space_time = pytest.mark.parametrize(("p", "q"), SPACE_TIMES)


def fields(space: int, count: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    electric, magnetic = torch.randn(2, count, 3, dtype=torch.float64, generator=generator)
    return (electric, magnetic) if space == 3 else (electric[:, :2], magnetic[:, 2:])


@every_space_time
def test_boosts_act_as_in_textbooks(p, q):
    """E' = E_par + gamma (E_perp + v x B), B' = B_par + gamma (B_perp - v x E) for a frame moving along x with v."""
    algebra, group = CliffordAlgebra(p, q), PseudoOrthogonal(p, q)
    space, rapidity = p + q - 1, 0.7
    speed = torch.tanh(torch.tensor(rapidity, dtype=torch.float64))
    gamma = 1 / (1 - speed**2).sqrt()
    electric, magnetic = fields(space)
    e, b = (torch.zeros(5, 3, dtype=torch.float64) for _ in range(2))
    if space == 3:
        e, b = electric, magnetic
    else:
        e[:, :2], b[:, 2] = electric, magnetic[:, 0]
    v = torch.tensor([float(speed), 0, 0], dtype=torch.float64).expand(5, 3)
    parallel = torch.tensor([1.0, 0, 0], dtype=torch.float64)
    new_e = e * parallel + gamma * ((e + torch.linalg.cross(v, b)) * (1 - parallel))
    new_b = b * parallel + gamma * ((b - torch.linalg.cross(v, e)) * (1 - parallel))
    axes = (0, 1) if p == 1 else (0, p)  # time and x
    boost = group.boost(-rapidity, axes)  # coordinates of the moving frame
    moved = torch.einsum("ij,nj->ni", group.exterior(2)(boost), faraday(electric, magnetic, algebra))
    found_e, found_b = electric_magnetic(moved, algebra)
    assert relative(found_e, new_e[:, :space]) < EXACT
    assert relative(found_b, new_b if space == 3 else new_b[:, 2:]) < EXACT
    wrong = torch.einsum(
        "ij,nj->ni", group.exterior(2)(group.boost(rapidity, axes)), faraday(electric, magnetic, algebra)
    )
    assert relative(electric_magnetic(wrong, algebra)[0], new_e[:, :space]) > 0.1


@every_space_time
def test_inverse_and_invariants(p, q):
    algebra = CliffordAlgebra(p, q)
    electric, magnetic = fields(p + q - 1)
    bivector = faraday(electric, magnetic, algebra)
    back = electric_magnetic(bivector, algebra)
    assert torch.equal(back[0], electric)
    assert torch.equal(back[1], magnetic)
    full = algebra.from_grade(bivector, 2)
    square = algebra.geometric_product(full, full)
    expected = electric.square().sum(-1) - magnetic.square().sum(-1)
    assert relative(algebra.grade(square, 0)[:, 0], expected) < EXACT
    if p + q == 4:
        product = 2 * (electric * magnetic).sum(-1)
        assert relative(algebra.grade(square, 4)[:, 0].abs(), product.abs()) < EXACT


def test_the_faraday_bivector_is_e_plus_i_b():
    """F = E + I B with relative vectors sigma_i = e_i e_0 of Cl(1, 3)."""
    algebra = CliffordAlgebra(1, 3)
    electric, magnetic = fields(3)
    sigma = torch.stack([algebra.blade(i, 1) for i in (2, 3, 4)])
    e, b = electric @ sigma, magnetic @ sigma
    expected = e + algebra.geometric_product(algebra.blade(1, 2, 3, 4), b)
    assert relative(algebra.from_grade(faraday(electric, magnetic, algebra), 2), expected) < EXACT


@every_space_time
def test_the_bivector_is_the_derivative_of_the_potential(p, q):
    """F^{mu nu} = d^mu A^nu - d^nu A^mu with E = -grad phi - dA/dt, B = curl A, at a random event."""
    space, time = p + q - 1, 0 if p == 1 else p
    algebra = CliffordAlgebra(p, q)
    eta = torch.tensor([1.0] * p + [-1.0] * q, dtype=torch.float64)
    slope = torch.randn(p + q, p + q, dtype=torch.float64)  # slope[mu, nu] = d_mu A^nu, time first
    phi, a, t = slope[1:, 0], slope[1:, 1:], slope[0, 1:]
    electric = -phi - t
    curl = (
        torch.stack([a[1, 2] - a[2, 1], a[2, 0] - a[0, 2], a[0, 1] - a[1, 0]]) if space == 3 else a[0:1, 1] - a[1:2, 0]
    )
    order = [0, *range(1, space + 1)] if time == 0 else [*range(1, space + 1), 0]
    derivative = eta[:, None] * slope[order][:, order]  # index of the derivative raised
    tensor = derivative - derivative.mT
    expected = tensor[tuple(torch.triu_indices(p + q, p + q, 1))]
    assert relative(faraday(electric, curl, algebra), expected) < EXACT


def test_axial_vectors_are_bivectors():
    w = torch.randn(4, 3, dtype=torch.float64)
    group = O3()
    g = group.random_element()
    axial = torch.linalg.det(g) * (w @ g.mT)
    moved = axial_to_bivector(w, 3) @ group.exterior(2)(g).mT
    assert relative(moved, axial_to_bivector(axial, 3)) < EXACT
    assert relative(moved, axial_to_bivector(-axial, 3)) > 0.01  # as a polar vector under a reflection
    assert torch.equal(bivector_to_axial(axial_to_bivector(w, 3), 3), w)
    algebra = CliffordAlgebra(3)
    dual = algebra.geometric_product(algebra.vector(w), algebra.blade(1, 2, 3))
    assert relative(axial_to_bivector(w, 3), algebra.grade(dual, 2)) < EXACT
    u, v = torch.randn(2, 4, 3, dtype=torch.float64)
    wedge = algebra.grade(algebra.wedge(algebra.vector(u), algebra.vector(v)), 2)
    assert relative(axial_to_bivector(torch.linalg.cross(u, v), 3), wedge) < EXACT


def test_bad_input():
    e, b = fields(3)
    with pytest.raises(ValueError, match="algebra of a space-time"):
        faraday(e, b, CliffordAlgebra(3))
    with pytest.raises(ValueError, match="`electric` with 2 components"):
        faraday(e, b, CliffordAlgebra(1, 2))
    with pytest.raises(ValueError, match="`dim` 2 or 3"):
        axial_to_bivector(b, 4)
    with pytest.raises(ValueError, match="`bivector` with 6"):
        electric_magnetic(e, CliffordAlgebra(1, 3))

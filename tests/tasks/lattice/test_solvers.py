"""GMRES against dense solves; Gauss-Newton steps against a polynomial that is exactly representable."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gaugenet.tasks.lattice.gmres import gmres
from gaugenet.tasks.lattice.least_squares import gauss_newton, lbfgs


def system():
    generator = torch.Generator().manual_seed(0)
    a = torch.eye(40, dtype=torch.complex128) + 0.1 * torch.randn(40, 40, dtype=torch.complex128, generator=generator)
    return a, torch.randn(5, 8, dtype=torch.complex128, generator=generator)


def test_gmres_solves_and_preconditioners_save_iterations():
    a, b = system()

    def operator(x):
        return (a @ x.flatten()).view_as(x)

    exact = torch.linalg.solve(a, b.flatten()).view_as(b)
    inverse = torch.linalg.inv(a + 1e-3 * torch.ones_like(a))
    plain = gmres(operator, b, tolerance=1e-10)
    better = gmres(operator, b, tolerance=1e-10, precondition=lambda v: (inverse @ v.flatten()).view_as(v))
    for found in (plain, better):
        assert (found.x - exact).abs().max() < 1e-8
        assert found.residual < 1e-10
        assert float((operator(found.x) - b).norm() / b.norm()) == pytest.approx(found.residual, abs=1e-12)
    assert better.iterations < plain.iterations / 4
    assert gmres(operator, b, most=3).iterations == 3
    for call, message in [
        (lambda: gmres(operator, 0 * b), "not zero"),
        (lambda: gmres(operator, b, most=0), "`most`"),
        (lambda: gmres(operator, b, tolerance=-1.0), "`tolerance`"),
        (lambda: gmres(lambda x: x * torch.nan, b), "finite numbers from the operator .* at step 1"),
        (lambda: gmres(operator, b, precondition=lambda x: x / 0), "finite numbers"),
    ]:
        with pytest.raises(ValueError, match=message):
            call()


class Polynomial(nn.Module):
    """(a x + b)(c x + d): a product, whose factors are not unique."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([0.5, 1.0, 1.5, -1.0], dtype=torch.float64))

    def forward(self, x):
        a, b, c, d = self.weight
        return (a * x + b) * (c * x + d)


def test_gauss_newton_finishes_what_lbfgs_begins():
    x = torch.linspace(-1, 1, 50, dtype=torch.float64)
    y = (2 * x + 1) * (x - 0.5)
    network = Polynomial()
    begun = lbfgs(lambda: (network(x) - y).square().mean(), network, seconds=5, enough=1e-6)
    assert begun < 1e-3
    assert gauss_newton(network, (x,), y) < 1e-28
    wrong = Polynomial()
    assert gauss_newton(wrong, (x,), x.pow(3)) > 1e-3  # control: a cubic is not a product of two lines

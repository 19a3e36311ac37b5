"""Derivatives on pixels: exact on polynomials, symmetric, and derivatives of Gaussians where pixels are fine."""

from __future__ import annotations

import math

import pytest
import torch

from gaugenet.geometry.grids.stencil import BallStencil
from gaugenet.geometry.icosphere.icosphere import HexagonalStencil
from gaugenet.kernels._symbols import indices_up_to, monomials
from gaugenet.kernels.pixel_derivatives import default_width, stencil_derivatives
from tests.tolerances import relative


def ball(size: int, d: int = 2, **options) -> BallStencil:
    return BallStencil((size,) * d, (1.0,) * d, options.get("radius", size / 2))


CASES = [(3, 1, 2), (3, 2, 2), (3, 3, 2), (5, 1, 4), (5, 2, 3), (5, 3, 2), (7, 2, 4)]


@pytest.mark.parametrize("discretization", ["gaussian", "differences"])
@pytest.mark.parametrize(("size", "d", "order"), CASES)
def test_derivatives_are_exact_on_polynomials(size, d, order, discretization):
    """d^a at the centre, in units of the radius, of all monomials up to the order of a."""
    stencil = ball(size, d)
    w = stencil_derivatives(stencil, order, discretization=discretization)
    indices = indices_up_to(d, order)
    assert w.shape == (size**d, len(indices))
    found = w.T @ monomials(stencil.offsets, indices)
    for row, a in enumerate(indices):
        for column, b in enumerate(indices):
            if sum(b) <= sum(a):
                expected = math.prod(math.factorial(n) for n in a) if a == b else 0.0
                assert found[row, column].item() == pytest.approx(expected, abs=1e-9)


def test_differences_are_the_customary_ones():
    w = stencil_derivatives(ball(3), 2, discretization="differences")  # columns 1, x, y, xx, xy, yy
    r = 1.5
    columns = {a: c.view(3, 3) for a, c in zip(indices_up_to(2, 2), w.T, strict=True)}
    assert torch.allclose(columns[0, 0], torch.tensor([[0.0, 0, 0], [0, 1, 0], [0, 0, 0]]).double())
    assert torch.allclose(columns[1, 0], r / 2 * torch.tensor([[0.0, 0, 0], [-1, 0, 1], [0, 0, 0]]).double())
    assert torch.allclose(columns[0, 1], r / 2 * torch.tensor([[0.0, 1, 0], [0, 0, 0], [0, -1, 0]]).double())
    assert torch.allclose(columns[2, 0], r * r * torch.tensor([[0.0, 0, 0], [1, -2, 1], [0, 0, 0]]).double())
    assert torch.allclose(columns[1, 1], r * r / 4 * torch.tensor([[-1.0, 0, 1], [0, 0, 0], [1, 0, -1]]).double())


@pytest.mark.parametrize(("size", "accuracy"), [(3, 2), (5, 4), (7, 6), (7, 2)])
def test_accuracy_of_differences(size, accuracy):
    """Exact below order + accuracy in one variable, and not at it."""
    stencil = ball(size)
    w = stencil_derivatives(stencil, 2, discretization="differences", accuracy=accuracy)
    x = stencil.offsets[:, 0]
    second = w[:, indices_up_to(2, 2).index((2, 0))]
    for power in range(3, accuracy + 2):
        assert abs((second @ x**power).item()) < 1e-9
    assert abs((second @ x ** (accuracy + 2)).item()) > 1e-3


def test_fine_pixels_show_derivatives_of_gaussians():
    """At a width of many pixels, d^n of a Gaussian of that width, with the sign (-1)^n."""
    width, size = 5.0, 51
    stencil = BallStencil((size,), (1.0,), size / 2)
    w = stencil_derivatives(stencil, 3, width=width)
    x = stencil.lengths[:, 0] / width
    gaussian = torch.exp(-(x**2) / 2) / (width * math.sqrt(2 * math.pi))
    hermite = [torch.ones_like(x), x, x**2 - 1, x**3 - 3 * x]
    for n, h in enumerate(hermite):
        expected = h * gaussian * (stencil.radius / width) ** n
        assert relative(w[:, n], expected) < 1e-3  # cut off at five widths


@pytest.mark.parametrize("discretization", ["gaussian", "differences"])
def test_quarter_turns_permute_pixels(discretization):
    """Under the rotation x -> y, y -> -x the columns of d_x^i d_y^j become those of (-d_y)^i d_x^j."""
    w = stencil_derivatives(ball(5), 3, discretization=discretization)
    columns = {a: c.view(5, 5) for a, c in zip(indices_up_to(2, 3), w.T, strict=True)}
    for (i, j), c in columns.items():
        rotated = torch.rot90(c, 1, (0, 1))  # counter-clockwise: what was along x is along y
        assert torch.allclose(rotated, (-1) ** j * columns[j, i], atol=1e-12)


def test_hexagonal_stencils_and_default_widths():
    """Six neighbours and the point determine degree 2, and the masked corners of the window stay empty."""
    hexagon = HexagonalStencil(1)
    for discretization in ("gaussian", "differences"):
        w = stencil_derivatives(hexagon, 2, discretization=discretization)
        outside = hexagon.weights == 0
        outside[hexagon.centre] = False
        assert outside.sum() == 2
        assert not w[outside].any()
        laplacian = w[:, 3] + w[:, 5]
        v = hexagon.offsets
        assert (laplacian @ v.square().sum(1)).item() == pytest.approx(4)
    assert [default_width(ball(n)) for n in (3, 5, 7)] == pytest.approx([1, 1.3, 1.6])


def test_wrong_options():
    with pytest.raises(ValueError, match=r"3 x 3 pixels does not determine derivatives of order 3.*`kernel_size`"):
        stencil_derivatives(ball(3), 3)
    with pytest.raises(ValueError, match="order 3"):
        stencil_derivatives(ball(3), 3, discretization="differences")
    with pytest.raises(ValueError, match="order 1"):
        stencil_derivatives(ball(3), 2, discretization="differences", accuracy=4)
    with pytest.raises(ValueError, match="'gaussian' or 'differences'"):
        stencil_derivatives(ball(3), 2, discretization="rbf")
    with pytest.raises(ValueError, match="`accuracy` 2, 4 or 6"):
        stencil_derivatives(ball(3), 2, discretization="differences", accuracy=3)
    with pytest.raises(ValueError, match="positive `width`"):
        stencil_derivatives(ball(3), 2, width=0.0)

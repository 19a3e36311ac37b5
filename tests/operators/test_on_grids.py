"""Operators on grids: exact on polynomials, of the order that they promise, right at every kind of border."""

from __future__ import annotations

import math

import pytest
import torch

from gaugenet.geometry import Grid
from gaugenet.groups import O2, FieldType
from gaugenet.kernels.finite_differences import central_width, difference_weights
from gaugenet.operators import covariant_derivative, curl, divergence, eth, ethbar, gradient, hessian, laplacian
from tests.tolerances import relative


def positions(grid: Grid) -> list[torch.Tensor]:
    """Coordinates x, y, ... of the frames, of shape `(1, 1, *shape)` each."""
    return [c.view(1, 1, *grid.shape) for c in grid.pos.T]


@pytest.mark.parametrize("accuracy", [2, 4, 6])
@pytest.mark.parametrize("order", [1, 2, 3])
def test_differences_are_exact_on_polynomials(order, accuracy):
    half = central_width(order, accuracy) // 2
    x = torch.arange(-half, half + 1, dtype=torch.float64)
    w = torch.tensor(difference_weights(x.tolist(), order), dtype=torch.float64)
    for power in range(order + accuracy):
        expected = math.factorial(order) if power == order else 0.0
        assert (w @ x**power).item() == pytest.approx(expected, abs=1e-9)
    assert abs((w @ x ** (order + accuracy)).item()) > 0.1
    with pytest.raises(ValueError, match="more than"):
        difference_weights(x.tolist(), 2 * half + 1)


@pytest.mark.parametrize("accuracy", [2, 4, 6])
def test_polynomials_are_exact_up_to_the_border(accuracy):
    grid = Grid((14, 12), spacing=(0.2, 0.3), radius=1.0)
    x, y = positions(grid)
    f = x**2 - 3 * x * y + 2 * y + y**2
    assert relative(gradient(f, grid, accuracy=accuracy), torch.cat([2 * x - 3 * y, 2 - 3 * x + 2 * y], 1)) < 1e-10
    assert relative(laplacian(f, grid, accuracy=accuracy), torch.full_like(f, 4.0)) < 1e-10
    second = hessian(f, grid, accuracy=accuracy)
    expected = torch.tensor([2.0, -3, -3, 2]).double().view(1, 4, 1, 1).expand_as(second)
    assert relative(second, expected) < 1e-10
    u = torch.cat([x * y, x**2 - y], 1)
    assert relative(divergence(u, grid, accuracy=accuracy), y - 1) < 1e-10
    assert relative(curl(u, grid, accuracy=accuracy), x) < 1e-10


@pytest.mark.parametrize("accuracy", [2, 4, 6])
def test_the_order_of_the_error(accuracy):
    """Periodic waves at two spacings: the error falls by 2^accuracy."""
    errors = []
    for n in (24, 48):
        grid = Grid((n, n), spacing=2 * math.pi / n, boundary="periodic", radius=1.0)
        x, y = positions(grid)
        errors.append(
            relative(laplacian(x.sin() * (2 * y).cos(), grid, accuracy=accuracy), -5 * x.sin() * (2 * y).cos())
        )
    assert math.log2(errors[0] / errors[1]) == pytest.approx(accuracy, abs=0.3)


@pytest.mark.parametrize("d", [1, 2, 3])
def test_mirrors(d):
    """A field that is its own mirror image: the derivative is what it is on the unfolded, periodic grid."""
    n = 9
    grid = Grid((n,) * d, boundary="reflect", kernel_size=3)
    whole = Grid((2 * n - 2,) * d, boundary="periodic", kernel_size=3)

    def waves(g: Grid) -> torch.Tensor:
        axes = [(math.pi * torch.arange(size, dtype=torch.float64) / (n - 1)).cos() for size in g.shape]
        return torch.stack(torch.meshgrid(*axes, indexing="ij")).prod(0)[None, None]

    f, unfolded = waves(grid), waves(whole)
    corner = (slice(None), slice(None), *(slice(0, n),) * d)
    for operator in (gradient, laplacian):
        assert relative(operator(f, grid), operator(unfolded, whole)[corner]) < 1e-12
    u = gradient(unfolded, whole)
    assert relative(divergence(u[corner], grid), divergence(u, whole)[corner]) < 1e-12


def test_quarter_turns_are_exact():
    """R = [[0, -1], [1, 0]]: fields rotate as `Grid` says, and so do their derivatives."""
    grid = Grid((11, 11))
    f = torch.randn(2, 3, 11, 11, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    rotation = torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=torch.float64)
    vectors = FieldType(O2(), "3x1")
    moved = torch.rot90(f, 1, (-2, -1))
    assert (
        relative(gradient(moved, grid), vectors.transform(rotation, torch.rot90(gradient(f, grid), 1, (-2, -1))))
        < 1e-12
    )
    assert relative(laplacian(moved, grid), torch.rot90(laplacian(f, grid), 1, (-2, -1))) < 1e-12
    assert relative(gradient(moved, grid), torch.rot90(gradient(f, grid), 1, (-2, -1))) > 0.1


def test_space_and_line():
    grid = Grid((7, 6, 8), spacing=0.5, radius=1.0)
    x, y, z = positions(grid)
    u = torch.cat([y * z, x**2, x * y - z], 1)
    assert relative(curl(u, grid), torch.cat([x, 0 * x, 2 * x - z], 1)) < 1e-10
    assert relative(divergence(u, grid), torch.full_like(x, -1.0)) < 1e-10
    line = Grid((9,), spacing=0.1, radius=0.2)
    (x,) = positions(line)
    assert relative(gradient(x**2, line), 2 * x) < 1e-10
    assert relative(laplacian(x**2, line), torch.full_like(x, 2.0)) < 1e-9


def test_identities_on_a_grid():
    """Differences along axes commute: div grad = ethbar eth is a Laplacian, and curl grad = 0, exactly."""
    grid = Grid((16, 16), boundary="periodic")
    f = torch.randn(1, 1, 16, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    u = gradient(f, grid)
    assert curl(u, grid).abs().max() < 1e-12
    assert relative(ethbar(eth(f, grid), grid), torch.cat([divergence(u, grid), curl(u, grid)], 1)) < 1e-12
    fields = FieldType(O2(), "1x0 + 1x1")
    nabla = covariant_derivative(torch.cat([f, u], 1), grid, fields)
    assert relative(nabla[:, :2], u) < 1e-12
    assert relative(nabla[:, 2] + nabla[:, 5], divergence(u, grid)[:, 0]) < 1e-12


def test_gradients_and_precision():
    grid = Grid((8, 8))
    f = torch.randn(1, 1, 8, 8, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: laplacian(x, grid, accuracy=4), f)
    assert laplacian(f.float(), grid).dtype == torch.float32


def test_what_cannot_be_differentiated():
    grid = Grid((8, 8))
    f = torch.zeros(1, 1, 8, 8)
    with pytest.raises(ValueError, match=r"`f` of shape \(batch, 1 C, 8, 8\)"):
        laplacian(f[..., 1:], grid)
    with pytest.raises(ValueError, match="2 C"):
        divergence(f, grid)
    with pytest.raises(ValueError, match="`accuracy` 2, 4 or 6"):
        laplacian(f, grid, accuracy=3)
    with pytest.raises(ValueError, match="`degree`, which is for graphs"):
        laplacian(f, grid, degree=3)
    with pytest.raises(ValueError, match="at least 8 pixels"):
        laplacian(torch.zeros(1, 1, 8, 4), Grid((8, 4), kernel_size=3), accuracy=6)
    with pytest.raises(ValueError, match="mirrors"):
        eth(f, Grid((8, 8), boundary="reflect", group=O2()))
    with pytest.raises(ValueError, match="dimension 2 or 3"):
        curl(torch.zeros(1, 1, 8), Grid((8,)))
    with pytest.raises(ValueError, match="dimension 2"):
        eth(torch.zeros(1, 1, 8), Grid((8,)))

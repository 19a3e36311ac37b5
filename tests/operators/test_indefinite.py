"""Operators where squares of lengths may be negative: d'Alembertians are found, Laplacians are refused."""

import pytest
import torch

from gaugenet.geometry import Grid, GStructure, Minkowski
from gaugenet.groups import SO2, FieldType, GeneralLinear, PseudoOrthogonal
from gaugenet.kernels import DifferentialSpace
from gaugenet.operators import apply_operator, as_matrix, curl, divergence, eth, gradient, hessian, laplacian
from tests.tolerances import relative

GROUP = PseudoOrthogonal(1, 1)
WAVE = torch.tensor([0.0, 1.0])
GRID = Grid((12, 10), radius=2.0, signature=(1, 1))


def dalembertian(group=GROUP):
    scalars = FieldType(group, "1x0")
    return DifferentialSpace(scalars, scalars, max_order=2)


def test_dalembertian_in_boosted_frames():
    """Fits do not depend on lengths, so frames may be boosted at every point."""
    space, generator = Minkowski(2), torch.Generator().manual_seed(0)
    p = torch.rand(120, 2, generator=generator, dtype=torch.float64)
    frames = GROUP.random_element(120, generator=generator)
    graph = space.gauge_graph(p, radius=0.5, structure=GStructure(GROUP, frames), dtype=torch.float64)
    t, x = p[:, :1], p[:, 1:]
    found = apply_operator(dalembertian(), WAVE, 3 * t**2 + t * x + 5 * x**2, graph)
    assert relative(found, torch.full_like(found, 6.0 - 10.0)) < 1e-8
    with pytest.raises(ValueError, match="`apply_operator` with a `DifferentialSpace` of that group"):
        laplacian(t, graph)


def test_gradients_of_coordinates_in_skew_frames():
    """A gradient is a covector: its coefficients are the values on the frame vectors."""
    group, generator = GeneralLinear(2), torch.Generator().manual_seed(0)
    p = torch.rand(120, 2, generator=generator, dtype=torch.float64)
    frames = group.random_element(120, generator=generator)
    graph = Minkowski(2).gauge_graph(p, radius=0.5, structure=GStructure(group, frames), dtype=torch.float64)
    space = DifferentialSpace(FieldType(group, "1x0"), FieldType(group, "1xdual"), max_order=1)
    assert relative(apply_operator(space, torch.ones(1), p[:, :1], graph), frames[:, 0]) < 1e-7


@pytest.mark.parametrize("operator", [gradient, curl, laplacian, eth], ids=lambda f: f.__name__)
def test_operators_that_need_lengths_refuse_grids_of_space_time(operator):
    f = torch.zeros(1, 2, *GRID.shape)
    for call in (lambda: operator(f, GRID), lambda: as_matrix(operator, GRID)):
        with pytest.raises(ValueError, match=r"signature \(1, 1\): use `apply_operator`"):
            call()
    operator(f, GRID.replace(signature=(2, 0)))


def test_operators_without_lengths_take_grids_of_space_time():
    f = torch.zeros(1, 2, *GRID.shape)
    assert divergence(f, GRID).shape == (1, 1, *GRID.shape)
    assert hessian(f, GRID).shape == (1, 8, *GRID.shape)


def test_grids_refuse_operators_of_a_group_that_changes_the_metric():
    x, y = (c.view(1, 1, *GRID.shape) for c in GRID.pos.T)
    found = apply_operator(dalembertian(), WAVE, 3 * x**2 + 5 * y**2, GRID)
    assert relative(found, torch.full_like(found, 6.0 - 10.0)) < 1e-10
    with pytest.raises(ValueError, match="preserves the metric of the grid"):
        apply_operator(dalembertian(SO2()), WAVE, x, GRID)

"""Fields as plane waves: wave vectors in the frame of the grid, derivatives, exact motions."""

from __future__ import annotations

import math

import pytest
import torch

from gaugenet.data.physics.fourier import FourierSpace
from gaugenet.geometry import FieldAction, Grid
from gaugenet.taxonomy.transformations import rotation
from tests.tolerances import TOL, relative

EXACT = TOL[torch.float64]
GRIDS = [
    Grid((8, 10), spacing=(0.5, 0.25), boundary="periodic", radius=1.0),
    Grid((9, 7), boundary="periodic"),
    Grid((6, 8, 5), spacing=(1.0, 0.5, 0.3), boundary="periodic", radius=1.0),
]


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_derivatives_along_the_axes_of_the_frame(grid):
    """Of waves in every direction."""
    space = FourierSpace(grid)
    for axis in range(grid.d):
        n = torch.zeros(grid.d, dtype=torch.float64)
        n[axis], n[(axis + 1) % grid.d] = 1.0, -2.0
        lengths = torch.tensor([m * h for m, h in zip(grid.shape, grid.spacing, strict=True)]).flip(0)
        k = 2 * math.pi * n / lengths
        phase = (grid.pos @ k.double()).reshape(grid.shape)
        found = space.synthesis(1j * space.k * space.analysis(phase.sin()))
        expected = k.double().view(-1, *[1] * grid.d) * phase.cos()
        assert relative(found, expected) < 1e-7  # k in float32 above


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_analysis_and_synthesis_are_inverse(grid):
    field = torch.randn(2, *grid.shape, dtype=torch.float64)
    space = FourierSpace(grid)
    assert relative(space.synthesis(space.analysis(field)), field) < EXACT


@pytest.mark.parametrize("size", [8, 9])
def test_motions_are_exact(size):
    """By 90 degrees as pixels move; by 30 degrees as a wave in another direction."""
    grid = Grid((size, size), spacing=0.7, boundary="periodic")
    space, field = FourierSpace(grid), torch.randn(3, size, size, dtype=torch.float64)
    field = space.synthesis(space.analysis(field) * space.below(0.9))
    quarter = rotation(90)
    assert relative(space.moved(field, quarter), FieldAction()(quarter, field[None])[0]) < 1e-10
    k = 2 * math.pi * torch.tensor([1.0, -2.0], dtype=torch.float64) / (0.7 * size)
    g = rotation(30)
    expected = (grid.pos @ (g @ k)).cos().view(grid.shape)
    assert relative(space.moved((grid.pos @ k).cos().view(grid.shape), g), expected) < 1e-10
    assert relative(space.moved((grid.pos @ k).cos().view(grid.shape), g.T), expected) > 0.1

"""Fields of moving charges: Maxwell's equations, Gauss's law, Coulomb's field, boosts, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from gaugenet.data.physics.charges import MovingCharges, faraday_fields, random_charges
from gaugenet.geometry import Grid
from gaugenet.groups import CliffordAlgebra, PseudoOrthogonal, faraday
from tests.tolerances import TOL, relative

EXACT = TOL[torch.float64]


def uniform(velocity: list[float]) -> MovingCharges:
    one, zero = torch.ones(1, dtype=torch.float64), torch.zeros(1, 3, dtype=torch.float64)
    return MovingCharges(1.5 * one, zero, torch.tensor([velocity], dtype=torch.float64), zero, one, one)


def events(count: int = 20, seed: int = 0) -> torch.Tensor:
    return 3 + torch.randn(count, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def derivative(function, x: torch.Tensor, axis: int, h: float = 2e-3) -> torch.Tensor:
    """Central differences of order six."""
    step = torch.zeros(4, dtype=torch.float64)
    step[axis] = h
    weights = {1: 45, 2: -9, 3: 1}
    return sum(w * (function(x + k * step) - function(x - k * step)) for k, w in weights.items()) / (60 * h)


def test_maxwell_equations_hold_away_from_the_charges():
    charges, x = MovingCharges.random(3, seed=1), events()

    def both(x: torch.Tensor) -> torch.Tensor:
        return torch.cat(charges.fields(x), -1)

    slopes = torch.stack([derivative(both, x, axis) for axis in range(4)])  # (t x y z, events, E B)
    electric, magnetic = slopes[..., :3], slopes[..., 3:]

    def curl(s: torch.Tensor) -> torch.Tensor:
        return torch.stack([s[2, :, 2] - s[3, :, 1], s[3, :, 0] - s[1, :, 2], s[1, :, 1] - s[2, :, 0]], -1)

    size = slopes.abs().max()
    for divergence in (electric, magnetic):
        assert sum(divergence[i + 1, :, i] for i in range(3)).abs().max() < 1e-8 * size
    assert (curl(electric) + magnetic[0]).abs().max() < 1e-8 * size
    assert (curl(magnetic) - electric[0]).abs().max() < 1e-8 * size
    assert (curl(magnetic) + electric[0]).abs().max() > 1e-3 * size
    assert electric[0].abs().max() > 1e-3 * size, "not a static field"


def test_gauss_law_counts_the_charge():
    """The flux through a sphere around oscillating charges, at one time, is 4 pi times the charge inside: conserved."""
    charges = MovingCharges.random(3, spread=0.3, speed=0.2, seed=3)
    nodes, weights = (torch.from_numpy(a) for a in np.polynomial.legendre.leggauss(60))
    azimuth = torch.arange(120, dtype=torch.float64) * 2 * math.pi / 120
    z, phi = (a.flatten() for a in torch.meshgrid(nodes, azimuth, indexing="ij"))
    n = torch.stack([(1 - z**2).sqrt() * phi.cos(), (1 - z**2).sqrt() * phi.sin(), z], -1)
    for time in (-0.5, 0.0, 0.8):
        x = torch.cat([torch.full((len(n), 1), time, dtype=torch.float64), 2 * n], -1)
        flux = ((charges.fields(x)[0] * n).sum(-1) * 4 * weights.repeat_interleave(120) * 2 * math.pi / 120).sum()
        assert abs(float(flux) / (4 * math.pi * float(charges.charge.sum())) - 1) < 1e-8


def test_light_left_when_it_should():
    charges, x = MovingCharges.random(5, speed=0.45, seed=2), events()
    s = charges.retarded_times(x)
    delay = x[:, :1] - s
    assert relative(delay, torch.linalg.vector_norm(x[:, None, 1:] - charges.path(s)[0], dim=-1)) < EXACT
    assert (delay > 0).all()


@pytest.mark.parametrize("velocity", [[0.0, 0, 0], [0.6, 0, 0], [0.3, -0.4, 0.5]])
def test_a_charge_in_uniform_motion_is_a_boosted_charge_at_rest(velocity):
    """Coulomb's field, boosted as a bivector, at 1e-12."""
    algebra, group = CliffordAlgebra(1, 3), PseudoOrthogonal(1, 3)
    speed, x = torch.linalg.vector_norm(torch.tensor(velocity, dtype=torch.float64)), events()
    generator = torch.zeros(4, 4, dtype=torch.float64)
    if speed > 0:
        generator[0, 1:] = generator[1:, 0] = torch.tensor(velocity, dtype=torch.float64) / speed * speed.atanh()
    g = torch.linalg.matrix_exp(generator)  # from the rest frame of the charge
    rest = x @ torch.linalg.inv(g).T
    coulomb = 1.5 * rest[:, 1:] / torch.linalg.vector_norm(rest[:, 1:], dim=1, keepdim=True) ** 3
    expected = faraday(coulomb, torch.zeros_like(coulomb), algebra) @ group.exterior(2)(g).T
    moving = uniform(velocity)
    assert relative(moving.faraday(x, algebra), expected) < 10 * EXACT
    at_rest = uniform([0.0, 0, 0])
    assert relative(at_rest.faraday(x, algebra, boost=g), expected) < 10 * EXACT
    if speed > 0:
        assert relative(at_rest.faraday(x, algebra), expected) > 0.05


@pytest.mark.parametrize("signature", [(1, 2), (2, 1)])
def test_boosted_sets_are_the_same_charges_seen_by_another(signature):
    """And at the origin, one event for all, exactly by the representation."""
    shape = (5, 7, 7) if signature == (2, 1) else (7, 7, 5)
    grid = Grid(shape, spacing=0.2, kernel_size=3, signature=signature)
    group = PseudoOrthogonal(*signature)
    g = group.boost(math.atanh(0.3))
    charges = random_charges(2, grid, seed=4, boosts=[g])
    plain, same, boosted = (faraday_fields(charges, grid, boost=b) for b in (None, group.identity(), g))
    assert plain.shape == (2, 3, *shape)
    assert relative(same, plain) < EXACT
    assert relative(boosted, plain) > 0.01
    middle = grid.num_nodes // 2
    assert (grid.pos[middle] == 0).all()
    expected = group.exterior(2)(g) @ plain[0].flatten(1)[:, middle]
    assert relative(boosted[0].flatten(1)[:, middle], expected) < EXACT


def test_bad_input():
    with pytest.raises(ValueError, match="speed of light"):
        uniform([0.8, 0.8, 0])
    with pytest.raises(ValueError, match="below one half"):
        MovingCharges.random(1, speed=0.7)
    charges = MovingCharges.random(2, seed=0)
    with pytest.raises(ValueError, match="time first"):
        charges.fields(torch.zeros(3))
    with pytest.raises(ValueError, match="in the plane"):
        charges.faraday(torch.zeros(1, 3), CliffordAlgebra(1, 2))
    with pytest.raises(ValueError, match="3 coordinates"):
        charges.faraday(torch.zeros(1, 4), CliffordAlgebra(1, 2))
    with pytest.raises(ValueError, match="element of"):
        charges.faraday(events(), CliffordAlgebra(1, 3), boost=2 * torch.eye(4, dtype=torch.float64))
    with pytest.raises(ValueError, match="on the path"):
        uniform([0.0, 0, 0]).fields(torch.zeros(1, 4))
    with pytest.raises(ValueError, match="signature"):
        random_charges(1, Grid((4, 4, 4), kernel_size=3))
    with pytest.raises(ValueError, match="smaller one"):
        random_charges(1, Grid((4, 4, 4), kernel_size=3, signature=(1, 2)), clearance=1e3)

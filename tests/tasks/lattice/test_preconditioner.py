"""Preconditioners: linear, gauge equivariant on every level, and the same weights on larger lattices."""

from __future__ import annotations

import pytest
import torch

from gaugenet.geometry import LatticeGaugeField
from gaugenet.groups import SU, U1
from gaugenet.tasks.lattice.preconditioner import Preconditioner
from tests.geometry.lattice.cases import random_field, random_gauge
from tests.tolerances import TOL, relative

EXACT = TOL[torch.float64]


@pytest.mark.parametrize(
    ("group", "shape", "spins", "levels"),
    [(U1(), (12, 12), 2, 3), (SU(3), (6, 6), 2, 2), (U1(), (6, 6, 6), 2, 2)],
    ids=str,
)
def test_networks_are_linear_and_equivariant(group, shape, spins, levels):
    torch.manual_seed(0)
    field = random_field(group, shape, antiperiodic=[0])
    network = Preconditioner(group, d=len(shape), spins=spins, layers=2, channels=2, levels=levels)
    psi, phi = torch.randn(2, 2, spins, *shape, group.d, dtype=torch.complex128).unbind(0)
    omega = random_gauge(field)

    def moved(v):
        return (omega[:, None] @ v[..., None])[..., 0]

    with torch.no_grad():
        y = network(psi, field)
        assert relative(network(moved(psi), field.gauge_transform(omega)), moved(y)) < EXACT
        assert relative(network(psi + 2j * phi, field), y + 2j * network(phi, field)) < EXACT
        assert relative(network(moved(psi), field), moved(y)) > 0.1  # control: links are not transformed
        larger = LatticeGaugeField.random(group, [2 * n for n in shape], antiperiodic=[0])
        assert network(torch.ones(1, spins, *larger.shape, group.d, dtype=torch.complex128), larger).isfinite().all()


def test_coarse_levels_reach_further():
    """One site influences sites up to the number of steps away; a level more doubles the distance of a step."""
    torch.manual_seed(0)
    field = random_field(U1(), (24, 24), batch=1)
    psi = torch.zeros(1, 2, 24, 24, 1, dtype=torch.complex128)
    psi[:, :, 0, 0] = 1
    reach = []
    for levels in (1, 2, 3):
        network = Preconditioner(U1(), layers=2, channels=2, levels=levels)
        with torch.no_grad():
            along = network(psi, field)[0, :, :13, 0].abs().sum((0, 2))
        reach.append(int(along.nonzero().max()))
    assert reach[0] == 2
    assert reach[0] < reach[1] < reach[2]


def test_arguments():
    with pytest.raises(ValueError, match="levels"):
        Preconditioner(U1(), layers=2, channels=2, levels=0)
    network = Preconditioner(U1(), layers=2, channels=2, levels=3)
    field = random_field(U1(), (8, 8), batch=1)
    psi = torch.zeros(1, 2, 8, 8, 1, dtype=torch.complex128)
    for given, message in [
        (psi.real, "complex128 like the links"),
        (psi[..., :4, :], "shape"),
        (psi[:, :1], "channels"),
    ]:
        with pytest.raises(ValueError, match=message):
            Preconditioner(U1(), layers=2, channels=2)(given, field)
    with pytest.raises(ValueError, match="`channels`"):
        Preconditioner(U1(), layers=2, channels=0)
    with pytest.raises(ValueError, match="at least 6"):
        network(torch.zeros(1, 2, 8, 8, 1, dtype=torch.complex128), random_field(U1(), (8, 8), batch=1))

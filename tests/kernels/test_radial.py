"""Radial functions are continuous, vanish at the centre, and add up to one between the peaks."""

from __future__ import annotations

import pytest
import torch

from gaugenet.kernels import Rings


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_rings(count):
    rings = Rings(count)
    r = torch.linspace(0, 1.2, 20001, dtype=torch.float64)
    phi = rings(r)
    assert phi.shape == (20001, count)
    assert torch.equal(rings(torch.zeros(3)), torch.zeros(3, count))
    assert (phi >= 0).all()
    assert (phi.diff(dim=0).abs().max() / r[1]) <= 2 * count * (1 + 1e-9)  # Lipschitz, so continuous
    between = (r >= 0.5 / count) & (r <= (count - 0.5) / count)
    assert torch.allclose(phi[between].sum(1), torch.ones((), dtype=torch.float64), rtol=0, atol=1e-12)
    peaks = (torch.arange(count, dtype=torch.float64) + 0.5) / count
    assert torch.allclose(rings(peaks), torch.eye(count, dtype=torch.float64))
    assert rings(torch.ones(1, dtype=torch.float64))[0, -1] == pytest.approx(0.5)


def test_control_the_sum_is_not_one_near_the_centre():
    assert Rings(3)(torch.tensor([0.05])).sum() < 0.5


@pytest.mark.parametrize("count", [0, -1, 1.5, None, "2"])
def test_counts_are_positive_integers(count):
    with pytest.raises(ValueError, match="`rings`"):
        Rings(count)


def test_equality():
    assert Rings(2) == Rings(2) != Rings(3)
    assert len({Rings(2), Rings(2), Rings(3)}) == 2
    assert repr(Rings(2)) == "Rings(2)"

"""Radial profiles from a network: still steerable, smooth, of few weights, trained, sampled once in evaluation."""

from __future__ import annotations

import copy

import pytest
import torch

from gaugenet.geometry import Grid
from gaugenet.geometry.grids.action import FieldAction
from gaugenet.groups import O2, PseudoOrthogonal, multivector
from gaugenet.kernels import Clifford
from gaugenet.nn import GaugeConv, with_radial_network
from tests.tolerances import TOL, relative

CASES = [
    (O2(), Grid((7, 7), kernel_size=7, signature=(2, 0)), [[0.0, -1.0], [1.0, 0.0]]),
    (PseudoOrthogonal(1, 1), Grid((7, 7), kernel_size=7, signature=(1, 1)), [[-1.0, 0.0], [0.0, 1.0]]),
]
every_case = pytest.mark.parametrize(("group", "grid", "g"), CASES, ids=lambda c: str(c)[:12])


def layer(group, **options) -> GaugeConv:
    torch.manual_seed(0)
    kind = multivector(group, multiplicity=2)
    return with_radial_network(GaugeConv(kind, kind, kernel=Clifford(rings=16), **options), features=4).double()


@every_case
def test_kernels_are_steerable(group, grid, g):
    conv, g = layer(group), torch.tensor(g, dtype=torch.float64)
    x = torch.randn(1, conv.in_type.size, 7, 7, dtype=torch.float64)
    y = FieldAction(conv.out_type)(g, conv(x, grid))
    assert relative(conv(FieldAction(conv.in_type)(g, x), grid), y) < TOL[torch.float64]
    assert relative(conv(FieldAction(None)(g, x), grid), y) > 1e-3
    element, v = group.random_element(), torch.randn(9, 2, dtype=torch.float64)
    rho = conv.in_type.representation()(element)
    moved = conv.kernels.evaluate(conv.weight, v @ element.T)
    assert (
        relative(moved, rho @ conv.kernels.evaluate(conv.weight, v) @ torch.linalg.inv(rho)) < 100 * TOL[torch.float64]
    )


@every_case
def test_profiles_are_smooth_and_have_few_weights(group, grid, g):
    conv = layer(group)
    own = conv.parametrizations.weight
    assert own.original.numel() == conv.kernels.num_weights // 4
    profile = own[0].profile().detach()
    assert profile.diff(n=2, dim=0).abs().max() < 0.5 * profile.abs().max()
    free = torch.randn(conv.kernels.num_weights, dtype=torch.float64)
    conv.weight = free  # the nearest profiles
    within = conv.weight.detach()
    conv.weight = within
    assert relative(conv.weight, within) < 1e-8
    assert relative(within, free) > 0.1


def test_it_learns_a_smooth_profile():
    """Targets from free weights that are a smooth function of the radius."""
    group, grid = O2(), Grid((9, 9), kernel_size=7, signature=(2, 0))
    kind = multivector(group, (1,))
    target = GaugeConv(kind, kind, kernel=Clifford(rings=12))
    with torch.no_grad():
        target.weight.copy_(torch.linspace(-1, 1, 12).repeat(2))
    conv = with_radial_network(GaugeConv(kind, kind, kernel=Clifford(rings=12)), features=3, hidden=8)
    optimizer, losses = torch.optim.Adam(conv.parameters(), 0.02), []
    x = torch.randn(8, 2, 9, 9)
    y = target(x, grid).detach()
    for _ in range(150):
        loss = (conv(x, grid) - y).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.1 * losses[0]
    assert all(p.grad.abs().max() > 0 for p in conv.parameters() if p.numel())


def test_copies_groups_and_evaluation():
    group, grid = O2(), Grid((7, 7), kernel_size=7, signature=(2, 0))
    conv = layer(group, groups=2).eval()
    x = torch.randn(1, conv.in_type.size, 7, 7, dtype=torch.float64)
    with torch.no_grad():
        y = conv(x, grid)
        assert torch.equal(copy.deepcopy(conv)(x, grid), y)
        again = layer(group, groups=2).eval()
        again.load_state_dict(conv.state_dict())
        assert torch.equal(again(x, grid), y)
        conv.parametrizations.weight[0].read.bias.add_(1)
        assert relative(conv(x, grid), y) > 1e-3, "a change of the network is noticed"


def test_bad_input():
    kind = multivector(O2())
    with pytest.raises(ValueError, match="kernel=Clifford"):
        with_radial_network(GaugeConv(kind, kind))
    with pytest.raises(ValueError, match="without a radial network"):
        with_radial_network(layer(O2()))
    with pytest.raises(ValueError, match="`features`"):
        with_radial_network(GaugeConv(kind, kind, kernel=Clifford()), features=0)

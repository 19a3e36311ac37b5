"""Loops that grow by doubling are exact, for other groups and dimensions too; deep networks need the trace norm."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gaugenet.geometry import LatticeGaugeField
from gaugenet.groups import SU, U1
from gaugenet.nn import LatticeBlock, LoopFeatures, TraceNorm, TraceReadout, matrix_type
from gaugenet.tasks.lattice.wilson_loops import doublings, fit_by_doubling


def field(group, shape, *, batch=2, seed=0) -> LatticeGaugeField:
    return LatticeGaugeField.random(
        group, shape, batch=batch, spread=0.7, generator=torch.Generator().manual_seed(seed)
    )


@pytest.mark.parametrize("sides", [(1, 1), (1, 2), (2, 1), (4, 4), (1, 8), (8, 2)])
def test_doublings_end_at_the_loop(sides):
    stages = doublings(*sides)
    r, t = 1, 1
    for stage in stages:
        before = (r, t)
        r, t = stage.r, stage.t
        assert stage.steps == before[stage.axis]
        assert r * t == 2 * before[0] * before[1]
    assert (r, t) == sides


@pytest.mark.parametrize("sides", [(3, 1), (1, 0), (2, 6)])
def test_other_sides_are_refused(sides):
    with pytest.raises(ValueError, match="power of two"):
        doublings(*sides)


@pytest.mark.parametrize(
    ("group", "shape", "sides"),
    [(U1(), (6, 6), (2, 2)), (SU(2), (6, 6), (1, 2)), (SU(2), (6, 6), (2, 2)), (SU(3), (4, 4, 4), (1, 1))],
    ids=str,
)
def test_a_network_learns_a_loop_exactly(group, shape, sides):
    network = fit_by_doubling(field(group, shape), *sides, seconds=40)
    unseen = field(group, tuple(n + 1 for n in shape), batch=1, seed=5)
    y = unseen.wilson_loop(0, 1, *sides).real
    with torch.no_grad():
        assert (network(unseen) - y).square().mean() < 1e-18
        assert (network(unseen) - unseen.wilson_loop(0, 1, 1, 3).real).square().mean() > 1e-2  # control: another loop


class Deep(nn.Module):
    """Six blocks, with or without a norm after each."""

    def __init__(self, group, *, norm: bool) -> None:
        super().__init__()
        self.loops, hidden = LoopFeatures(group, 2), matrix_type(group, 2)
        types = [self.loops.out_type, *[hidden] * 6]
        self.blocks = nn.ModuleList(LatticeBlock(a, hidden, d=2) for a in types[:-1])
        self.norm = TraceNorm(hidden) if norm else nn.Identity()
        self.readout, self.linear = TraceReadout(hidden), nn.Linear(4, 1)
        self.double()

    def forward(self, domain):
        x = self.loops(domain)
        for block in self.blocks:
            x = self.norm(block(x, domain))
        return self.linear(self.readout(x).movedim(1, -1))[..., 0]


def trained(*, norm: bool, steps: int = 40) -> tuple[float, float]:
    """The error before and after training on 1 x 2 loops, in units of their variance."""
    torch.manual_seed(0)
    domain = field(SU(2), (4, 4), batch=4)
    y = domain.wilson_loop(0, 1, 1, 2).real
    network = Deep(SU(2), norm=norm)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    errors = []
    for _ in range(steps):
        loss = (network(domain) - y).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        errors.append(loss.item() / y.var().item())
    return errors[0], errors[-1]


def test_six_layers_train_by_the_trace_norm():
    before, after = trained(norm=True)
    assert before < 30
    assert after < 0.5
    _, control = trained(norm=False, steps=40)  # products of 64 matrices: far too large or too small to be trained
    assert not control < 0.9

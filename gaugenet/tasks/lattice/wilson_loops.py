"""LoopNetwork: Wilson loops from links, with exact fits from the traces alone or loop by loop."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gaugenet.geometry import LatticeGaugeField
from gaugenet.geometry.lattice.loops import rectangle
from gaugenet.groups import UnitaryGroup, real_fields
from gaugenet.nn import LatticeBlock, LoopFeatures, TraceReadout, matrix_type
from gaugenet.tasks.lattice.least_squares import gauss_newton, lbfgs


class LoopNetwork(nn.Module):
    """Plaquettes, a `LatticeBlock` for each number of steps, traces, and a linear map to one number per site.

    Each block doubles the area of the loops that the network can represent (:cite:`favoni2022lattice`).

    Shapes:
        field: a `LatticeGaugeField` -> `(B, *shape)`.

    Equivariance: exact, the output is invariant; 5e-15 absolute in float64.

    Args:
        group: the group of the links.
        steps: reach of the convolution of each block.
        d: dimension of the lattice.
    """

    def __init__(self, group: UnitaryGroup, steps: Sequence[int], *, d: int = 2) -> None:
        super().__init__()
        self.loops, one = LoopFeatures(group, d), matrix_type(group, 1)
        self.steps = tuple(steps)
        types = [self.loops.out_type, *[one] * len(self.steps)]
        self.blocks = nn.ModuleList(LatticeBlock(a, one, d=d, steps=k) for a, k in zip(types, self.steps, strict=False))
        self.traces = TraceReadout(types[-1])
        self.linear = nn.Linear(self.traces.out_type.size, 1)
        self.double()

    def forward(self, field: LatticeGaugeField) -> Float[Tensor, "batch *shape"]:
        x = self.loops(field)
        for block, steps in zip(self.blocks, self.steps, strict=True):
            x = block(x, field.with_paths(steps=steps))
        y: Tensor = self.linear(self.traces(x).movedim(1, -1))
        return y[..., 0]


def fit_exactly(
    group: UnitaryGroup,
    steps: Sequence[int],
    field: LatticeGaugeField,
    y: Float[Tensor, "batch *shape"],
    *,
    seconds: float,
    starts: int = 20,
) -> LoopNetwork:
    """Return the best network of several starts; L-BFGS finds an exact solution from some of them.

    Args:
        group: of the links.
        steps: of each block, see `LoopNetwork`.
        field: links of the training set.
        y: values at their sites.
        seconds: CPU time.
        starts: largest number of starts.
    """
    best, lowest, begin = LoopNetwork(group, steps), math.inf, time.process_time()
    for start in range(starts):
        left = seconds - (time.process_time() - begin)
        if left <= 0 or lowest < 1e-13:
            break
        torch.manual_seed(start)
        network = LoopNetwork(group, steps)

        def loss(network: LoopNetwork = network) -> Tensor:
            difference: Tensor = network(field) - y
            return difference.square().mean()

        value = lbfgs(loss, network, seconds=min(left, seconds / 4), enough=1e-9)
        if value < 1e-4:
            value = gauss_newton(network, (field,), y)
        if value < lowest:
            best, lowest = network, value
    return best


@dataclass(frozen=True)
class Doubling:
    """A block of `fit_by_doubling`: two loops of half the size, `steps` apart along `axis`, form an `r x t` loop."""

    r: int
    t: int
    axis: int
    steps: int


def doublings(r: int, t: int) -> list[Doubling]:
    """Return the stages in which a plaquette grows to an `r x t` loop, beginning with the shorter side.

    Raises:
        ValueError: If a side is not a power of two.

    Example:
        >>> from gaugenet.tasks.lattice.wilson_loops import doublings
        >>> [(stage.r, stage.t, stage.steps) for stage in doublings(2, 4)]
        [(1, 2, 1), (2, 2, 1), (2, 4, 2)]
    """
    for name, side in (("r", r), ("t", t)):
        if side < 1 or side & (side - 1):
            raise ValueError(f"Expected `{name}` as a power of two, got {side}: each block doubles one side of a loop.")
    stages, sides = [], [1, 1]
    while sides != [r, t]:
        axis = 0 if sides[1] == t or (sides[0] < r and sides[0] < sides[1]) else 1
        steps = sides[axis]
        sides[axis] *= 2
        stages.append(Doubling(sides[0], sides[1], axis, steps))
    return stages


def fit_by_doubling(field: LatticeGaugeField, r: int, t: int, *, seconds: float, starts: int = 5) -> LoopNetwork:
    """Return a network for `r x t` loops in the plane of the first two axes, trained block by block.

    A deep product of matrices has bad minima when only the traces of the last loop are known. Here each block learns
    the *matrix* of a loop of twice the area from the output of the previous block. The matrix is gauge covariant, so it
    is a valid target. A loop that grows along axis 0 is learned with the opposite orientation, because `LatticeBlock`
    multiplies by transported matrices from the right.

    Args:
        field: links of the training set.
        r: extent of the loop along axis 0, a power of two.
        t: extent of the loop along axis 1, a power of two.
        seconds: CPU time of each block.
        starts: largest number of random starts for each block.

    Raises:
        ValueError: If a side is not a power of two.
    """
    stages = doublings(r, t)
    network = LoopNetwork(field.group, [stage.steps for stage in stages], d=field.d)
    x = network.loops(field).detach()
    for block, stage in zip(network.blocks, stages, strict=True):
        goal, domain = _oriented_loop(field, stage), field.with_paths(steps=stage.steps)
        _fit_block(block, x, goal, domain, seconds=seconds, starts=starts)
        with torch.no_grad():
            x = block(x, domain)
    _fit_readout(network, x, field.wilson_loop(0, 1, r, t).real)
    return network


def _oriented_loop(field: LatticeGaugeField, stage: Doubling) -> Float[Tensor, "batch size *shape"]:
    loop = rectangle(field.links, 0, 1, stage.r, stage.t)
    return real_fields((loop.mH if stage.axis == 0 else loop)[:, None], 2)


def _fit_block(
    block: nn.Module,
    x: Float[Tensor, "batch in *shape"],
    goal: Float[Tensor, "batch out *shape"],
    domain: LatticeGaugeField,
    *,
    seconds: float,
    starts: int,
) -> None:
    """Fit a block from several starts, and keep the best weights."""

    def loss() -> Tensor:
        difference: Tensor = block(x, domain) - goal
        return difference.square().mean()

    best, lowest, begin = copy.deepcopy(block.state_dict()), math.inf, time.process_time()
    for start in range(starts):
        left = seconds - (time.process_time() - begin)
        if left <= 0 or lowest < 1e-24:
            break
        torch.manual_seed(start)
        for module in block.children():
            module.reset_parameters()  # type: ignore[operator]
        value = lbfgs(loss, block, seconds=min(left, seconds / 2), enough=1e-7)
        value = min(value, gauss_newton(block, (x, domain), goal))
        if value < lowest:
            best, lowest = copy.deepcopy(block.state_dict()), value
    block.load_state_dict(best)


def _fit_readout(network: LoopNetwork, x: Float[Tensor, "batch in *shape"], y: Float[Tensor, "batch *shape"]) -> None:
    """Fit the linear map of the traces by least squares."""
    with torch.no_grad():
        traces = network.traces(x).movedim(1, -1).flatten(0, -2)
        columns = torch.cat([traces, torch.ones_like(traces[:, :1])], 1)
        solution = torch.linalg.lstsq(columns, y.reshape(-1, 1), driver="gelsd").solution[:, 0]
        network.linear.weight.copy_(solution[None, :-1])
        network.linear.bias.copy_(solution[-1:])


__all__ = ["Doubling", "LoopNetwork", "doublings", "fit_by_doubling", "fit_exactly"]

"""LoopNetwork: Wilson loops from links, and its exact fit."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gaugenet.geometry import LatticeGaugeField
from gaugenet.groups import UnitaryGroup
from gaugenet.nn import LatticeBlock, LoopFeatures, TraceReadout, matrix_type
from gaugenet.tasks.lattice.least_squares import gauss_newton, lbfgs


class LoopNetwork(nn.Module):
    """Plaquettes, a `LatticeBlock` for each number of steps, traces, and a linear map to one number per site.

    Each block doubles the area of the loops that the network can represent (:cite:`favoni2022lattice`).

    Shapes:
        field: a `LatticeGaugeField` in two dimensions -> `(B, *shape)`.

    Equivariance: exact, the output is invariant; 5e-15 absolute in float64.
    """

    def __init__(self, group: UnitaryGroup, steps: Sequence[int]) -> None:
        super().__init__()
        self.loops, one = LoopFeatures(group, 2), matrix_type(group, 1)
        self.steps = tuple(steps)
        self.blocks = nn.ModuleList(LatticeBlock(one, one, d=2, steps=k) for k in self.steps)
        self.traces, self.linear = TraceReadout(one), nn.Linear(2, 1)
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
        starts: at most so many.
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
            value = gauss_newton(network, field, y)
        if value < lowest:
            best, lowest = network, value
    return best


__all__ = ["LoopNetwork", "fit_exactly"]

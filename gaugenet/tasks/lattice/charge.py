"""ChargeDensity: an invariant density, trained by its sum."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gaugenet.geometry import LatticeGaugeField
from gaugenet.groups import UnitaryGroup
from gaugenet.nn import LatticeBlock, LoopFeatures, TraceReadout, matrix_type


class ChargeDensity(nn.Module):
    """A perceptron, at each site, of the traces of plaquettes and of the output of a `LatticeBlock`.

    Shapes:
        field: a `LatticeGaugeField` -> `(B, *shape)`; the sum over the sites is the charge.

    Equivariance: exact, the output is invariant; 1e-14 absolute in float64.

    Args:
        group: the group of the links.
        d: dimension of the lattice.
        width: of the perceptron.
    """

    def __init__(self, group: UnitaryGroup, *, d: int = 2, width: int = 32) -> None:
        super().__init__()
        self.loops, hidden = LoopFeatures(group, d), matrix_type(group, 2)
        self.block = LatticeBlock(self.loops.out_type, hidden, d=d)
        self.readouts = nn.ModuleList([TraceReadout(self.loops.out_type), TraceReadout(hidden)])
        size = TraceReadout(self.loops.out_type).out_type.size + TraceReadout(hidden).out_type.size
        self.density = nn.Sequential(
            nn.Linear(size, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 1, bias=False)
        )
        self.double()

    def forward(self, field: LatticeGaugeField) -> Float[Tensor, "batch *shape"]:
        x = self.loops(field)
        traces = [readout(y) for readout, y in zip(self.readouts, (x, self.block(x, field)), strict=True)]
        density: Tensor = self.density(torch.cat(traces, 1).movedim(1, -1))
        return density[..., 0]


__all__ = ["ChargeDensity"]

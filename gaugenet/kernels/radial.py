"""Radial parts of kernels: functions of the geodesic distance over the neighbourhood's radius."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet.groups.group import positive


class Rings:
    """Linear hat functions on `count` rings of equal width, phi_k(0) = 0.

    Ring k has its peak at (k + 1/2) / count of the radius. Between the first and the last peak the rings sum to one;
    the first falls to zero at the centre, where a direction does not exist (the centre has its own weight, an
    intertwiner), the last to one half at the radius. They are continuous: a neighbour that moves a little moves the
    result a little.

    Args:
        count: number of rings, at least 1.
    """

    def __init__(self, count: int) -> None:
        self.count = positive("rings", count)

    def __call__(self, r: Float[Tensor, "*points"]) -> Float[Tensor, "*points rings"]:
        """phi_k(r) for r = distance / radius."""
        peaks = torch.arange(self.count, dtype=r.dtype, device=r.device) + 0.5
        scaled = (r * self.count).unsqueeze(-1)
        hats = (1 - (scaled - peaks).abs()).clamp(min=0)
        # the innermost half ring reaches down to the centre: twice as steep
        inner = torch.where(scaled < 0.5, 2 * scaled, hats[..., :1])
        return torch.cat([inner, hats[..., 1:]], -1)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Rings) and self.count == other.count

    def __hash__(self) -> int:
        return hash(("rings", self.count))

    def __repr__(self) -> str:
        return f"Rings({self.count})"

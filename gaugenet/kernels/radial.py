"""Radial parts of kernels: functions of the geodesic distance over the neighbourhood's radius."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet._validation import LARGEST_RINGS, positive


class RadialBasis(ABC):
    """Functions phi_k of r = distance / radius with phi_k(0) = 0: at the centre a direction does not exist.

    (The centre has its own weight, an intertwiner.) They are continuous: a neighbour that moves a little moves the
    result a little. Two with equal `repr` are the same functions.
    """

    count: int
    """Number of functions."""

    @abstractmethod
    def __call__(self, r: Float[Tensor, "*points"]) -> Float[Tensor, "*points rings"]:
        """phi_k(r)."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RadialBasis) and repr(self) == repr(other)

    def __hash__(self) -> int:
        return hash(repr(self))


class Rings(RadialBasis):
    """Linear hat functions on `count` rings of equal width, phi_k(0) = 0.

    Ring k has its peak at (k + 1/2) / count of the radius. Between the first and the last peak the rings sum to one;
    the first falls to zero at the centre, the last to one half at the radius.

    Args:
        count: number of rings, at least 1.
    """

    def __init__(self, count: int) -> None:
        self.count = positive("rings", count, at_most=LARGEST_RINGS)

    def __call__(self, r: Float[Tensor, "*points"]) -> Float[Tensor, "*points rings"]:
        peaks = torch.arange(self.count, dtype=r.dtype, device=r.device) + 0.5
        scaled = (r * self.count).unsqueeze(-1)
        hats = (1 - (scaled - peaks).abs()).clamp(min=0)
        # the innermost half ring reaches down to the centre: twice as steep
        inner = torch.where(scaled < 0.5, 2 * scaled, hats[..., :1])
        return torch.cat([inner, hats[..., 1:]], -1)

    def __repr__(self) -> str:
        return f"Rings({self.count})"


class GaussianRings(RadialBasis):
    """exp(-(r - r_k)^2 / 2 sigma^2): rings for pixel grids, whose distances are few and irregular.

    At the centre they are brought to zero by a factor 1 - exp(-2 r^2 / sigma^2), which is one from a distance of
    2 sigma on (to 4e-4): on pixels with sigma = 0.6 it changes the nearest neighbours by 0.4 %, all others by nothing.

    Args:
        radii: r_k, in units of the neighbourhood's radius.
        sigma: width, in the same units.

    Raises:
        ValueError: no ring, or a radius or width that is not positive.
    """

    def __init__(self, radii: Sequence[float], sigma: float) -> None:
        self.radii, self.sigma = tuple(float(r) for r in radii), float(sigma)
        if not self.radii or not all(r > 0 for r in (*self.radii, self.sigma)):
            raise ValueError(f"Expected positive `radii` (at least one) and `sigma`, got {self.radii} and {sigma}.")
        self.count = len(self.radii)

    def __call__(self, r: Float[Tensor, "*points"]) -> Float[Tensor, "*points rings"]:
        r = r.unsqueeze(-1)
        rings = torch.exp(-0.5 * ((r - torch.tensor(self.radii).to(r)) / self.sigma).square())
        return rings * -torch.expm1(-2 * (r / self.sigma).square())

    def __repr__(self) -> str:
        return f"GaussianRings({list(self.radii)}, {self.sigma})"

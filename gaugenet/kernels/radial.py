"""Radial parts of kernels: functions of the geodesic distance over the neighbourhood's radius."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet._validation import LARGEST_RINGS, positive


class RadialBasis(ABC):
    """Functions phi_k of r = distance / radius with phi_k(0) = 0, since a direction does not exist at the centre.

    (The centre has its own weight, an intertwiner.) The functions are continuous, so that a small displacement of a
    neighbour changes the result only a little. Two bases with equal `repr` are the same functions.

    Example:
        >>> import torch
        >>> from gaugenet.groups import SO2, FieldType
        >>> from gaugenet.kernels import HarmonicSpace, RadialBasis
        >>> class Linear(RadialBasis):
        ...     count = 1
        ...     def __call__(self, r):
        ...         return r[..., None]
        >>> scalars = FieldType(SO2(), "1x0")
        >>> space = HarmonicSpace(scalars, scalars, rings=Linear())
        >>> space.evaluate(torch.tensor([2.0]), torch.tensor([0.3, 0.4])).item()  # 2 |v|
        1.0
    """

    count: int
    """Number of functions."""

    @abstractmethod
    def __call__(self, r: Float[Tensor, "*points"]) -> Float[Tensor, "*points rings"]:
        """Return phi_k(r) for all k."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RadialBasis) and repr(self) == repr(other)

    def __hash__(self) -> int:
        return hash(repr(self))


class Rings(RadialBasis):
    """Linear hat functions on `count` rings of equal width, phi_k(0) = 0.

    Ring k has its peak at (k + 1/2) / count of the radius. Between the first and the last peak the rings sum to one.
    The first falls to zero at the centre, the last to one half at the radius.

    Args:
        count: number of rings, at least 1.

    Example:
        >>> import torch
        >>> from gaugenet.kernels import Rings
        >>> Rings(2)(torch.tensor([0.0, 0.25, 0.5, 1.0])).tolist()
        [[0.0, 0.0], [1.0, 0.0], [0.5, 0.5], [0.0, 0.5]]
    """

    def __init__(self, count: int) -> None:
        self.count = positive("rings", count, at_most=LARGEST_RINGS)

    def __call__(self, r: Float[Tensor, "*points"]) -> Float[Tensor, "*points rings"]:
        peaks = torch.arange(self.count, dtype=r.dtype, device=r.device) + 0.5
        scaled = (r * self.count).unsqueeze(-1)
        hats = (1 - (scaled - peaks).abs()).clamp(min=0)
        # The inner half of the first ring falls to zero at the centre: it is twice as steep.
        inner = torch.where(scaled < 0.5, 2 * scaled, hats[..., :1])
        return torch.cat([inner, hats[..., 1:]], -1)

    def __repr__(self) -> str:
        return f"Rings({self.count})"


class GaussianRings(RadialBasis):
    """Gaussians exp(-(r - r_k)^2 / 2 sigma^2): rings for pixel grids :cite:`weiler2018learning`.

    A factor 1 - exp(-2 r^2 / sigma^2) makes them zero at the centre. It is one at distances above 2 sigma (to 4e-4). On
    pixels with sigma = 0.6 it changes the nearest neighbours by 0.4 %, and others by less than rounding.

    Args:
        radii: r_k, in units of the neighbourhood's radius.
        sigma: width, in the same units.

    Raises:
        ValueError: If there is no ring, or a radius or the width is not positive.

    Example:
        >>> import torch
        >>> from gaugenet.kernels import GaussianRings
        >>> GaussianRings([0.5, 1.0], sigma=0.2)(torch.rand(10)).shape
        torch.Size([10, 2])
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

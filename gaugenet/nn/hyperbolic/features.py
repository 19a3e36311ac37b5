"""LorentzType: fields whose values are points of a hyperbolic space, rotated by the structure group."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet.groups import FieldType

Points = Float[Tensor, "points size *spatial"]
Vectors = Float[Tensor, "points vector_size *spatial"]


@dataclass(frozen=True)
class LorentzType:
    """The type of hyperbolic features: points (t, s) with t^2 - |s|^2 = k and t > 0, channels t, then s.

    The space part s is a field of type `space` with orthogonal representations. The group rotates s and does not
    change t: this is an isometry of the hyperboloid that fixes its apex (sqrt(k), 0). The features have the type
    `field_type`, one scalar and `space`. Vectors `v` at the apex are fields of type `space`. Lengths are measured in
    the hyperbolic space of curvature -1 / k (the Lorentz model, :cite:`chen2022fully`).

    Attributes:
        space: type of the space part.
        k: -1 / curvature, positive.

    Raises:
        ValueError: If a representation is not orthogonal, `k` is not positive, or the space part is empty.

    Example:
        >>> import torch
        >>> from gaugenet.groups import SO2, FieldType
        >>> from gaugenet.nn import LorentzType
        >>> points = LorentzType(FieldType(SO2(), "2x0 + 1x1"), k=1.0)
        >>> x = points.exp(torch.rand(10, 4))
        >>> x.shape
        torch.Size([10, 5])
        >>> torch.allclose(points.inner(x, x), torch.tensor(-1.0), atol=1e-4)
        True
    """

    space: FieldType
    k: float = 1.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.k) and self.k > 0):
            raise ValueError(f"Expected a positive `k` (-1 / curvature), got {self.k}.")
        if not self.space.size:
            raise ValueError("Expected a `space` part of at least one channel.")
        for b in self.space.blocks:
            if not b.representation.is_orthogonal:
                raise ValueError(
                    f"Expected orthogonal representations in `space`, got {b.representation!r}: others do not preserve "
                    "the hyperboloid. Use another type."
                )

    @cached_property
    def field_type(self) -> FieldType:
        """`1x0 + space`."""
        return FieldType(self.space.group, "1x0") + self.space

    @property
    def size(self) -> int:
        """Number of channels: one more than the dimension of the hyperbolic space."""
        return 1 + self.space.size

    # --- points -------------------------------------------------------------------------------------------------------

    def lift(self, s: Vectors) -> Points:
        """Return the point with these space coordinates."""
        return torch.cat([(s.square().sum(1, keepdim=True) + self.k).sqrt(), s], 1)

    def exp(self, v: Vectors) -> Points:
        """Return the point at distance |v| from the apex in the direction v."""
        r = _length(v) / math.sqrt(self.k)
        return self.lift(v * torch.where(r > 1e-4, r.sinh() / r, 1 + r.square() / 6))

    def log(self, x: Points) -> Vectors:
        """Return the vector at the apex that `exp` maps to the point."""
        self.field_type.check(x)
        s = x[:, 1:]
        r = _length(s) / math.sqrt(self.k)
        return s * torch.where(r > 1e-4, r.asinh() / r, 1 - r.square() / 6)

    def inner(self, x: Points, y: Points) -> Float[Tensor, "points *spatial"]:
        """Return the Lorentz product s_x . s_y - t_x t_y, which is -k for a point with itself."""
        product = x * y
        return product[:, 1:].sum(1) - product[:, 0]

    def distance(self, x: Points, y: Points) -> Float[Tensor, "points *spatial"]:
        """Return the geodesic distance, computed from the difference of the points so that small ones are precise."""
        square = self.inner(x - y, x - y).clamp(min=0)
        return 2 * math.sqrt(self.k) * ((square + 1e-30).sqrt() / (2 * math.sqrt(self.k))).asinh()

    def mean_to_point(self, mean: Points) -> Points:
        """Return the point in the direction of a mean of points, the Lorentz centroid (:cite:`law2019lorentzian`)."""
        square = (-self.inner(mean, mean)).clamp(min=torch.finfo(mean.dtype).tiny)
        return self.lift((mean * (self.k / square).sqrt().unsqueeze(1))[:, 1:])

    def translate(self, x: Points, to: Points) -> Points:
        """Return the points moved by the boost that takes the apex to `to`."""
        return self.lift(_boosted(x, to / math.sqrt(self.k), 1))

    def translate_back(self, x: Points, origin: Points) -> Points:
        """Return the points moved by the boost that takes `origin` to the apex, the inverse of `translate`."""
        return self.lift(_boosted(x, origin / math.sqrt(self.k), -1))

    def concatenate(self, points: list[Points], into: LorentzType) -> Points:
        """Return several points as one with the concatenated space parts: t^2 = sum of t_i^2 - (n - 1) k.

        Args:
            points: points of this type.
            into: type of the result, with the fields of all points block by block.

        Raises:
            ValueError: If `into` is another type.
        """
        if into.space != FieldType(self.space.group, [(r, m * len(points)) for r, m in self.space.terms()]):
            raise ValueError(f"Expected `into` of type {self.space * len(points)}, got {into.space}.")
        blocks = [torch.cat([b.split(x[:, 1:]) for x in points], 2).flatten(1, 2) for b in self.space.blocks]
        return into.lift(torch.cat(blocks, 1))


def _length(v: Tensor) -> Tensor:
    """Return |v| over the channels, with a finite gradient at zero."""
    return (v.square().sum(1, keepdim=True) + 1e-30).sqrt()


def _boosted(x: Tensor, unit: Tensor, sign: int) -> Tensor:
    """Return the space coordinates of x, boosted to (or from, if `sign` is -1) a unit time-like vector."""
    t, s = x[:, :1], x[:, 1:]
    u0, u = unit[:, :1], sign * unit[:, 1:]
    return s + u * (t + (u * s).sum(1, keepdim=True) / (1 + u0))


__all__ = ["LorentzType"]

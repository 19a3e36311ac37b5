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
    """Hyperbolic features: points (t, s) with t^2 - |s|^2 = k and t > 0, channels t, then s.

    The space part s is a field of `space`, whose representations are orthogonal, so that the group rotates s and leaves
    t alone: an isometry of the hyperboloid that fixes its apex (sqrt(k), 0). As features of this library they are of
    type `field_type`: one scalar, and `space`. Vectors `v` at the apex are fields of type `space`, and lengths are
    those of the hyperbolic space of curvature -1 / k.

    Attributes:
        space: type of the space part.
        k: minus one over the curvature.

    Raises:
        ValueError: representations that are not orthogonal, a `k` that is not positive, an empty space part.
    """

    space: FieldType
    k: float = 1.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.k) and self.k > 0):
            raise ValueError(f"Expected a positive `k`, minus one over the curvature, got {self.k}.")
        if not self.space.size:
            raise ValueError("Expected a `space` part of at least one channel.")
        for b in self.space.blocks:
            if not b.representation.is_orthogonal:
                raise ValueError(
                    f"Expected orthogonal representations in `space`, got {b.representation!r}: others do not map the "
                    "hyperboloid to itself."
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
        """The point with these space coordinates."""
        return torch.cat([(s.square().sum(1, keepdim=True) + self.k).sqrt(), s], 1)

    def exp(self, v: Vectors) -> Points:
        """The point at distance |v| from the apex in the direction v."""
        r = _length(v) / math.sqrt(self.k)
        return self.lift(v * torch.where(r > 1e-4, r.sinh() / r, 1 + r.square() / 6))

    def log(self, x: Points) -> Vectors:
        """The inverse of `exp`."""
        self.field_type.check(x)
        s = x[:, 1:]
        r = _length(s) / math.sqrt(self.k)
        return s * torch.where(r > 1e-4, r.asinh() / r, 1 - r.square() / 6)

    def inner(self, x: Points, y: Points) -> Float[Tensor, "points *spatial"]:
        """The Lorentz product s_x . s_y - t_x t_y: -k of a point with itself."""
        product = x * y
        return product[:, 1:].sum(1) - product[:, 0]

    def distance(self, x: Points, y: Points) -> Float[Tensor, "points *spatial"]:
        """Geodesic distance; from the difference of the points, which keeps small distances precise."""
        square = self.inner(x - y, x - y).clamp(min=0)
        return 2 * math.sqrt(self.k) * ((square + 1e-30).sqrt() / (2 * math.sqrt(self.k))).asinh()

    def mean_to_point(self, mean: Points) -> Points:
        """The point in the direction of a mean of points, the Lorentz centroid (:cite:`law2019lorentzian`)."""
        square = (-self.inner(mean, mean)).clamp(min=torch.finfo(mean.dtype).tiny)
        return self.lift((mean * (self.k / square).sqrt().unsqueeze(1))[:, 1:])

    def translate(self, x: Points, to: Points) -> Points:
        """The boost that takes the apex to `to`."""
        return self.lift(_boosted(x, to / math.sqrt(self.k), 1))

    def translate_back(self, x: Points, origin: Points) -> Points:
        """The boost that takes `origin` to the apex: the inverse of `translate`."""
        return self.lift(_boosted(x, origin / math.sqrt(self.k), -1))

    def concatenate(self, points: list[Points], into: LorentzType) -> Points:
        """Several points as one in the product of their space parts: t^2 = sum of t_i^2 - (n - 1) k.

        Args:
            points: each of this type.
            into: of which every block has as many copies as all of them together, block by block.
        """
        if into.space != FieldType(self.space.group, [(r, m * len(points)) for r, m in self.space.terms()]):
            raise ValueError(f"Expected `into` of type {self.space * len(points)}, got {into.space}.")
        blocks = [torch.cat([b.split(x[:, 1:]) for x in points], 2).flatten(1, 2) for b in self.space.blocks]
        return into.lift(torch.cat(blocks, 1))


def _length(v: Tensor) -> Tensor:
    """|v| over the channels, with a finite gradient at zero."""
    return (v.square().sum(1, keepdim=True) + 1e-30).sqrt()


def _boosted(x: Tensor, unit: Tensor, sign: int) -> Tensor:
    """Space coordinates of the boost of x to (or from, -1) a unit time-like vector."""
    t, s = x[:, :1], x[:, 1:]
    u0, u = unit[:, :1], sign * unit[:, 1:]
    return s + u * (t + (u * s).sum(1, keepdim=True) / (1 + u0))


__all__ = ["LorentzType"]

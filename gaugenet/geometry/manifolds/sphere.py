"""Spheres S^n in R^{n+1}."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gaugenet._typing import typed_tensor
from gaugenet._validation import positive
from gaugenet.geometry.manifolds.euclidean import random_orthogonal
from gaugenet.geometry.manifolds.manifold import Isometry, Manifold, refuse_points


class Sphere(Manifold):
    """The sphere of dimension n about the origin of R^{n+1}; points are vectors of length `radius`.

    Frames of S^2 are counter-clockwise seen from outside.

    Args:
        dim: n.
        radius: radius of the sphere.

    Raises:
        ValueError: If `radius` is not positive.

    Example:
        >>> import torch
        >>> from gaugenet.geometry import Sphere
        >>> north, east = torch.tensor([0.0, 0.0, 1.0]), torch.tensor([1.0, 0.0, 0.0])
        >>> round(float(Sphere().distance(north, east)) / torch.pi, 6)
        0.5
    """

    is_orientable = True

    def __init__(self, dim: int = 2, *, radius: float = 1.0) -> None:
        self.dim = positive("dim", dim)
        if not radius > 0:
            raise ValueError(f"Expected a positive `radius`, got {radius}.")
        self.radius = float(radius)
        self.injectivity_radius = math.pi * self.radius
        self.euler_characteristic = 2 if self.dim % 2 == 0 else 0

    @property
    def ambient_dim(self) -> int:
        return self.dim + 1

    def log(self, p: Tensor, q: Tensor) -> Tensor:
        square = self.radius**2
        across = self.to_tangent(p, q - p)
        sine = torch.linalg.vector_norm(across, dim=-1, keepdim=True) / self.radius
        cosine = (p * q).sum(-1, keepdim=True) / square
        near = sine < 1e-9
        safe = torch.where(near, torch.ones_like(sine), sine)
        direction = torch.where(
            cosine > 0, torch.ones_like(sine), torch.full_like(sine, torch.nan)
        )  # none to antipodes
        return torch.where(near, direction, torch.atan2(safe, cosine) / safe) * across

    def distance(self, p: Tensor, q: Tensor) -> Tensor:
        across = torch.linalg.vector_norm(self.to_tangent(p, q - p), dim=-1) * self.radius
        return self.radius * torch.atan2(across, (p * q).sum(-1))

    def exp(self, p: Tensor, v: Tensor) -> Tensor:
        angle = safe_length(v) / self.radius
        return torch.cos(angle) * p + torch.sinc(angle / math.pi) * v

    def transport(self, p: Tensor, q: Tensor, v: Tensor) -> Tensor:
        square = self.radius**2
        along = (p * v).sum(-1, keepdim=True) / (square + (p * q).sum(-1, keepdim=True))
        return v - along * (p + q)

    def inner(self, p: Tensor, u: Tensor, v: Tensor) -> Tensor:
        return (u * v).sum(-1)

    def to_tangent(self, p: Tensor, v: Tensor) -> Tensor:
        return v - p * ((p * v).sum(-1, keepdim=True) / self.radius**2)

    def check_points(self, p: Tensor) -> None:
        length = torch.linalg.vector_norm(p, dim=-1)
        refuse_points(self, p, (length / self.radius - 1).abs() > 1e-4, f"vectors of length {self.radius:g}")

    def embed(self, p: Tensor) -> Tensor:
        return p

    def orientation(self, p: Tensor, frame: Tensor) -> Tensor:
        """Return the determinant of the outward normal followed by the frame."""
        return typed_tensor(torch.linalg.det(torch.cat([p.unsqueeze(-1), frame], -1)))

    def random_points(self, size: int, *, generator: torch.Generator | None = None) -> Tensor:
        x = torch.randn(size, self.dim + 1, generator=generator, dtype=torch.float64)
        return typed_tensor(self.radius * x / torch.linalg.vector_norm(x, dim=-1, keepdim=True))

    def random_isometry(self, generator: torch.Generator | None = None) -> Isometry:
        rotation = random_orthogonal(self.dim + 1, generator)
        return lambda p: p @ rotation.T

    def __repr__(self) -> str:
        return f"Sphere({self.dim})" if self.radius == 1 else f"Sphere({self.dim}, radius={self.radius:g})"


def safe_length(v: Tensor) -> Tensor:
    """Return |v| with a finite gradient at zero, keeping the last dimension."""
    square = (v * v).sum(-1, keepdim=True)
    zero = square == 0
    return torch.where(zero, torch.zeros_like(square), torch.where(zero, torch.ones_like(square), square).sqrt())


__all__ = ["Sphere"]

"""Hyperbolic space H^n of curvature -1, in coordinates of the half-space, the ball or the hyperboloid."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet._typing import typed_tensor
from gaugenet._validation import positive
from gaugenet.geometry.manifolds.coordinates import InCoordinates
from gaugenet.geometry.manifolds.euclidean import random_orthogonal
from gaugenet.geometry.manifolds.manifold import Isometry, Manifold, refuse_points
from gaugenet.geometry.manifolds.sphere import safe_length


class Hyperbolic(Manifold):
    """H^n as the half-space: points (x, y) with x in R^{n-1} and y > 0, metric (dx^2 + dy^2) / y^2.

    Every formula first moves its base point to (0, 1) by a dilation and a shift, without loss of digits. So all are
    exact in float64 (1e-13) at any distance from the origin (0, 1). Other coordinates: `ball()`, `hyperboloid()`, and
    the conversions `from_ball`, `to_ball`, `from_hyperboloid`, `to_hyperboloid`.

    Args:
        dim: n, at least 2.

    Raises:
        ValueError: If `dim` is below 2.

    Example:
        >>> import torch
        >>> from gaugenet.geometry import Hyperbolic
        >>> plane = Hyperbolic(2)
        >>> p, q = torch.tensor([0.0, 1.0]), torch.tensor([0.0, 2.0])
        >>> torch.allclose(plane.distance(p, q), torch.log(torch.tensor(2.0)))
        True
    """

    is_orientable = True

    def __init__(self, dim: int = 2) -> None:
        if positive("dim", dim) < 2:
            raise ValueError(f"Expected `dim` of at least 2, got {dim}.")
        self.dim = dim

    # --- geometry -------------------------------------------------------------------------------------------------

    def log(self, p: Tensor, q: Tensor) -> Tensor:
        s = _spatial(*_seen_from(p, q))
        length = safe_length(s)
        near = length < 1e-9
        ratio = torch.where(near, torch.ones_like(length), torch.asinh(length) / torch.where(near, 1.0, length))
        return p[..., -1:] * ratio * s

    def exp(self, p: Tensor, v: Tensor) -> Tensor:
        y = p[..., -1:]
        length = safe_length(v / y)
        near = length < 1e-9
        ratio = torch.where(near, torch.ones_like(length), torch.sinh(length) / torch.where(near, 1.0, length))
        x, height = _half_space(ratio * v / y)
        return torch.cat([p[..., :-1] + y * x, y * height], -1)

    def transport(self, p: Tensor, q: Tensor, v: Tensor) -> Tensor:
        x, rise = _seen_from(p, q)
        s, x0 = _spatial(x, rise), _cosh(x, rise)
        moved, moved_0 = _lift(x, 1 + rise, s, v / p[..., -1:])
        return p[..., -1:] * (moved - moved_0 / (1 + x0) * s)

    def inner(self, p: Tensor, u: Tensor, v: Tensor) -> Tensor:
        return (u * v).sum(-1) / p[..., -1].square()

    def to_tangent(self, p: Tensor, v: Tensor) -> Tensor:
        return v

    def frame_at(self, p: Tensor) -> Tensor:
        """Return the horocyclic frame field y d/dx, y d/dy, which is orthonormal and invariant under p -> a p + b."""
        return p[..., -1, None, None] * torch.eye(self.dim, dtype=p.dtype)

    def orientation(self, p: Tensor, frame: Tensor) -> Tensor:
        return typed_tensor(torch.linalg.det(frame))

    def check_points(self, p: Tensor) -> None:
        refuse_points(self, p, ~(p[:, -1] > 0), "a positive last coordinate, the half-space")

    def search_space(self, p: Tensor, radii: Tensor) -> tuple[Tensor, Tensor]:
        """Return the points and y (e^r - 1): a ball of radius r about (x, y) reaches up to (x, y e^r)."""
        return p, p[:, -1] * torch.expm1(radii)

    # --- symmetries -----------------------------------------------------------------------------------------------

    def random_points(self, size: int, *, generator: torch.Generator | None = None) -> Tensor:
        """Return points within distance 2 of (0, 1)."""
        direction = torch.randn(size, self.dim, generator=generator, dtype=torch.float64)
        direction = direction / torch.linalg.vector_norm(direction, dim=-1, keepdim=True)
        origin = torch.zeros(size, self.dim, dtype=torch.float64)
        origin[:, -1] = 1
        return self.exp(origin, 2 * torch.rand(size, 1, generator=generator, dtype=torch.float64) * direction)

    def random_isometry(self, generator: torch.Generator | None = None) -> Isometry:
        """Return a rotation about (0, 1), then a dilation and a shift."""
        rotation = random_orthogonal(self.dim, generator)
        scale, shift = torch.rand(2, generator=generator, dtype=torch.float64)
        affine = self.affine(scale.exp(), shift)
        return lambda p: affine(self.rotate(rotation, p))

    def affine(self, scale: float | Tensor, shift: float | Tensor = 0.0) -> Isometry:
        """Return (x, y) -> (scale x + shift, scale y): a boost by the rapidity log(scale), and a parabolic shift."""
        return lambda p: torch.cat([scale * p[..., :-1] + shift, scale * p[..., -1:]], -1)

    def rotate(self, rotation: Float[Tensor, "n n"], p: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
        """Return points rotated about (0, 1), where tangent vectors rotate by the orthogonal matrix `rotation`."""
        s = _spatial(p[..., :-1], p[..., -1:] - 1) @ rotation.to(p).mT
        return torch.cat(_half_space(s), -1)

    # --- other coordinates ----------------------------------------------------------------------------------------

    def to_hyperboloid(self, p: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n_1"]:
        """Return (X_0, X_1, ..., X_n) with X_0^2 - |X|^2 = 1 and X_0 > 0; (0, 1) is the apex (1, 0, ..., 0)."""
        x, rise = p[..., :-1], p[..., -1:] - 1
        return torch.cat([_cosh(x, rise), _spatial(x, rise)], -1)

    def from_hyperboloid(self, point: Float[Tensor, "*batch n_1"]) -> Float[Tensor, "*batch n"]:
        """Return the points of hyperboloid coordinates, of which only the n spatial ones are used."""
        return torch.cat(_half_space(point[..., 1:]), -1)

    def to_ball(self, p: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
        """Return coordinates in the Poincare ball: tanh(d / 2) times the direction seen from (0, 1)."""
        x, rise = p[..., :-1], p[..., -1:] - 1
        return _spatial(x, rise) / (1 + _cosh(x, rise))

    def from_ball(self, point: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
        """Return the points of coordinates in the Poincare ball."""
        x, y = point[..., :-1], point[..., -1:]
        length = torch.linalg.vector_norm(point, dim=-1, keepdim=True)
        below = (x * x).sum(-1, keepdim=True) + (1 - y).square()
        return torch.cat([2 * x, (1 - length) * (1 + length)], -1) / below

    def ball(self) -> InCoordinates:
        """Return the same space with points in the unit ball."""
        return InCoordinates(self, self.to_ball, self.from_ball, name=f"Hyperbolic({self.dim}).ball()")

    def hyperboloid(self) -> InCoordinates:
        """Return the same space with points on the hyperboloid in R^{1,n}."""
        name = f"Hyperbolic({self.dim}).hyperboloid()"
        return InCoordinates(self, self.to_hyperboloid, self.from_hyperboloid, ambient_dim=self.dim + 1, name=name)

    def __repr__(self) -> str:
        return f"Hyperbolic({self.dim})"


def _seen_from(p: Tensor, q: Tensor) -> tuple[Tensor, Tensor]:
    """Return x and y - 1 of q after the dilation and shift that take p to (0, 1)."""
    relative = (q - p) / p[..., -1:]
    return relative[..., :-1], relative[..., -1:]


def _spatial(x: Tensor, rise: Tensor) -> Tensor:
    """Return the spatial coordinates on the hyperboloid of (x, 1 + rise): sinh of the distance times the direction."""
    height = 1 + rise
    up = ((x * x).sum(-1, keepdim=True) + rise * (2 + rise)) / (2 * height)
    return torch.cat([x / height, up], -1)


def _cosh(x: Tensor, rise: Tensor) -> Tensor:
    """Return the time coordinate on the hyperboloid: cosh of the distance to (0, 1)."""
    return 1 + ((x * x).sum(-1, keepdim=True) + rise * rise) / (2 * (1 + rise))


def _half_space(s: Tensor) -> tuple[Tensor, Tensor]:
    """Return x and y of the point with spatial coordinates `s` on the hyperboloid, with no cancellation."""
    across, up = s[..., :-1], s[..., -1:]
    square = (across * across).sum(-1, keepdim=True)
    total = (1 + square + up * up).sqrt()
    inverse = torch.where(up > 0, (1 + square) / (total + up.clamp(min=0)), total - up)
    return across / inverse, 1 / inverse


def _lift(x: Tensor, height: Tensor, s: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """Return the tangent vector `v` at (x, height) in hyperboloid coordinates: the spatial ones, and time."""
    across, up = v[..., :-1], v[..., -1:]
    side = (across - s[..., :-1] * up) / height
    rising = ((x * across).sum(-1, keepdim=True) + height * up - s[..., -1:] * up) / height
    return torch.cat([side, rising], -1), rising - up / height.square()


__all__ = ["Hyperbolic"]

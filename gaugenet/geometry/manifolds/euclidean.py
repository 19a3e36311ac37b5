"""Flat spaces: R^d, pseudo-Euclidean R^{p,q}, and the punctured plane with polar frames."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet._typing import typed_tensor
from gaugenet._validation import positive
from gaugenet.geometry.manifolds.manifold import Isometry, Manifold


class Euclidean(Manifold):
    """R^d: logarithms are differences, transport is nothing.

    Args:
        dim: d.
    """

    is_orientable = True

    def __init__(self, dim: int) -> None:
        self.dim = positive("dim", dim)

    def log(self, p: Tensor, q: Tensor) -> Tensor:
        return q - p

    def exp(self, p: Tensor, v: Tensor) -> Tensor:
        return p + v

    def transport(self, p: Tensor, q: Tensor, v: Tensor) -> Tensor:
        return v + torch.zeros_like(p)

    def inner(self, p: Tensor, u: Tensor, v: Tensor) -> Tensor:
        return (u * v).sum(-1)

    def to_tangent(self, p: Tensor, v: Tensor) -> Tensor:
        return v

    def embed(self, p: Tensor) -> Tensor:
        return p

    def frame_at(self, p: Tensor) -> Tensor:
        return torch.eye(self.dim, dtype=p.dtype).expand(*p.shape[:-1], -1, -1)

    def orientation(self, p: Tensor, frame: Tensor) -> Tensor:
        return typed_tensor(torch.linalg.det(frame))

    def random_points(self, size: int, *, generator: torch.Generator | None = None) -> Tensor:
        """Uniform in the cube [-1, 1]^d."""
        return 2 * torch.rand(size, self.dim, generator=generator, dtype=torch.float64) - 1

    def random_isometry(self, generator: torch.Generator | None = None) -> Isometry:
        rotation = random_orthogonal(self.dim, generator)
        shift = torch.randn(self.dim, generator=generator, dtype=torch.float64)
        return lambda p: p @ rotation.T + shift

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.dim})"


class PseudoEuclidean(Euclidean):
    """R^{p,q}: flat, with p directions of positive and q of negative square; structure group O(p, q) or {e}.

    Neighbourhoods are Euclidean balls in the coordinates of the frames: no neighbourhood of a point is invariant under
    boosts and bounded, so equivariance under boosts holds for kernels, not for the choice of neighbours.

    Args:
        positive_dims, negative_dims: p and q; the first p coordinates are the positive ones.
    """

    def __init__(self, positive_dims: int, negative_dims: int) -> None:
        super().__init__(positive("positive_dims", positive_dims) + positive("negative_dims", negative_dims))
        self.positive_dims, self.negative_dims = positive_dims, negative_dims

    @property
    def signature(self) -> Tensor:
        return torch.tensor([1.0] * self.positive_dims + [-1.0] * self.negative_dims, dtype=torch.float64)

    def inner(self, p: Tensor, u: Tensor, v: Tensor) -> Tensor:
        return (u * v * self.signature.to(u)).sum(-1)

    def random_isometry(self, generator: torch.Generator | None = None) -> Isometry:
        """A shift and a boost of rapidity below one, with rotations before and after."""
        mixed = torch.zeros(self.dim, self.dim, dtype=torch.float64)
        mixed[0, -1] = mixed[-1, 0] = torch.rand((), generator=generator, dtype=torch.float64)
        rotation = torch.zeros(self.dim, self.dim, dtype=torch.float64)
        for block in (slice(0, self.positive_dims), slice(self.positive_dims, self.dim)):
            size = block.stop - block.start
            rotation[block, block] = random_orthogonal(size, generator)
        boost = rotation @ torch.linalg.matrix_exp(mixed)
        shift = torch.randn(self.dim, generator=generator, dtype=torch.float64)
        return lambda p: p @ boost.T + shift

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.positive_dims}, {self.negative_dims})"


class Minkowski(PseudoEuclidean):
    """Space-time R^{1, d-1}: one time coordinate, first, of positive square.

    Args:
        dim: d, time included.
    """

    def __init__(self, dim: int = 4) -> None:
        super().__init__(1, positive("dim", dim) - 1)

    def __repr__(self) -> str:
        return f"Minkowski({self.dim})"


class PuncturedPlane(Euclidean):
    """R^2 without the origin: flat, and with frames that rotate around the origin.

    `polar_frames` (radial, angular; orthonormal) with the trivial connection make networks that are equivariant under
    rotations about the origin; `log_polar_frames` (the same times the distance to the origin) make them equivariant
    under rotations and dilations, with neighbourhoods that grow with that distance (:cite:`weiler2021coordinate`).
    """

    def __init__(self) -> None:
        super().__init__(2)

    @staticmethod
    def polar_frames(p: Float[Tensor, "points 2"]) -> Float[Tensor, "points 2 2"]:
        """Columns: away from the origin, and counter-clockwise about it."""
        x, y = (p / torch.linalg.vector_norm(p, dim=-1, keepdim=True)).unbind(-1)
        return torch.stack([torch.stack([x, -y], -1), torch.stack([y, x], -1)], -2)

    @staticmethod
    def log_polar_frames(p: Float[Tensor, "points 2"]) -> Float[Tensor, "points 2 2"]:
        """Polar frames times the distance to the origin."""
        x, y = p.unbind(-1)
        return torch.stack([torch.stack([x, -y], -1), torch.stack([y, x], -1)], -2)

    def injectivity_radius_at(self, p: Tensor) -> Tensor:
        """The distance to the origin: a straight line must not meet it."""
        return typed_tensor(torch.linalg.vector_norm(p, dim=-1))

    def random_points(self, size: int, *, generator: torch.Generator | None = None) -> Tensor:
        """Between radius 1 and 2."""
        radius = 1 + torch.rand(size, 1, generator=generator, dtype=torch.float64)
        direction = torch.randn(size, 2, generator=generator, dtype=torch.float64)
        return typed_tensor(radius * direction / torch.linalg.vector_norm(direction, dim=-1, keepdim=True))

    def random_isometry(self, generator: torch.Generator | None = None) -> Isometry:
        rotation = random_orthogonal(2, generator)
        return lambda p: p @ rotation.T

    def __repr__(self) -> str:
        return "PuncturedPlane()"


def random_orthogonal(d: int, generator: torch.Generator | None = None) -> Float[Tensor, "d d"]:
    """A rotation (determinant one), uniformly."""
    q, r = torch.linalg.qr(torch.randn(d, d, generator=generator, dtype=torch.float64))
    q = q * r.diagonal().sign()
    return torch.cat([q[:, :1] * torch.linalg.det(q), q[:, 1:]], 1)


__all__ = ["Euclidean", "Minkowski", "PseudoEuclidean", "PuncturedPlane"]

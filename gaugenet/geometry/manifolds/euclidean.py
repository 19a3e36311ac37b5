"""Flat spaces: R^d, pseudo-Euclidean R^{p,q}, and the punctured plane with polar frames."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet._typing import typed_tensor
from gaugenet._validation import positive
from gaugenet.geometry.manifolds.manifold import Isometry, Manifold


class Euclidean(Manifold):
    """Flat space R^d: logarithms are differences, and transport is the identity.

    Args:
        dim: d.

    Example:
        >>> import torch
        >>> from gaugenet.geometry import Euclidean
        >>> Euclidean(2).log(torch.tensor([1.0, 1.0]), torch.tensor([3.0, 0.0]))
        tensor([ 2., -1.])
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

    def check_points(self, p: Tensor) -> None:
        """Accept all points: every row of d numbers is one."""

    def embed(self, p: Tensor) -> Tensor:
        return p

    def frame_at(self, p: Tensor) -> Tensor:
        return torch.eye(self.dim, dtype=p.dtype).expand(*p.shape[:-1], -1, -1)

    def orientation(self, p: Tensor, frame: Tensor) -> Tensor:
        return typed_tensor(torch.linalg.det(frame))

    def random_points(self, size: int, *, generator: torch.Generator | None = None) -> Tensor:
        """Return points that are uniform in the cube [-1, 1]^d."""
        return 2 * torch.rand(size, self.dim, generator=generator, dtype=torch.float64) - 1

    def random_isometry(self, generator: torch.Generator | None = None) -> Isometry:
        rotation = random_orthogonal(self.dim, generator)
        shift = torch.randn(self.dim, generator=generator, dtype=torch.float64)
        return lambda p: p @ rotation.T + shift

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.dim})"


class PseudoEuclidean(Euclidean):
    """Flat space R^{p,q} with p directions of positive and q of negative square; structure group O(p, q) or {e}.

    Neighbourhoods are Euclidean balls in the coordinates of the frames. No bounded neighbourhood of a point is
    invariant under boosts, so kernels are equivariant under boosts but the choice of neighbours is not.

    Args:
        positive_dims, negative_dims: p and q; the first p coordinates have positive squares.

    Example:
        >>> import torch
        >>> from gaugenet.geometry import PseudoEuclidean
        >>> space, v = PseudoEuclidean(2, 1), torch.tensor([3.0, 0.0, 4.0])
        >>> space.inner(torch.zeros(3), v, v)  # 9 - 16
        tensor(-7.)
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
        """Return a shift and a boost of rapidity below 1, with rotations before and after."""
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
    """Space-time R^{1, d-1}: the first coordinate is time, with positive square.

    Args:
        dim: d, including time.

    Example:
        >>> from gaugenet.geometry import Minkowski
        >>> Minkowski(4).signature
        tensor([ 1., -1., -1., -1.], dtype=torch.float64)
    """

    def __init__(self, dim: int = 4) -> None:
        super().__init__(1, positive("dim", dim) - 1)

    def __repr__(self) -> str:
        return f"Minkowski({self.dim})"


class PuncturedPlane(Euclidean):
    """The flat plane R^2 without the origin, with frames that rotate around the origin.

    With the trivial connection, `polar_frames` (radial and angular, orthonormal) make networks equivariant under
    rotations about the origin. `log_polar_frames` (the same frames times the distance to the origin) make them
    equivariant under rotations and dilations: neighbourhoods grow with the distance (:cite:`weiler2021coordinate`).

    Example:
        >>> import torch
        >>> from gaugenet.geometry import PuncturedPlane
        >>> PuncturedPlane.polar_frames(torch.tensor([[0.0, 2.0]]))[0, :, 0]  # outwards
        tensor([0., 1.])
    """

    def __init__(self) -> None:
        super().__init__(2)

    @staticmethod
    def polar_frames(p: Float[Tensor, "points 2"]) -> Float[Tensor, "points 2 2"]:
        """Return frames with a radial and a counter-clockwise vector as columns."""
        x, y = (p / torch.linalg.vector_norm(p, dim=-1, keepdim=True)).unbind(-1)
        return torch.stack([torch.stack([x, -y], -1), torch.stack([y, x], -1)], -2)

    @staticmethod
    def log_polar_frames(p: Float[Tensor, "points 2"]) -> Float[Tensor, "points 2 2"]:
        """Return the polar frames times the distance to the origin."""
        x, y = p.unbind(-1)
        return torch.stack([torch.stack([x, -y], -1), torch.stack([y, x], -1)], -2)

    def injectivity_radius_at(self, p: Tensor) -> Tensor:
        """Return the distance to the origin, which straight lines must not meet."""
        return typed_tensor(torch.linalg.vector_norm(p, dim=-1))

    def random_points(self, size: int, *, generator: torch.Generator | None = None) -> Tensor:
        """Return points with radius between 1 and 2."""
        radius = 1 + torch.rand(size, 1, generator=generator, dtype=torch.float64)
        direction = torch.randn(size, 2, generator=generator, dtype=torch.float64)
        return typed_tensor(radius * direction / torch.linalg.vector_norm(direction, dim=-1, keepdim=True))

    def random_isometry(self, generator: torch.Generator | None = None) -> Isometry:
        rotation = random_orthogonal(2, generator)
        return lambda p: p @ rotation.T

    def __repr__(self) -> str:
        return "PuncturedPlane()"


def random_orthogonal(d: int, generator: torch.Generator | None = None) -> Float[Tensor, "d d"]:
    """Return a uniformly random rotation (determinant 1)."""
    q, r = torch.linalg.qr(torch.randn(d, d, generator=generator, dtype=torch.float64))
    q = q * r.diagonal().sign()
    return torch.cat([q[:, :1] * torch.linalg.det(q), q[:, 1:]], 1)


__all__ = ["Euclidean", "Minkowski", "PseudoEuclidean", "PuncturedPlane"]

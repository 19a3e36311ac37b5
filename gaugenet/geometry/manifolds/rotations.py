"""The rotation group SO(3) as a manifold."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet._typing import typed_tensor
from gaugenet.geometry.manifolds.euclidean import random_orthogonal
from gaugenet.geometry.manifolds.manifold import Isometry, Manifold, refuse_points
from gaugenet.geometry.manifolds.sphere import safe_length


class Rotations(Manifold):
    """SO(3) with its bi-invariant metric: the distance of two rotations is the angle between them.

    Points are rows of nine numbers, the matrix row by row. `frame_at` returns the left-invariant frames, an
    {e}-structure. With the trivial connection, networks commute with the left action of SO(3).

    Example:
        >>> import torch
        >>> from gaugenet.geometry import Rotations
        >>> one = torch.eye(3, dtype=torch.float64)
        >>> quarter = torch.tensor([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]], dtype=torch.float64)
        >>> round(float(Rotations().distance(one.flatten(), quarter.flatten())) / torch.pi, 6)
        0.5
    """

    dim = 3
    injectivity_radius = math.pi
    is_orientable = True
    euler_characteristic = 0
    ambient_dim = 9

    def log(self, p: Tensor, q: Tensor) -> Tensor:
        return _row(_matrix(p) @ _cross_matrix(_rotation_vector(_matrix(p).mT @ _matrix(q))))

    def exp(self, p: Tensor, v: Tensor) -> Tensor:
        p_matrix = _matrix(p)
        return _row(p_matrix @ _from_rotation_vector(_cross_vector(p_matrix.mT @ _matrix(v))))

    def transport(self, p: Tensor, q: Tensor, v: Tensor) -> Tensor:
        q_matrix = _matrix(q)
        half = _from_rotation_vector(_rotation_vector(q_matrix.mT @ _matrix(p)) / 2)
        return _row(q_matrix @ half @ (q_matrix.mT @ _matrix(v)) @ half)

    def inner(self, p: Tensor, u: Tensor, v: Tensor) -> Tensor:
        return (u * v).sum(-1) / 2

    def to_tangent(self, p: Tensor, v: Tensor) -> Tensor:
        inside = _matrix(p).mT @ _matrix(v)
        return _row(_matrix(p) @ (inside - inside.mT) / 2)

    def check_points(self, p: Tensor) -> None:
        m = _matrix(p)
        apart = (m.mT @ m - torch.eye(3, dtype=p.dtype)).abs().amax((-2, -1)) > 1e-4
        refuse_points(self, p, apart | (torch.linalg.det(m) < 0), "the entries of a rotation matrix")

    def embed(self, p: Tensor) -> Tensor:
        return p / math.sqrt(2)

    def frame_at(self, p: Tensor) -> Tensor:
        """Return the left-invariant frames: p times the generators of rotations about the three axes."""
        generators = _cross_matrix(torch.eye(3, dtype=p.dtype))
        return _row(_matrix(p)[..., None, :, :] @ generators).mT

    def orientation(self, p: Tensor, frame: Tensor) -> Tensor:
        return typed_tensor(torch.linalg.det(self.frame_at(p).mT @ frame))

    def random_points(self, size: int, *, generator: torch.Generator | None = None) -> Tensor:
        return torch.stack([random_orthogonal(3, generator).flatten() for _ in range(size)])

    def random_isometry(self, generator: torch.Generator | None = None) -> Isometry:
        """Return an isometry p -> a p b."""
        a, b = random_orthogonal(3, generator), random_orthogonal(3, generator)
        return lambda p: _row(a @ _matrix(p) @ b)


def _matrix(p: Tensor) -> Float[Tensor, "*batch 3 3"]:
    return typed_tensor(p.unflatten(-1, (3, 3)))


def _row(p: Tensor) -> Float[Tensor, "*batch 9"]:
    return p.flatten(-2)


def _cross_matrix(w: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Return the matrix of v -> w x v."""
    x, y, z = w.unbind(-1)
    zero = torch.zeros_like(x)
    rows = [torch.stack(row, -1) for row in ((zero, -z, y), (z, zero, -x), (-y, x, zero))]
    return torch.stack(rows, -2)


def _cross_vector(m: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 3"]:
    """Return the inverse of `_cross_matrix` for the antisymmetric part."""
    return torch.stack([m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]], -1) / 2


def _rotation_vector(m: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 3"]:
    """Return the axis times the angle below pi."""
    w = _cross_vector(m)
    sine = safe_length(w)
    cosine = (m.diagonal(dim1=-2, dim2=-1).sum(-1, keepdim=True) - 1) / 2
    near = sine < 1e-9
    safe = torch.where(near, torch.ones_like(sine), sine)
    one = torch.where(
        cosine > 0, torch.ones_like(sine), torch.full_like(sine, torch.nan)
    )  # a half rotation has no axis
    return torch.where(near, one, torch.atan2(safe, cosine) / safe) * w


def _from_rotation_vector(w: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Return the rotation about an axis by the length of the vector, by Rodrigues' formula."""
    angle = safe_length(w)[..., None]
    k = _cross_matrix(w)
    half = torch.sinc(angle / (2 * math.pi))
    return torch.eye(3, dtype=w.dtype) + torch.sinc(angle / math.pi) * k + half.square() / 2 * (k @ k)


__all__ = ["Rotations"]

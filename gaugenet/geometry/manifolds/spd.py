"""Symmetric positive definite matrices with the affine-invariant metric."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet._typing import typed_tensor
from gaugenet._validation import positive
from gaugenet.geometry.manifolds.manifold import Isometry, Manifold, refuse_points


class SPD(Manifold):
    """Symmetric positive definite n x n matrices with the metric <u, v>_p = tr(p^-1 u p^-1 v).

    Points are rows of n^2 numbers. p -> a p a^T is an isometry for every invertible a. The space is complete with
    nonpositive curvature, so geodesics are unique everywhere.

    Args:
        n: size of the matrices.

    Example:
        >>> import torch
        >>> from gaugenet.geometry import SPD
        >>> one = torch.eye(2, dtype=torch.float64).flatten()
        >>> torch.allclose(SPD(2).distance(one, torch.e * one), torch.tensor(2.0, dtype=torch.float64).sqrt())
        True
    """

    is_orientable = True

    def __init__(self, n: int = 2) -> None:
        self.n = positive("n", n)
        self.dim = n * (n + 1) // 2

    @property
    def ambient_dim(self) -> int:
        return self.n**2

    def log(self, p: Tensor, q: Tensor) -> Tensor:
        root, inverse = self._roots(p)
        return self._row(root @ _of_symmetric(inverse @ self._matrix(q) @ inverse, torch.log) @ root)

    def exp(self, p: Tensor, v: Tensor) -> Tensor:
        root, inverse = self._roots(p)
        return self._row(root @ _of_symmetric(inverse @ self._matrix(v) @ inverse, torch.exp) @ root)

    def transport(self, p: Tensor, q: Tensor, v: Tensor) -> Tensor:
        root, inverse = self._roots(q)
        e = root @ _of_symmetric(inverse @ self._matrix(p) @ inverse, torch.sqrt) @ inverse  # (p q^-1)^(1/2)
        return self._row(e @ self._matrix(v) @ e.mT)

    def inner(self, p: Tensor, u: Tensor, v: Tensor) -> Tensor:
        a, b = (torch.linalg.solve(self._matrix(p), self._matrix(x)) for x in (u, v))
        return typed_tensor((a * b.mT).sum((-2, -1)))

    def to_tangent(self, p: Tensor, v: Tensor) -> Tensor:
        m = self._matrix(v)
        return self._row((m + m.mT) / 2)

    def check_points(self, p: Tensor) -> None:
        m = self._matrix(p)
        skew = (m - m.mT).abs().amax((-2, -1)) > 1e-4 * m.abs().amax((-2, -1))
        refuse_points(self, p, skew | ~(torch.linalg.eigvalsh(m)[:, 0] > 0), "symmetric, positive definite matrices")

    def search_space(self, p: Tensor, radii: Tensor) -> tuple[Tensor, Tensor]:
        """Return matrix logarithms, whose distance is at most the geodesic one since curvature is not positive."""
        return self._row(_of_symmetric(self._matrix(p), torch.log)), radii

    def frame_at(self, p: Tensor) -> Tensor:
        """Return p^(1/2) e_ij p^(1/2) for an orthonormal basis e_ij of the symmetric matrices: a smooth frame field."""
        root, _ = self._roots(p)
        return self._row(root[..., None, :, :] @ self._symmetric_basis().to(p) @ root[..., None, :, :]).mT

    def orientation(self, p: Tensor, frame: Tensor) -> Tensor:
        return typed_tensor(torch.linalg.det(self._row(self._symmetric_basis().to(p)) @ frame))

    def random_points(self, size: int, *, generator: torch.Generator | None = None) -> Tensor:
        a = torch.randn(size, self.n, self.n, generator=generator, dtype=torch.float64)
        return self._row(_of_symmetric((a + a.mT) / 4, torch.exp))

    def random_isometry(self, generator: torch.Generator | None = None) -> Isometry:
        a = torch.randn(self.n, self.n, generator=generator, dtype=torch.float64) + 2 * torch.eye(self.n)
        return lambda p: self._row(a @ self._matrix(p) @ a.T)

    def _symmetric_basis(self) -> Float[Tensor, "dim n n"]:
        i, j = torch.triu_indices(self.n, self.n)
        basis = torch.zeros(self.dim, self.n, self.n, dtype=torch.float64)
        basis[range(self.dim), i, j] = 0.5**0.5 + (0.5 - 0.5**0.5) * (i == j).double()
        return basis + basis.mT

    def _roots(self, p: Tensor) -> tuple[Tensor, Tensor]:
        m = self._matrix(p)
        return _of_symmetric(m, torch.sqrt), _of_symmetric(m, torch.rsqrt)

    def _matrix(self, p: Tensor) -> Tensor:
        return typed_tensor(p.unflatten(-1, (self.n, self.n)))

    def _row(self, p: Tensor) -> Tensor:
        return p.flatten(-2)

    def __repr__(self) -> str:
        return f"SPD({self.n})"


def _of_symmetric(m: Float[Tensor, "*batch n n"], f: Callable[[Tensor], Tensor]) -> Float[Tensor, "*batch n n"]:
    """Return `f` applied to the eigenvalues."""
    values, vectors = torch.linalg.eigh((m + m.mT) / 2)
    return typed_tensor(vectors * f(values).unsqueeze(-2) @ vectors.mT)


__all__ = ["SPD"]

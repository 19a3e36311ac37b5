"""Manifolds from manifolds: products and conformal rescaling."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from gaugenet.geometry.manifolds.manifold import Isometry, Manifold, has
from gaugenet.geometry.manifolds.numeric import FromMetric


class Product(Manifold):
    """The product M_1 x M_2 x ... with concatenated coordinates and |v|^2 = |v_1|^2 + |v_2|^2 + ...

    Args:
        *factors: at least one manifold; a factor with more coordinates than dimensions must define `ambient_dim`.

    Raises:
        ValueError: If there are no factors.

    Example:
        >>> from gaugenet.geometry import Euclidean, Product, Sphere
        >>> space = Product(Sphere(2), Euclidean(1))
        >>> space.dim, space.random_points(5).shape
        (3, torch.Size([5, 4]))
    """

    def __init__(self, *factors: Manifold) -> None:
        if not factors:
            raise ValueError("Expected at least one manifold in a product, got none.")
        self.factors = factors
        self.dim = sum(m.dim for m in factors)
        self.injectivity_radius = min(m.injectivity_radius for m in factors)
        known = [m.is_orientable for m in factors]
        self.is_orientable = False if False in known else (None if None in known else True)
        self.euler_characteristic = _product([m.euler_characteristic for m in factors])

    @property
    def ambient_dim(self) -> int:
        return sum(m.ambient_dim for m in self.factors)

    def _parts(self, *rows: Tensor) -> Iterator[tuple[Any, ...]]:
        """Yield every factor with its part of the coordinates of all rows."""
        widths = [m.ambient_dim for m in self.factors]
        return zip(self.factors, *(x.split(widths, -1) for x in rows), strict=True)

    def log(self, p: Tensor, q: Tensor) -> Tensor:
        return torch.cat([m.log(a, b) for m, a, b in self._parts(p, q)], -1)

    def exp(self, p: Tensor, v: Tensor) -> Tensor:
        return torch.cat([m.exp(a, b) for m, a, b in self._parts(p, v)], -1)

    def transport(self, p: Tensor, q: Tensor, v: Tensor) -> Tensor:
        return torch.cat([m.transport(a, b, c) for m, a, b, c in self._parts(p, q, v)], -1)

    def inner(self, p: Tensor, u: Tensor, v: Tensor) -> Tensor:
        return torch.stack([m.inner(a, b, c) for m, a, b, c in self._parts(p, u, v)]).sum(0)

    def to_tangent(self, p: Tensor, v: Tensor) -> Tensor:
        return torch.cat([m.to_tangent(a, b) for m, a, b in self._parts(p, v)], -1)

    def frame_at(self, p: Tensor) -> Tensor:
        out, row, column = p.new_zeros(len(p), self.ambient_dim, self.dim), 0, 0
        for m, a in self._parts(p):
            out[:, row : row + m.ambient_dim, column : column + m.dim] = m.frame_at(a)
            row, column = row + m.ambient_dim, column + m.dim
        return out

    @property
    def signature(self) -> Tensor:
        return torch.cat([m.signature for m in self.factors])

    def check_points(self, p: Tensor) -> None:
        for m, a in self._parts(p):
            m.check_points(a)

    def gap(self, p: Tensor, q: Tensor) -> Tensor:
        return torch.stack([m.gap(a, b) for m, a, b in self._parts(p, q)]).amax(0)

    def injectivity_radius_at(self, p: Tensor) -> Tensor:
        return torch.stack([m.injectivity_radius_at(a) for m, a in self._parts(p)]).amin(0)

    def embed(self, p: Tensor) -> Tensor | None:
        positions = [m.embed(a) for m, a in self._parts(p)]
        return None if any(x is None for x in positions) else torch.cat(positions, -1)

    def random_points(self, size: int, *, generator: torch.Generator | None = None) -> Tensor:
        return torch.cat([m.random_points(size, generator=generator) for m in self.factors], -1)

    def random_isometry(self, generator: torch.Generator | None = None) -> Isometry:
        """Return a random isometry of each factor that has isometries."""
        moves = [m.random_isometry(generator) if has(m, "random_isometry") else torch.clone for m in self.factors]
        return lambda p: torch.cat([f(a) for f, (_, a) in zip(moves, self._parts(p), strict=True)], -1)

    def __repr__(self) -> str:
        return f"Product({', '.join(repr(m) for m in self.factors)})"


class ConformalRescale(FromMetric):
    """A manifold with the metric e^{2 u} g: the same angles, other lengths. Geodesics are integrated.

    Args:
        manifold: a manifold whose points are chart coordinates, `dim` numbers.
        u: smooth function from one point `(dim,)` to a number.
        **known: see `gaugenet.geometry.manifolds.numeric.ChartManifold`.

    Raises:
        ValueError: If the points of the manifold are not chart coordinates.

    Example:
        >>> import torch
        >>> from gaugenet.geometry import ConformalRescale, Euclidean
        >>> doubled = ConformalRescale(Euclidean(2), lambda p: torch.log(torch.tensor(2.0)))
        >>> round(float(doubled.distance(torch.zeros(2), torch.tensor([1.0, 0.0]))), 6)
        2.0
    """

    def __init__(self, manifold: Manifold, u: Callable[[Tensor], Tensor], **known: Any) -> None:
        if manifold.ambient_dim != manifold.dim:
            raise ValueError(
                f"Expected a manifold in chart coordinates, got {manifold!r} with {manifold.ambient_dim} coordinates "
                f"for {manifold.dim} dimensions: use `InCoordinates` to write its points in a chart first."
            )
        self.manifold, self.u = manifold, u

        def metric(p: Tensor) -> Tensor:
            axes = torch.eye(manifold.dim, dtype=p.dtype)
            rows = [torch.stack([manifold.inner(p, a, b) for b in axes]) for a in axes]
            return torch.exp(2 * u(p)) * torch.stack(rows)

        known = {
            "is_orientable": manifold.is_orientable,
            "euler_characteristic": manifold.euler_characteristic,
            **known,
        }
        super().__init__(metric, manifold.dim, **known)

    def __repr__(self) -> str:
        return f"ConformalRescale({self.manifold!r})"


def _product(numbers: list[int | None]) -> int | None:
    result = 1
    for n in numbers:
        if n is None:
            return None
        result *= n
    return result


__all__ = ["ConformalRescale", "Product"]

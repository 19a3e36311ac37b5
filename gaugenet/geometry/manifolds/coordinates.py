"""A space in other coordinates."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from gaugenet.geometry.manifolds.candidates import Pairs
from gaugenet.geometry.manifolds.manifold import Isometry, Manifold, ManifoldError, push_forward

Map = Callable[[Tensor], Tensor]


class InCoordinates(Manifold):
    """A manifold with points in other coordinates; vectors are transformed by the chain rule.

    Args:
        manifold: the space, in coordinates for which formulas are known.
        forward: smooth batched map from its points to the new coordinates.
        backward: the inverse map.
        ambient_dim: number of new coordinates; `dim` by default.
        name: name for `repr`.

    Example:
        >>> import torch
        >>> from gaugenet.geometry import Euclidean, InCoordinates
        >>> def to_polar(p):
        ...     return torch.stack([p.norm(dim=-1), torch.atan2(p[..., 1], p[..., 0])], -1)
        >>> def to_plane(r):
        ...     return r[..., :1] * torch.stack([r[..., 1].cos(), r[..., 1].sin()], -1)
        >>> polar = InCoordinates(Euclidean(2), to_polar, to_plane)
        >>> round(float(polar.distance(torch.tensor([3.0, 0.0]), torch.tensor([4.0, torch.pi / 2]))), 4)
        5.0
    """

    def __init__(
        self,
        manifold: Manifold,
        forward: Map,
        backward: Map,
        *,
        ambient_dim: int | None = None,
        name: str | None = None,
    ) -> None:
        self.manifold, self.forward, self.backward = manifold, forward, backward
        self.name = name or f"InCoordinates({manifold!r})"
        self.dim = manifold.dim
        self._ambient_dim = ambient_dim or manifold.dim
        self.injectivity_radius = manifold.injectivity_radius
        self.is_orientable = manifold.is_orientable
        self.euler_characteristic = manifold.euler_characteristic

    @property
    def ambient_dim(self) -> int:
        return self._ambient_dim

    def _back(self, p: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Return a point and a tangent vector at it in the coordinates of the inner manifold."""
        p, v = torch.broadcast_tensors(p, v)
        return push_forward(self.backward, p.contiguous(), v.contiguous())

    def _forth(self, p: Tensor, v: Tensor) -> Tensor:
        return push_forward(self.forward, p, v)[1]

    def log(self, p: Tensor, q: Tensor) -> Tensor:
        base = self.backward(p)
        return self._forth(base, self.manifold.log(base, self.backward(q)))

    def exp(self, p: Tensor, v: Tensor) -> Tensor:
        return self.forward(self.manifold.exp(*self._back(p, v)))

    def transport(self, p: Tensor, q: Tensor, v: Tensor) -> Tensor:
        base, (source, vector) = self.backward(p), self._back(q, v)
        moved = self.manifold.transport(base, source, vector)
        return self._forth(base.expand_as(moved).contiguous(), moved)

    def inner(self, p: Tensor, u: Tensor, v: Tensor) -> Tensor:
        base, first = self._back(p, u)
        return self.manifold.inner(base, first, self._back(p, v)[1])

    def to_tangent(self, p: Tensor, v: Tensor) -> Tensor:
        return self._forth(*self._back(p, v))

    def candidates(self, p: Tensor, radii: Tensor) -> Pairs:
        return self.manifold.candidates(self.backward(p), radii)

    def check_points(self, p: Tensor) -> None:
        try:
            self.manifold.check_points(self.backward(p))
        except ManifoldError as error:
            raise ManifoldError(f"{self!r}, in the coordinates of {self.manifold!r}: {error}") from None

    def gap(self, p: Tensor, q: Tensor) -> Tensor:
        return self.manifold.gap(self.backward(p), self.backward(q))

    def injectivity_radius_at(self, p: Tensor) -> Tensor:
        return self.manifold.injectivity_radius_at(self.backward(p))

    def frame_at(self, p: Tensor) -> Tensor:
        base = self.backward(p)
        return torch.stack([self._forth(base, e.contiguous()) for e in self.manifold.frame_at(base).unbind(-1)], -1)

    def orientation(self, p: Tensor, frame: Tensor) -> Tensor | None:
        base = self.backward(p)
        return self.manifold.orientation(base, torch.stack([self._back(p, e)[1] for e in frame.unbind(-1)], -1))

    @property
    def signature(self) -> Tensor:
        return self.manifold.signature

    def random_points(self, size: int, *, generator: torch.Generator | None = None) -> Tensor:
        return self.forward(self.manifold.random_points(size, generator=generator))

    def random_isometry(self, generator: torch.Generator | None = None) -> Isometry:
        move = self.manifold.random_isometry(generator)
        return lambda p: self.forward(move(self.backward(p)))

    def __repr__(self) -> str:
        return self.name


__all__ = ["InCoordinates"]

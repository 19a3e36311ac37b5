"""Quotients M / Gamma: spaces in which each point is represented by several points of a cover."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet._typing import typed_tensor
from gaugenet.geometry.manifolds._region import check_region
from gaugenet.geometry.manifolds.candidates import Pairs, all_pairs, in_order, pairs_between
from gaugenet.geometry.manifolds.euclidean import Euclidean
from gaugenet.geometry.manifolds.manifold import Isometry, Manifold, push_forward
from gaugenet.geometry.manifolds.sphere import Sphere


class Quotient(Manifold):
    """Points of M up to deck transformations: isometries of M without fixed points that form a group.

    Any representative in M may be used for a point. Logarithms go to the nearest representative, and vectors are
    transported there by the differential of the deck transformation. If it reverses orientation, as on a Möbius strip,
    transporters are reflections.

    Args:
        manifold: the cover M.
        deck_transformations: batched maps of points, without the identity, that include the map to the nearest
            representative for all pairs of points. For finite groups these are all elements, for infinite groups enough
            elements for the region of the representatives, including inverses.
        reduce: optionally, a map of points into that region, which is applied to the result of `exp`.
        is_orientable, euler_characteristic: see `Manifold`, if known.

    Example:
        >>> import torch
        >>> from gaugenet.geometry import Euclidean, Quotient
        >>> circle = Quotient(Euclidean(1), [lambda p: p + 1, lambda p: p - 1])
        >>> round(float(circle.distance(torch.tensor([0.1]), torch.tensor([0.9]))), 6)
        0.2
    """

    def __init__(
        self,
        manifold: Manifold,
        deck_transformations: Sequence[Isometry],
        *,
        reduce: Isometry | None = None,
        is_orientable: bool | None = None,
        euler_characteristic: int | None = None,
    ) -> None:
        self.manifold = manifold
        self.decks: tuple[Isometry, ...] = (lambda p: p, *deck_transformations)
        self.reduce: Isometry | None = reduce
        self.dim = manifold.dim
        self.is_orientable = is_orientable
        self.euler_characteristic = euler_characteristic

    # --- the nearest representative -------------------------------------------------------------------------------

    def _nearest(self, p: Tensor, q: Tensor) -> Tensor:
        """Return the index of the deck transformation that takes q nearest to p."""
        with torch.no_grad():
            return torch.stack([self.manifold.distance(p, g(q)) for g in self.decks]).argmin(0)

    def _lift(self, p: Tensor, q: Tensor) -> Tensor:
        """Return the representative of q nearest to p."""
        p, q = torch.broadcast_tensors(p, q)
        return _pick(torch.stack([g(q) for g in self.decks]), self._nearest(p, q))

    def log(self, p: Tensor, q: Tensor) -> Tensor:
        return self.manifold.log(p, self._lift(p, q))

    def exp(self, p: Tensor, v: Tensor) -> Tensor:
        end = self.manifold.exp(p, v)
        return end if self.reduce is None else self.reduce(end)

    def transport(self, p: Tensor, q: Tensor, v: Tensor) -> Tensor:
        p, q, v = (x.contiguous() for x in torch.broadcast_tensors(p, q, v))
        chosen = self._nearest(p, q)
        moved = [push_forward(g, q, v) for g in self.decks]
        there = _pick(torch.stack([m[0] for m in moved]), chosen)
        return self.manifold.transport(p, there, _pick(torch.stack([m[1] for m in moved]), chosen))

    def distance(self, p: Tensor, q: Tensor) -> Tensor:
        return self.manifold.distance(p, self._lift(p, q))

    def gap(self, p: Tensor, q: Tensor) -> Tensor:
        return torch.stack([self.manifold.gap(p, g(q)) for g in self.decks]).amin(0)

    @property
    def ambient_dim(self) -> int:
        return self.manifold.ambient_dim

    # --- inherited from the cover ---------------------------------------------------------------------------------

    def check_points(self, p: Tensor) -> None:
        self.manifold.check_points(p)

    def inner(self, p: Tensor, u: Tensor, v: Tensor) -> Tensor:
        return self.manifold.inner(p, u, v)

    def to_tangent(self, p: Tensor, v: Tensor) -> Tensor:
        return self.manifold.to_tangent(p, v)

    def frame_at(self, p: Tensor) -> Tensor:
        return self.manifold.frame_at(p)

    @property
    def signature(self) -> Tensor:
        return self.manifold.signature

    def injectivity_radius_at(self, p: Tensor) -> Tensor:
        """Return half the distance to the nearest other representative, or the radius of the cover if smaller."""
        ways = [self.manifold.distance(p, g(p)) / 2 for g in self.decks[1:]]
        return torch.stack([self.manifold.injectivity_radius_at(p), *ways]).amin(0)

    def candidates(self, p: Tensor, radii: Tensor) -> Pairs:
        space = self.manifold.search_space(p, radii)
        if space is None:
            return all_pairs(p, radii, self.distance)
        found = []
        for g in self.decks:
            images = self.manifold.search_space(g(p), radii)
            found.append(np.stack(pairs_between(space[0], images[0], space[1])))  # type: ignore[index]
        target, source = np.unique(np.concatenate(found, 1), axis=1)
        return in_order(target, source)

    def random_points(self, size: int, *, generator: torch.Generator | None = None) -> Tensor:
        points = self.manifold.random_points(size, generator=generator)
        return points if self.reduce is None else self.reduce(points)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.manifold!r}, {len(self.decks) - 1} deck transformations)"


def _pick(options: Float[Tensor, "decks *batch D"], chosen: Tensor) -> Float[Tensor, "*batch D"]:
    index = chosen[None, ..., None].expand(1, *options.shape[1:])
    return torch.take_along_dim(options, index, 0)[0]


class ProjectiveSpace(Quotient):
    """RP^n: lines through the origin of R^{n+1}, represented by one of their two unit vectors.

    Args:
        dim: n; not orientable if even.

    Example:
        >>> import torch
        >>> from gaugenet.geometry import ProjectiveSpace
        >>> x = torch.tensor([0.0, 0.0, 1.0])
        >>> ProjectiveSpace(2).distance(x, -x)
        tensor(0.)
    """

    def __init__(self, dim: int = 2) -> None:
        even = dim % 2 == 0
        super().__init__(Sphere(dim), [torch.neg], is_orientable=not even, euler_characteristic=int(even))

    def random_isometry(self, generator: torch.Generator | None = None) -> Isometry:
        return self.manifold.random_isometry(generator)

    def __repr__(self) -> str:
        return f"ProjectiveSpace({self.dim})"


class LensSpace(Quotient):
    """L(p, q): the sphere S^3 of pairs of complex numbers up to (z, w) -> (e^{2 pi i / p} z, e^{2 pi i q / p} w).

    Args:
        p, q: coprime integers, p at least 2. Points are rows (Re z, Im z, Re w, Im w).

    Raises:
        ValueError: If `p` is below 2, or `p` and `q` are not coprime.

    Example:
        >>> import torch
        >>> from gaugenet.geometry import LensSpace
        >>> x = torch.tensor([1.0, 0.0, 0.0, 0.0])
        >>> round(float(LensSpace(4).distance(x, torch.tensor([0.0, 1.0, 0.0, 0.0]))), 6)
        0.0
    """

    def __init__(self, p: int, q: int = 1) -> None:
        if p < 2 or math.gcd(p, q) != 1:
            raise ValueError(f"Expected coprime `p` > 1 and `q`, got p={p}, q={q}: other quotients have fixed points.")
        self.p, self.q = p, q
        decks = [_linear(_rotations(2 * math.pi * k / p, 2 * math.pi * k * q / p)) for k in range(1, p)]
        super().__init__(Sphere(3), decks, is_orientable=True, euler_characteristic=0)

    def random_isometry(self, generator: torch.Generator | None = None) -> Isometry:
        """Return the torus of isometries that rotate z and w."""
        a, b = (2 * math.pi * torch.rand(2, generator=generator, dtype=torch.float64)).tolist()
        return _linear(_rotations(a, b))

    def __repr__(self) -> str:
        return f"LensSpace({self.p}, {self.q})"


class FlatQuotient(Quotient):
    """A quotient of R^d with representatives in a box [0, lengths[0]) x ...; infinite lengths are not wrapped."""

    def __init__(
        self,
        lengths: Sequence[float],
        decks: Sequence[Isometry],
        reduce: Isometry,
        *,
        is_orientable: bool,
        euler_characteristic: int | None,
    ) -> None:
        if not all(length > 0 for length in lengths):
            raise ValueError(f"Expected positive lengths, got {tuple(lengths)}.")
        self.lengths = tuple(float(length) for length in lengths)
        super().__init__(
            Euclidean(len(lengths)),
            decks,
            reduce=reduce,
            is_orientable=is_orientable,
            euler_characteristic=euler_characteristic,
        )

    def check_points(self, p: Tensor) -> None:
        check_region(repr(self), p, self.decks, self.lengths)

    def random_points(self, size: int, *, generator: torch.Generator | None = None) -> Tensor:
        """Return points that are uniform in the box."""
        box = torch.tensor(self.lengths, dtype=torch.float64)
        return torch.rand(size, self.dim, generator=generator, dtype=torch.float64) * box

    def random_isometry(self, generator: torch.Generator | None = None) -> Isometry:
        """Return a shift along the first coordinate."""
        shift = torch.zeros(self.dim, dtype=torch.float64)
        shift[0] = self.lengths[0] * torch.rand((), generator=generator, dtype=torch.float64)
        return lambda p: self.reduce(p + shift)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{length:g}' for length in self.lengths)})"


class FlatTorus(FlatQuotient):
    """R^d up to shifts by whole lengths: flat, in contrast to the torus in space (`EmbeddedTorus`).

    Args:
        lengths: lengths of its d closed geodesics.

    Example:
        >>> import torch
        >>> from gaugenet.geometry import FlatTorus
        >>> FlatTorus(1.0, 2.0).log(torch.tensor([0.0, 0.25]), torch.tensor([0.75, 2.0]))
        tensor([-0.2500, -0.2500])
    """

    def __init__(self, *lengths: float) -> None:
        lengths = lengths or (2 * math.pi, 2 * math.pi)
        box = torch.tensor(lengths, dtype=torch.float64)
        shifts = torch.cartesian_prod(*[torch.tensor([-1.0, 0.0, 1.0], dtype=torch.float64)] * len(lengths))
        shifts = shifts.reshape(-1, len(lengths))
        decks = [_shift(s * box) for s in shifts if bool(s.any())]
        super().__init__(
            lengths, decks, lambda p: p - box * (p / box).floor(), is_orientable=True, euler_characteristic=0
        )


class Cylinder(FlatQuotient):
    """A strip of length `circumference` with its ends joined; points (x, y), y across.

    Args:
        circumference: length of the closed geodesics.
        width: `random_points` draws y from [0, width).

    Example:
        >>> import torch
        >>> from gaugenet.geometry import Cylinder
        >>> Cylinder(1.0).log(torch.tensor([0.0, 0.0]), torch.tensor([0.75, 0.5]))
        tensor([-0.2500,  0.5000])
    """

    def __init__(self, circumference: float = 2 * math.pi, width: float = 1.0) -> None:
        around = torch.tensor([circumference, 0.0], dtype=torch.float64)
        decks = [_shift(k * around) for k in (-1, 1)]
        super().__init__(
            (circumference, width),
            decks,
            lambda p: p - around * (p[..., :1] / circumference).floor(),
            is_orientable=True,
            euler_characteristic=None,
        )


class MobiusStrip(FlatQuotient):
    """A strip whose ends are joined with a half twist: (x + length, y) is (x, -y); flat, one-sided.

    Args:
        length: length of the centre line.
        width: the strip is |y| <= width / 2.

    Example:
        >>> import torch
        >>> from gaugenet.geometry import MobiusStrip
        >>> strip = MobiusStrip(1.0)
        >>> strip.log(torch.tensor([0.0, 0.25]), torch.tensor([0.75, 0.0]))
        tensor([-0.2500, -0.2500])
        >>> p, q = torch.tensor([0.0, 0.0]), torch.tensor([0.75, 0.0])
        >>> float(strip.transport(p, q, torch.tensor([0.0, 1.0]))[1])  # reflected by the twist
        -1.0
    """

    def __init__(self, length: float = 2 * math.pi, width: float = 1.0) -> None:
        self.width = float(width)
        super().__init__(
            (length, width),
            [_glide(k, length) for k in (-2, -1, 1, 2)],
            lambda p: _glided(p, -(p[..., 0] / length).floor(), length),
            is_orientable=False,
            euler_characteristic=None,
        )

    def random_points(self, size: int, *, generator: torch.Generator | None = None) -> Tensor:
        """Return points that are uniform in [0, length) x [-width / 2, width / 2)."""
        points = super().random_points(size, generator=generator)
        return points - torch.tensor([0.0, self.width / 2], dtype=torch.float64)


class KleinBottle(FlatQuotient):
    """The plane with (x + length, y) = (x, -y) and (x, y + width) = (x, y); flat, closed, one-sided.

    Args:
        length, width: lengths of the two families of closed lines.

    Example:
        >>> import torch
        >>> from gaugenet.geometry import KleinBottle
        >>> KleinBottle(1.0, 1.0).is_orientable
        False
    """

    def __init__(self, length: float = 2 * math.pi, width: float = 2 * math.pi) -> None:
        up = torch.tensor([0.0, width], dtype=torch.float64)
        decks = [
            _then(_glide(k, length), _shift(n * up)) for k in range(-2, 3) for n in range(-2, 3) if (k, n) != (0, 0)
        ]

        def reduce(p: Tensor) -> Tensor:
            p = _glided(p, -(p[..., 0] / length).floor(), length)
            return p - up * (p[..., 1:] / width).floor()

        super().__init__((length, width), decks, reduce, is_orientable=False, euler_characteristic=0)


def _shift(by: Tensor) -> Isometry:
    return lambda p: p + by.to(p)


def _glide(k: int, length: float) -> Isometry:
    """Apply k half twists: x + k length, y times (-1)^k."""
    return lambda p: torch.stack([p[..., 0] + k * length, (-1) ** k * p[..., 1]], -1)


def _glided(p: Tensor, k: Tensor, length: float) -> Tensor:
    return torch.stack([p[..., 0] + k * length, (1 - 2 * (k % 2)) * p[..., 1]], -1)


def _then(first: Isometry, second: Isometry) -> Isometry:
    return lambda p: second(first(p))


def _linear(matrix: Tensor) -> Isometry:
    return lambda p: p @ matrix.to(p).T


def _rotations(a: float, b: float) -> Float[Tensor, "4 4"]:
    blocks = [[[math.cos(t), -math.sin(t)], [math.sin(t), math.cos(t)]] for t in (a, b)]
    return typed_tensor(torch.block_diag(*(torch.tensor(block, dtype=torch.float64) for block in blocks)))


__all__ = [
    "Cylinder",
    "FlatTorus",
    "KleinBottle",
    "LensSpace",
    "MobiusStrip",
    "ProjectiveSpace",
    "Quotient",
]

"""Manifolds from one function, an embedding or a metric, in chart coordinates."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from gaugenet._deprecation import renamed_attribute
from gaugenet._typing import typed_tensor
from gaugenet._validation import positive
from gaugenet.geometry.manifolds._numbers import batched
from gaugenet.geometry.manifolds.geodesics import (
    differential,
    flat_rows,
    geodesic,
    geodesic_transport,
    jacobian,
    least_squares,
    scaled,
    solve,
)
from gaugenet.geometry.manifolds.manifold import Manifold, ManifoldError, refuse_points

AT_ONCE = 1 << 15
"""Number of rows that are integrated together."""

_CONVERGED = 1e-9
"""Largest distance of the end of a geodesic from its aim before the last correction, which leaves the square of it or,
with an approximate derivative, a thousandth; relative to its length and the size of coordinates."""


class ChartManifold(Manifold):
    """A Riemannian manifold in chart coordinates whose geodesics are integrated.

    Points and vectors are rows of `dim` numbers. `exp` integrates by a Runge-Kutta method of order 8, `transport` along
    the same geodesic. `log` solves for the initial velocity by Newton's method, always in float64.

    Args:
        dim: number of coordinates.
        steps: steps per geodesic, with 11 evaluations each. The error falls with their eighth power: for geodesics of
            length 0.5 on the unit sphere it is 4e-10 with 2 steps, 1e-12 with 4, 4e-15 with 8 (median).
        injectivity_radius, is_orientable, euler_characteristic: see `Manifold`, if known.
    """

    def __init__(
        self,
        dim: int,
        *,
        steps: int = 6,
        injectivity_radius: float = math.inf,
        is_orientable: bool | None = None,
        euler_characteristic: int | None = None,
    ) -> None:
        self.dim = positive("dim", dim)
        self.steps = positive("steps", steps)
        self.injectivity_radius = float(injectivity_radius)
        self.is_orientable = is_orientable
        self.euler_characteristic = euler_characteristic

    @abstractmethod
    def metric(self, p: Float[Tensor, "batch d"]) -> Float[Tensor, "batch d d"]:
        """Return the metric g at each point."""

    @abstractmethod
    def connection(self, p: Float[Tensor, "batch d"], v: Float[Tensor, "batch d"]) -> Float[Tensor, "batch d d"]:
        """Return Gamma(v, .) with nabla_v w = dw/dt + Gamma(v, w)."""

    @abstractmethod
    def immersion(self, p: Float[Tensor, "batch d"]) -> Float[Tensor, "batch E"]:
        """Return coordinates in which the end of a geodesic is compared with its aim."""

    place = renamed_attribute("place", "immersion")

    def same_vector(self, p: Tensor, q: Tensor, v: Tensor) -> Tensor:
        """Return the coordinates at `p` of vectors `v (B, d, k)` at `q`, for rows that are the same point."""
        return v

    def exp(self, p: Tensor, v: Tensor) -> Tensor:
        p, v, shape = flat_rows(self.dim, p=p, v=v)
        parts = zip(p.split(AT_ONCE), v.split(AT_ONCE), strict=True)
        return torch.cat([geodesic(self.connection, a, b, self.steps) for a, b in parts]).reshape(shape)

    def log(self, p: Tensor, q: Tensor) -> Tensor:
        """Return the logarithm, see `Manifold.log`; raise `ManifoldError` if no geodesic is found."""
        p, q, shape = flat_rows(self.dim, p=p, q=q)
        v, found = self.try_log(p, q)
        if not found.all():
            k = int((~found).nonzero()[0])
            raise ManifoldError(
                f"{self!r}: no geodesic was found for {int((~found).sum())} of {len(found)} pairs, the first from "
                f"{p[k].tolist()} to {q[k].tolist()}: the points are too far apart, or the chart ends between them."
            )
        return v.reshape(shape)

    def transport(self, p: Tensor, q: Tensor, v: Tensor) -> Tensor:
        shape = torch.broadcast_shapes(p.shape, q.shape, v.shape)
        p, q, _ = flat_rows(self.dim, p=p.expand(shape), q=q.expand(shape))
        moved = self._transported_by(p, q, self.log(p, q), v.expand(shape).reshape(-1, self.dim, 1))
        return moved.reshape(shape)

    def log_and_transport(self, p: Tensor, q: Tensor, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Return both, see `Manifold.log_and_transport`; the logarithm is infinite where no geodesic is found."""
        v, found = self.try_log(p, q)
        moved = self._transported_by(p, q, torch.where(found[:, None], v, torch.zeros_like(v)), vectors)
        return torch.where(found[:, None], v, torch.full_like(v, torch.inf)), moved

    def _transported_by(self, p: Tensor, q: Tensor, v: Tensor, vectors: Tensor) -> Tensor:
        parts = []
        for a, b, c, w in zip(*(x.split(AT_ONCE) for x in (p, q, v, vectors)), strict=True):
            end, forth = geodesic_transport(self.connection, a, c, self.steps)
            parts.append(solve(forth, self.same_vector(end, b, w)))
        return torch.cat(parts)

    def try_log(self, p: Tensor, q: Tensor) -> tuple[Float[Tensor, "batch d"], Bool[Tensor, "batch"]]:
        """Return logarithms, with first derivatives by the implicit function theorem, and whether they were found."""
        dtype, p, q = torch.result_type(p, q), p.double(), q.double()  # float32 cannot resolve `_CONVERGED`
        parts = [self._shoot(a, b) for a, b in zip(p.split(AT_ONCE), q.split(AT_ONCE), strict=True)]
        if not parts:
            return torch.zeros_like(p, dtype=dtype), torch.ones(0, dtype=torch.bool)
        v, found = torch.cat([a for a, _ in parts]), torch.cat([b for _, b in parts])
        if torch.is_grad_enabled() and (p.requires_grad or q.requires_grad or self.immersion(p[:1]).requires_grad):
            v = self._newton_step(p, q, v, self.steps)[0]
        return v.to(dtype), found

    @torch.no_grad()
    def _shoot(self, p: Tensor, q: Tensor) -> tuple[Tensor, Tensor]:
        p, q = p.detach(), q.detach()
        v, found = self._newton(p, q, self._chord(p, q))
        lost = ~found
        if lost.any():
            v[lost], found[lost] = self._homotopy(p[lost], q[lost])
        return v, found

    def _chord(self, p: Tensor, q: Tensor) -> Tensor:
        """Return the vector at p whose image is closest to the straight line to q, as a first guess."""
        here, slopes = jacobian(self.immersion, p)
        return least_squares(slopes, self.immersion(q) - here)

    def _newton(self, p: Tensor, q: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Solve by Newton's method: one step per geodesic, then all steps with the derivative of the coarse ones."""
        for _ in range(5):
            v, slopes, missed = self._newton_step(p, q, v, 1)
            if bool((missed <= 1e-4 * self._scale(q, v)).all()):
                break
        target = self.immersion(q)
        for _ in range(12):
            residual = self.immersion(geodesic(self.connection, p, v, self.steps)) - target
            found = torch.linalg.vector_norm(residual, dim=-1) <= _CONVERGED * self._scale(q, v)
            v = v - least_squares(slopes, residual)
            if bool(found.all()):
                break
        return v, found

    def _homotopy(self, p: Tensor, q: Tensor) -> tuple[Tensor, Tensor]:
        """Solve for points on the straight line of the chart to q, one after the other, with exact derivatives."""
        stages, coarse = 4, min(2, self.steps)
        v = self._chord(p, p + (q - p) / stages)
        for k in range(1, stages):
            v = self._newton_step(p, p + (q - p) * (k / stages), v, coarse)[0] * ((k + 1) / k)
        before = torch.full((len(p),), torch.inf, dtype=p.dtype)
        for _ in range(8):
            v, _, missed = self._newton_step(p, q, v, self.steps)
            found = missed <= _CONVERGED * self._scale(q, v)
            if not bool((~found & (missed < before)).any()):
                break
            before = missed
        return v, found

    def _newton_step(self, p: Tensor, q: Tensor, v: Tensor, steps: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return the next v, the derivative of the end with respect to v, and the error of the previous v."""

        def end(base: Tensor, velocity: Tensor) -> Tensor:
            return self.immersion(geodesic(self.connection, base, velocity, steps))

        arrival, slopes = differential(end, p, v)
        residual = arrival - self.immersion(q)
        return v - least_squares(slopes, residual), slopes, torch.linalg.vector_norm(residual, dim=-1)

    def _scale(self, q: Tensor, v: Tensor) -> Tensor:
        return typed_tensor(
            torch.linalg.vector_norm(v, dim=-1) + torch.linalg.vector_norm(self.immersion(q), dim=-1) + 1e-30
        )

    # --- metric ---------------------------------------------------------------------------------------------------

    def inner(self, p: Tensor, u: Tensor, v: Tensor) -> Tensor:
        shape = torch.broadcast_shapes(p.shape, u.shape, v.shape)
        g = self.metric(p.reshape(-1, self.dim)).reshape(*p.shape, self.dim)
        return (u.unsqueeze(-2) @ g @ v.unsqueeze(-1)).reshape(shape[:-1])

    def to_tangent(self, p: Tensor, v: Tensor) -> Tensor:
        return v

    def check_points(self, p: Tensor) -> None:
        refuse_points(self, p, ~self.metric(p).isfinite().all(-1).all(-1), "a finite metric")

    def gap(self, p: Tensor, q: Tensor) -> Tensor:
        p, q, shape = flat_rows(self.dim, p=p, q=q)
        return typed_tensor(torch.linalg.vector_norm(self.immersion(p) - self.immersion(q), dim=-1).reshape(shape[:-1]))

    def frame_at(self, p: Tensor) -> Tensor:
        """Return L^-T with g = L L^T: orthonormal, smooth on the chart, and oriented as the chart."""
        g = self.metric(p)
        lower, failed = torch.linalg.cholesky_ex(g)
        if failed.any():
            k = int(failed.nonzero()[0])
            raise ManifoldError(
                f"{self!r}: the metric is not positive definite at {p[k].tolist()}: {g[k].tolist()}. Leave out points "
                "where coordinates degenerate, such as a pole or the tip of a cone."
            )
        return typed_tensor(torch.linalg.inv(lower).mT)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(dim={self.dim})"


class Embedded(ChartManifold):
    """The image of a function in Euclidean space, see `from_embedding`."""

    def __init__(self, f: Callable[[Tensor], Tensor], dim: int, **known: Any) -> None:
        super().__init__(dim, **known)
        self.f = f
        self._immersion = batched(f)
        probe = self._immersion(torch.full((1, dim), 0.5, dtype=torch.float64))
        if probe.dim() != 2 or probe.shape[-1] < dim:
            raise ValueError(
                f"Expected `f` to map one point of shape ({dim},) to a vector of at least {dim} coordinates, got shape "
                f"{tuple(probe.shape[1:])}."
            )

    def immersion(self, p: Tensor) -> Tensor:
        return self._immersion(p)

    def jacobian(self, p: Float[Tensor, "batch d"]) -> Float[Tensor, "batch E d"]:
        """Return the derivative df at each point."""
        return jacobian(self._immersion, p)[1]

    def metric(self, p: Tensor) -> Tensor:
        j = self.jacobian(p)
        return j.mT @ j

    def connection(self, p: Tensor, v: Tensor) -> Tensor:
        """Return (J^T J)^-1 J^T D_v J, without Christoffel symbols."""
        j, rotating = torch.func.jvp(self.jacobian, (p,), (v,))
        return solve(j.mT @ j, j.mT @ rotating)

    def same_vector(self, p: Tensor, q: Tensor, v: Tensor) -> Tensor:
        j = self.jacobian(p)
        return solve(j.mT @ j, j.mT @ (self.jacobian(q) @ v))

    def embed(self, p: Tensor) -> Tensor:
        return self.immersion(p)


class FromMetric(ChartManifold):
    """A chart with a metric; see `from_metric`."""

    def __init__(self, g: Callable[[Tensor], Tensor], dim: int, **known: Any) -> None:
        super().__init__(dim, **{"is_orientable": True, **known})
        self.g = g
        self._metric = batched(g)
        probe = self._metric(torch.full((1, dim), 0.5, dtype=torch.float64)).double()
        if probe.shape != (1, dim, dim):
            raise ValueError(
                f"Expected `g` to map one point of shape ({dim},) to a matrix of shape ({dim}, {dim}), got shape "
                f"{tuple(probe.shape[1:])}."
            )
        usable = bool(probe.isfinite().all())
        self._negative = int((torch.linalg.eigvalsh(probe.detach())[0] < 0).sum()) if usable else 0

    @property
    def signature(self) -> Tensor:
        return torch.tensor([1.0] * (self.dim - self._negative) + [-1.0] * self._negative, dtype=torch.float64)

    def frame_at(self, p: Tensor) -> Tensor:
        """Return frames as for every chart; for an indefinite metric the eigenvectors, positive squares first."""
        if not self._negative:
            return super().frame_at(p)
        values, vectors = torch.linalg.eigh(self.metric(p))
        other = (values < 0).sum(-1) != self._negative
        if other.any():
            k = int(other.nonzero()[0])
            raise ManifoldError(
                f"{self!r}: the metric has {int((values[k] < 0).sum())} negative squares at {p[k].tolist()}, and "
                f"{self._negative} where it was first evaluated. A metric has one signature: leave such points out."
            )
        return typed_tensor((vectors / values.abs().sqrt()[:, None, :]).flip(-1))

    def immersion(self, p: Tensor) -> Tensor:
        return p

    def metric(self, p: Tensor) -> Tensor:
        g = self._metric(p).to(p)  # constants in a user's formula are often float32
        return scaled(g + g.mT, 0.5)

    def connection(self, p: Tensor, v: Tensor) -> Tensor:
        r"""Return g^-1 (D_v g + N - N^T) / 2 with N_ij = (\partial_j g v)_i, the Levi-Civita connection."""
        g, slopes = jacobian(self.metric, p)
        along = (slopes @ v[:, None, :, None]).squeeze(-1)
        n = (slopes.movedim(-1, 1) @ v[:, None, :, None]).squeeze(-1).mT
        return solve(g, scaled(along + n - n.mT, 0.5))

    def orientation(self, p: Tensor, frame: Tensor) -> Tensor:
        return typed_tensor(torch.linalg.det(frame))

    def check_points(self, p: Tensor) -> None:
        g = self._metric(p)
        even = (g - g.mT).abs().amax((-2, -1)) <= 1e-5 * g.abs().amax((-2, -1))
        refuse_points(self, p, ~even, "a finite, symmetric metric")

    def search_space(self, p: Tensor, radii: Tensor) -> tuple[Tensor, Tensor]:
        """Return the chart coordinates and bounds for neighbours in them.

        |dx|^2 <= ds^2 / (smallest eigenvalue of g). The smallest eigenvalue among the points within this distance is
        used, and a margin of 50 % for the space between the points.
        """
        from scipy.spatial import cKDTree

        if self._negative:  # squares do not bound lengths: `radii` are lengths in the chart
            return p, 1.5 * radii
        smallest = torch.linalg.eigvalsh(self.metric(p))[:, 0]
        tree, bound = cKDTree(p.numpy()), 1.5 * radii / smallest.sqrt()
        for _ in range(8):
            near = tree.query_ball_point(p.numpy(), bound.numpy())
            lowest = torch.stack([smallest[found].min() for found in near])
            wider = 1.5 * radii / lowest.sqrt()
            if bool((wider <= bound * (1 + 1e-6)).all()):
                break
            bound = torch.maximum(wider, bound)
        return p, bound


def from_embedding(f: Callable[[Tensor], Tensor], *, dim: int, **known: Any) -> Embedded:
    """Return the surface `f(R^dim)` with the metric of Euclidean space.

    Points are in chart coordinates. Coordinates with the same image (an angle and the angle plus 2 pi) are the same
    point. Neighbours are searched in space.

    Args:
        f: smooth function from one point `(dim,)` to a point of Euclidean space, differentiable by `torch.func`.
        dim: number of coordinates.
        **known: see `ChartManifold`.

    Raises:
        ValueError: If the result of `f` has a wrong shape.

    Example:
        >>> import torch
        >>> from gaugenet.geometry import from_embedding
        >>> def torus(p):
        ...     ring = 2 + torch.cos(p[1])
        ...     return torch.stack([ring * torch.cos(p[0]), ring * torch.sin(p[0]), torch.sin(p[1])])
        >>> space = from_embedding(torus, dim=2)
        >>> p, q = torch.tensor([[0.0, 0.0], [0.5, 0.0]], dtype=torch.float64)  # on the outer circle of radius 3
        >>> round(float(space.distance(p, q)), 6)
        1.5
    """
    return Embedded(f, dim, **known)


def from_metric(g: Callable[[Tensor], Tensor], *, dim: int, **known: Any) -> FromMetric:
    """Return a chart with the metric `g`.

    Args:
        g: smooth function from one point `(dim,)` to a symmetric matrix `(dim, dim)`: positive definite, or of one
            indefinite signature (space-times) for the group `PseudoOrthogonal(p, q)`, see `PseudoEuclidean`.
        dim: number of coordinates.
        **known: see `ChartManifold`.

    Raises:
        ValueError: If the result of `g` has a wrong shape.

    Example:
        >>> import torch
        >>> from gaugenet.geometry import from_metric
        >>> half_plane = from_metric(lambda p: torch.eye(2, dtype=p.dtype) / p[1] ** 2, dim=2)
        >>> p, q = torch.tensor([[0.0, 1.0], [0.0, 2.0]], dtype=torch.float64)
        >>> torch.allclose(half_plane.distance(p, q), torch.log(q[1]))
        True
    """
    return FromMetric(g, dim, **known)


__all__ = ["ChartManifold", "from_embedding", "from_metric"]

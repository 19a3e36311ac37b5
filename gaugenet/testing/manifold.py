"""ManifoldContract: the theorems that every manifold must satisfy, as a test class to inherit from."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet._typing import typed_tensor
from gaugenet.geometry.manifolds.contract import verify
from gaugenet.geometry.manifolds.graph import frames_of, neighborhoods
from gaugenet.geometry.manifolds.manifold import Manifold, has, push_forward


class ManifoldContract:
    """The tests that every manifold must pass, as a base class for pytest.

    Override `points` if the space has no `random_points`.

    Attributes:
        manifold: the space.
        radius: length of the tested geodesics, below the injectivity radius everywhere.
        tolerance: largest error in float64, for lengths relative to the radius.
        count: number of points.

    Example:
        >>> from gaugenet.geometry import Sphere
        >>> from gaugenet.testing import ManifoldContract
        >>> class TestSphere(ManifoldContract):
        ...     manifold = Sphere(2)
        >>> TestSphere().test_log_inverts_exp()  # pytest runs this and the other tests
    """

    manifold: Manifold
    radius: float = 0.5
    tolerance: float = 1e-9
    count: int = 40

    def points(self, generator: torch.Generator) -> Float[Tensor, "count D"]:
        """Return points of the space, float64."""
        return self.manifold.random_points(self.count, generator=generator)

    # --- theorems -------------------------------------------------------------------------------------------------

    def test_to_tangent_is_a_projection(self) -> None:
        t = _Trial(self)
        v = torch.randn(t.p.shape, generator=t.generator, dtype=t.p.dtype)
        once = self.manifold.to_tangent(t.p, v)
        self._close(self.manifold.to_tangent(t.p, once), once, "to_tangent twice is not to_tangent")
        self._close(self.manifold.to_tangent(t.p, t.u), t.u, "to_tangent moves tangent vectors")

    def test_inner_is_symmetric_and_bilinear(self) -> None:
        t, m = _Trial(self), self.manifold
        self._close(m.inner(t.p, t.u, t.v), m.inner(t.p, t.v, t.u), "inner is not symmetric")
        combined = m.inner(t.p, 2 * t.u - 3 * t.w, t.v)
        self._close(combined, 2 * m.inner(t.p, t.u, t.v) - 3 * m.inner(t.p, t.w, t.v), "inner is not linear")

    def test_frames_are_orthonormal(self) -> None:
        t, m = _Trial(self), self.manifold
        gram = torch.stack(
            [torch.stack([m.inner(t.p, a, b) for b in t.frame.unbind(-1)], -1) for a in t.frame.unbind(-1)], -2
        )
        self._close(gram, torch.diag(m.signature).expand_as(gram), "frames are not orthonormal")

    def test_log_inverts_exp(self) -> None:
        t, m = _Trial(self), self.manifold
        self._close(m.log(t.p, t.q), t.u, "log(p, exp(p, v)) is not v")
        gap = m.gap(m.exp(t.p, m.log(t.p, t.q)), t.q)
        self._close(gap, torch.zeros_like(gap), "exp(p, log(p, q)) is not q")

    def test_log_of_the_point_itself_is_zero(self) -> None:
        t = _Trial(self)
        self._close(self.manifold.log(t.p, t.p), torch.zeros_like(t.p), "log(p, p) is not 0")

    def test_geodesics_are_their_own_continuation(self) -> None:
        t, m = _Trial(self), self.manifold
        half = m.exp(t.p, t.u / 2)
        self._close(m.log(half, t.q), m.transport(half, t.p, t.u) / 2, "a geodesic is not straight at its middle")

    def test_distance_is_symmetric(self) -> None:
        t, m = _Trial(self), self.manifold
        there, back = m.log(t.p, t.q), m.log(t.q, t.p)
        self._close(m.inner(t.p, there, there), m.inner(t.q, back, back), "distance is not symmetric")

    def test_transport_keeps_inner_products(self) -> None:
        t, m = _Trial(self), self.manifold
        v, w = t.tangent(t.q), t.tangent(t.q)
        preserved = m.inner(t.p, m.transport(t.p, t.q, v), m.transport(t.p, t.q, w))
        self._close(preserved, m.inner(t.q, v, w), "transport changes inner products")

    def test_transport_back_is_the_inverse(self) -> None:
        t, m = _Trial(self), self.manifold
        v = t.tangent(t.q)
        self._close(m.transport(t.q, t.p, m.transport(t.p, t.q, v)), v, "transport there and back is not the identity")
        self._close(m.transport(t.p, t.p, t.v), t.v, "transport from p to p is not the identity")

    def test_geodesics_carry_their_velocity(self) -> None:
        t, m = _Trial(self), self.manifold
        self._close(m.transport(t.p, t.q, m.log(t.q, t.p)), -t.u, "transport does not take log(q, p) to -log(p, q)")

    def test_the_connection_has_no_torsion(self) -> None:
        """Check that small parallelograms close to third order."""
        t, m = _Trial(self), self.manifold
        big, small = (float(self._opening(t, h).square().mean().sqrt()) for h in (0.2, 0.1))
        if small > max(big / 5, 10 * self.tolerance):
            raise AssertionError(
                f"{m!r}: parallelograms open by {big:.1e}, those of half the size by {small:.1e}: not of third order, "
                "so the connection is not Levi-Civita's."
            )

    def test_isometries_commute_with_everything(self) -> None:
        t, m = _Trial(self), self.manifold
        if not has(m, "random_isometry"):
            return
        transformation: Any = m.random_isometry(t.generator)
        (gp, gu), gq = push_forward(transformation, t.p, t.u), transformation(t.q)
        self._close(m.log(gp, gq), gu, "an isometry does not commute with log")
        v = t.tangent(t.q)
        moved = m.transport(gp, gq, push_forward(transformation, t.q, v)[1])
        expected = push_forward(transformation, t.p, m.transport(t.p, t.q, v))[1]
        self._close(moved, expected, "an isometry does not commute with transport")

    def test_methods_are_batched(self) -> None:
        t, m = _Trial(self), self.manifold
        half = len(t.p) // 2
        p, q, u, v = (x[: 2 * half].unflatten(0, (2, half)) for x in (t.p, t.q, t.u, t.tangent(t.q)))
        self._close(m.log(p, q), u, "log depends on the shape of the batch")
        self._close(m.transport(p, q, v)[1], m.transport(p[1], q[1], v[1]), "transport depends on the batch")

    def test_methods_are_differentiable(self) -> None:
        """Check that derivatives agree with differences along a geodesic."""
        t, m = _Trial(self), self.manifold
        h = 1e-4

        def leg(s: float | Tensor) -> Tensor:
            return m.log(t.p, m.exp(t.p, t.u * (0.5 + s)))

        s = torch.zeros((), dtype=torch.float64, requires_grad=True)
        (slope,) = torch.autograd.grad((leg(s) * t.u).sum(), s)
        difference = ((leg(h) - leg(-h)) * t.u).sum() / (2 * h)
        self._close(slope, difference, "autograd disagrees with differences", tolerance=1e-6)

    def test_neighborhoods_are_consistent(self) -> None:
        """Check the conditions that `gauge_graph` verifies, and that neighbours are found."""
        t, m = _Trial(self), self.manifold
        points = torch.cat([t.p, t.q])
        frames = frames_of(m, points, m.frame_at(points))
        edges = neighborhoods(m, points, frames, self.radius)
        verify(m, points, frames, edges, self.radius)
        found = set(zip(edges.target.tolist(), edges.source.tolist(), strict=True))
        missing = [k for k in range(len(t.p)) if (k, k + len(t.p)) not in found]
        if missing:
            raise AssertionError(f"{m!r}: point {missing[0]} has a neighbour within {self.radius} that was not found.")

    # --- means ----------------------------------------------------------------------------------------------------

    def _opening(self, t: _Trial, h: float) -> Tensor:
        m = self.manifold
        a, b = h * t.u, h * t.v
        first, second = m.exp(t.p, a), m.exp(t.p, b)
        over, under = m.exp(first, m.transport(first, t.p, b)), m.exp(second, m.transport(second, t.p, a))
        return m.gap(over, under)

    def _close(self, got: Tensor, expected: Tensor, what: str, *, tolerance: float | None = None) -> None:
        allowed = self.tolerance if tolerance is None else tolerance
        error = (got - expected).abs() / max(1.0, float(expected.abs().max()))
        if not bool((error <= allowed).all()):
            k = int(error.reshape(len(error), -1).amax(-1).argmax()) if error.dim() else 0
            raise AssertionError(
                f"{self.manifold!r}: {what}: off by {float(error.max()):.1e} at point {k} (allowed: {allowed:.0e})."
            )


class _Trial:
    """Points p, tangent vectors u, v, w at p shorter than the radius, and q = exp(p, u)."""

    def __init__(self, contract: ManifoldContract) -> None:
        self.manifold, self.radius = contract.manifold, contract.radius
        self.generator = torch.Generator().manual_seed(0)
        self.p = contract.points(self.generator)
        self.frame = self.manifold.frame_at(self.p)
        self.u, self.v, self.w = (self.tangent(self.p) for _ in range(3))
        self.q = self.manifold.exp(self.p, self.u)

    def tangent(self, p: Tensor) -> Tensor:
        frame = self.manifold.frame_at(p)
        c = torch.randn(len(p), self.manifold.dim, 1, generator=self.generator, dtype=p.dtype)
        c = 0.9 * self.radius * c / torch.linalg.vector_norm(c, dim=1, keepdim=True)
        return typed_tensor((frame @ c).squeeze(-1))


__all__ = ["ManifoldContract"]

"""Consistency checks of a space, which `gauge_graph` runs before a network does."""

from __future__ import annotations

import torch
from torch import Tensor

from gaugenet.geometry.manifolds.graph import Edges, Frames, in_frames
from gaugenet.geometry.manifolds.manifold import Manifold, ManifoldError, has

TOLERANCE = 1e-6
"""Largest relative error that is attributed to rounding or to the integration of geodesics."""

_SAMPLE = 4096
"""Number of evenly spread edges for the checks that compute more logarithms."""


def verify(
    manifold: Manifold, points: Tensor, frames: Frames, edges: Edges, radius: float, *, orthonormal: bool = True
) -> None:
    """Raise `ManifoldError` with the check that failed, the edge and the error, unless all of these hold.

    - The radius is below the injectivity radius at every point.
    - Frames are orthonormal, if `orthonormal`; the frames of an {e}-structure may be arbitrary.
    - Transport preserves inner products (a *projection* onto the other tangent space does not).
    - Reversing the geodesic inverts transport.
    - The velocity of a geodesic is parallel along it: transport takes log(q, p) to -log(p, q). Hence distances are
      symmetric.
    - exp(p, log(p, q)) = q, if the space has `exp`.
    """
    with torch.no_grad():
        _injectivity(manifold, points, frames, radius)
        if orthonormal:
            _orthonormal(manifold, frames)
        if len(edges.source):
            _Verifier(manifold, points.detach(), frames, edges, radius).run()


class _Verifier:
    def __init__(self, manifold: Manifold, points: Tensor, frames: Frames, edges: Edges, radius: float) -> None:
        self.manifold, self.points, self.radius = manifold, points, radius
        self.frames = Frames(frames.frame.detach(), frames.coframe.detach(), frames.gram.detach())
        self.all = edges
        count = len(edges.source)
        self.sample = edges.select(torch.linspace(0, count - 1, min(_SAMPLE, count)).long())

    def run(self) -> None:
        self._metric()
        self._reversal()
        if has(self.manifold, "exp"):
            self._exp()

    def _metric(self) -> None:
        t, edges = self.all.levi_civita.detach(), self.all
        here, there = self.frames.gram[edges.target], self.frames.gram[edges.source]
        error = (t.mT @ here @ t - there).abs().amax((-2, -1)) / there.abs().amax((-2, -1))
        self._refuse(
            edges,
            error,
            "`transport` does not preserve inner products",
            "It may be a projection onto the other tangent space instead of parallel transport, or have its points in "
            "another order: transport(p, q, v) transports v from q to p.",
        )

    def _reversal(self) -> None:
        edges = self.sample
        back, inverse = in_frames(self.manifold, self.points, self.frames, edges.target, edges.source)
        t = edges.levi_civita.detach()
        eye = torch.eye(t.shape[-1], dtype=t.dtype)
        self._refuse(
            edges,
            (t @ inverse - eye).abs().amax((-2, -1)),
            "transport there and back along one geodesic is not the identity",
            "Use the same geodesic for both directions.",
        )
        velocity = (t @ back.unsqueeze(-1)).squeeze(-1)
        self._refuse(
            edges,
            (velocity + edges.log_map.detach()).abs().amax(-1) / self.radius,
            "transport does not take log(q, p) to -log(p, q)",
            "Either `transport` is not parallel along the geodesics of `log`, or distances are not symmetric.",
        )

    def _exp(self) -> None:
        edges = self.sample
        p, q = self.points[edges.target], self.points[edges.source]
        end = self.manifold.exp(p, self.manifold.log(p, q))
        scale = self.radius + q.abs().amax(-1)
        self._refuse(
            edges,
            self.manifold.gap(end, q) / scale,
            "exp(p, log(p, q)) is not q",
            "Check that the points lie on the manifold, and that `log` and `exp` use the same units.",
        )

    def _refuse(self, edges: Edges, error: Tensor, what: str, remedy: str) -> None:
        error = torch.where(error.isfinite(), error, torch.full_like(error, torch.inf))
        bad = error > TOLERANCE
        if not bad.any():
            return
        e = int(error.argmax())
        source, target = int(edges.source[e]), int(edges.target[e])
        raise ManifoldError(
            f"{self.manifold!r}: {what}, on {int(bad.sum())} of {len(bad)} edges; by {float(error[e]):.1e} (allowed: "
            f"{TOLERANCE:.0e}) from q = point {source} at {_short(self.points[source])} to p = point {target} at "
            f"{_short(self.points[target])}. {remedy}"
        )


def _injectivity(manifold: Manifold, points: Tensor, frames: Frames, radius: float) -> None:
    allowed = manifold.injectivity_radius_at(points.detach()) / frames.stretch
    if (allowed <= radius).any():
        k = int(allowed.argmin())
        raise ManifoldError(
            f"The radius {radius:g} is not below the injectivity radius {float(allowed[k]):.4g} of {manifold!r} at "
            f"point {k}: beyond it geodesics to a neighbour are not unique. Use a smaller radius."
        )


def _orthonormal(manifold: Manifold, frames: Frames) -> None:
    error = (frames.gram - torch.diag(manifold.signature)).abs().amax((-2, -1))
    if (error > TOLERANCE).any():
        k = int(error.argmax())
        raise ManifoldError(
            f"The frame at point {k} is not orthonormal: inner products differ by {float(error[k]):.1e} from the "
            f"signature {manifold.signature.tolist()}. Groups of rotations and reflections need orthonormal frames."
        )


def _short(point: Tensor) -> list[float]:
    return [round(x, 4) for x in point.tolist()]

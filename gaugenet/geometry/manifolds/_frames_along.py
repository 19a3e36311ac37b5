"""Frames along vector fields: {e}-structures from vector fields on a space."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet.geometry.manifolds.manifold import Manifold, ManifoldError
from gaugenet.geometry.manifolds.structure import FrameField

VectorField = Callable[[Tensor], Tensor]
"""Points `(N, D)` to vectors `(N, D)`, of which the tangent part is used."""

_ZERO = 1e-9
"""Vectors below this length have no direction."""


def frames_along(manifold: Manifold, *fields: VectorField) -> FrameField:
    """Return the orthonormal frames whose first vector points along a vector field, for a `GStructure`.

    The frames are computed by Gram-Schmidt, in the order of the fields. With one field less than dimensions, the
    orientation determines the last vector. Without fields, the coordinate fields of the chart are used.

    Args:
        manifold: a Riemannian manifold.
        fields: vector fields that are linearly independent at all points where frames are needed.

    Raises:
        ValueError: If there are too few or too many fields, or none for points that are not chart coordinates.
        ManifoldError: If frames are computed at a point where the fields are linearly dependent, for example where one
            vanishes (name it in `singular_points`), or where the manifold does not know its orientation.

    Example:
        >>> import torch
        >>> from gaugenet.geometry import GStructure, Sphere, frames_along
        >>> from gaugenet.groups import Trivial
        >>> sphere = Sphere()
        >>> north, poles = torch.tensor([0.0, 0.0, 1.0]), torch.tensor([[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]])
        >>> frames = frames_along(sphere, lambda p: north.to(p).expand_as(p))
        >>> structure = GStructure(Trivial(2), frames, "trivial", singular_points=poles)
        >>> structure.frames_at(sphere, sphere.random_points(10)).shape
        torch.Size([10, 3, 2])
    """
    if not fields:
        if manifold.ambient_dim != manifold.dim:
            raise ValueError(
                f"Expected vector fields for {manifold!r}: its points have {manifold.ambient_dim} numbers for "
                f"{manifold.dim} dimensions, so they are not coordinates of a chart."
            )
        fields = tuple(_axis(k) for k in range(manifold.dim))
    if len(fields) not in (manifold.dim - 1, manifold.dim):
        raise ValueError(
            f"Expected {manifold.dim} vector fields for {manifold!r}, or one less if it is oriented, got {len(fields)}."
        )

    def frames(points: Float[Tensor, "points D"]) -> Float[Tensor, "points D d"]:
        columns: list[Tensor] = []
        for k, field in enumerate(fields):
            v = _across(manifold, points, manifold.to_tangent(points, field(points)), columns)
            columns.append(_unit(manifold, points, v, f"vector field {k}"))
        if len(columns) < manifold.dim:
            columns.append(_last(manifold, points, columns))
        return torch.stack(columns, -1)

    return frames


def _axis(k: int) -> VectorField:
    def field(p: Tensor) -> Tensor:
        return torch.eye(p.shape[-1], dtype=p.dtype, device=p.device)[k].expand_as(p)

    return field


def _across(manifold: Manifold, points: Tensor, v: Tensor, columns: list[Tensor]) -> Tensor:
    """Return the part of vectors orthogonal to unit vectors, projected twice for full precision."""
    for e in columns * 2:
        v = v - manifold.inner(points, v, e)[:, None] * e
    return v


def _unit(manifold: Manifold, points: Tensor, v: Tensor, what: str) -> Tensor:
    length = manifold.norm(points, v)
    bad = ~(length.detach() > _ZERO)
    if bad.any():
        raise ManifoldError(
            f"At {int(bad.sum())} of {len(points)} points, the first of them point {int(bad.nonzero()[0])}, {what} "
            "vanishes or is linearly dependent on the previous ones: leave such points out, and name them in "
            "`singular_points`."
        )
    return v / length[:, None]


def _last(manifold: Manifold, points: Tensor, columns: list[Tensor]) -> Tensor:
    """Return the unit vector that completes frames to positively oriented ones."""
    rest = [_across(manifold, points, e, columns) for e in manifold.frame_at(points).unbind(-1)]
    lengths = torch.stack([manifold.norm(points, v) for v in rest], -1)
    longest = lengths.argmax(-1)[:, None, None].expand(-1, points.shape[1], 1)
    v = _unit(manifold, points, torch.gather(torch.stack(rest, -1), -1, longest)[..., 0], "the last vector")
    sign = manifold.orientation(points, torch.stack([*columns, v], -1))
    if sign is None:
        raise ManifoldError(
            f"{manifold!r} has no orientation to determine the last vector of a frame: pass {manifold.dim} vector "
            "fields."
        )
    return v * sign.sign()[:, None]


__all__ = ["frames_along"]

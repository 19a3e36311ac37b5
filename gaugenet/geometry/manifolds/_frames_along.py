"""Frames along vector fields: {e}-structures from what a space has drawn on it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet.geometry.manifolds.manifold import Manifold, ManifoldError
from gaugenet.geometry.manifolds.structure import FrameField

VectorField = Callable[[Tensor], Tensor]
"""Points `(N, D)` to vectors `(N, D)`; what of them is not tangent is left out."""

_ZERO = 1e-9
"""Vectors shorter than that have no direction."""


def frames_along(manifold: Manifold, *fields: VectorField) -> FrameField:
    """The orthonormal frames whose first vector points along a vector field, for a `GStructure`.

    ::

        structure = GStructure(Trivial(2), frames_along(sphere, north), "trivial", singular_points=poles)

    Gram-Schmidt, in the order of the fields. With one field fewer than dimensions the orientation gives the last
    vector. Without any, the fields are those of the coordinates: frames along the lines of a chart.

    Args:
        manifold: Riemannian.
        fields: vector fields that are linearly independent at all points that will be asked for.

    Raises:
        ValueError: too few or too many fields; none for points that are no chart coordinates.
        ManifoldError: when the frames are asked for, at a point where fields are linearly dependent (a field vanishes,
            say: name it in `singular_points`), or where the manifold does not know its orientation.
    """
    if not fields:
        if manifold.ambient_dim != manifold.dim:
            raise ValueError(
                f"Expected vector fields for {manifold!r}: its points are {manifold.ambient_dim} numbers for "
                f"{manifold.dim} dimensions, no coordinates of a chart."
            )
        fields = tuple(_axis(k) for k in range(manifold.dim))
    if len(fields) not in (manifold.dim - 1, manifold.dim):
        raise ValueError(
            f"Expected {manifold.dim} vector fields for {manifold!r}, or one fewer if it is oriented, got "
            f"{len(fields)}."
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
    """The part of vectors that is orthogonal to unit vectors; twice, for full precision."""
    for e in columns * 2:
        v = v - manifold.inner(points, v, e)[:, None] * e
    return v


def _unit(manifold: Manifold, points: Tensor, v: Tensor, what: str) -> Tensor:
    length = manifold.norm(points, v)
    bad = ~(length.detach() > _ZERO)
    if bad.any():
        raise ManifoldError(
            f"At {int(bad.sum())} of {len(points)} points, the first of them point {int(bad.nonzero()[0])}, {what} "
            "vanishes or is linearly dependent on those before: leave such points out, and name them in "
            "`singular_points`."
        )
    return v / length[:, None]


def _last(manifold: Manifold, points: Tensor, columns: list[Tensor]) -> Tensor:
    """The unit vector that completes frames to positively oriented ones."""
    rest = [_across(manifold, points, e, columns) for e in manifold.frame_at(points).unbind(-1)]
    lengths = torch.stack([manifold.norm(points, v) for v in rest], -1)
    longest = lengths.argmax(-1)[:, None, None].expand(-1, points.shape[1], 1)
    v = _unit(manifold, points, torch.gather(torch.stack(rest, -1), -1, longest)[..., 0], "the last vector")
    sign = manifold.orientation(points, torch.stack([*columns, v], -1))
    if sign is None:
        raise ManifoldError(
            f"{manifold!r} knows no orientation from which the last vector of a frame would follow: pass "
            f"{manifold.dim} vector fields."
        )
    return v * sign.sign()[:, None]


__all__ = ["frames_along"]

"""GStructure: a structure group with compatible frames and a compatible connection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet.geometry.manifolds.manifold import Manifold, ManifoldError
from gaugenet.groups import PseudoOrthogonal, Scaling, StructureGroup
from gaugenet.groups.group import check_group

FrameField = Callable[[Tensor], Tensor]
"""A function from points `(N, D)` to frames `(N, D, d)` with tangent columns."""

Connection = Callable[[Tensor, Tensor], Tensor]
"""A function from points `p`, `q` `(E, D)` to transporters `(E, d, d)` from the frame at q to the frame at p."""

_CONNECTIONS = ("levi_civita", "trivial", "nearest")


@dataclass(frozen=True)
class GStructure:
    """Frames of a manifold up to changes by a group G, and how features are transported between them.

    Attributes:
        group: G, acting on the coefficients of tangent vectors.
        frames: `None` (orthonormal by Gram-Schmidt, for SO(d) and O(d), whose networks do not depend on the choice), a
            function of the points, or a tensor `(N, D, d)`. For a smaller group the frames *are* the structure: they
            must vary smoothly up to elements of G.
        connection: `"levi_civita"`; `"trivial"`: coefficients do not change, for {e}; `"nearest"`: the element of G
            closest to the Levi-Civita transporter, for finite groups such as C_4 (cross fields); or a function. Every
            transporter must lie in G, which is checked (:cite:`weiler2021coordinate`).
        singular_points: `(K, D)`, points where the frames need not be defined. The topology may require some, see
            `check_topology`.

    Raises:
        ValueError: If `group` is not a group, the name of the connection is unknown, or the group or the frames do not
            allow it.

    Example:
        >>> from gaugenet.geometry import FlatTorus, GStructure
        >>> from gaugenet.groups import Trivial
        >>> torus = FlatTorus(1.0, 1.0)
        >>> structure = GStructure(Trivial(2), torus.frame_at, "trivial")
        >>> graph = torus.gauge_graph(torus.random_points(100), radius=0.2, structure=structure)
        >>> graph.structure
        'Trivial'
    """

    group: StructureGroup
    frames: FrameField | Tensor | None = None
    connection: str | Connection = "levi_civita"
    singular_points: Float[Tensor, "singular D"] | None = None

    def __post_init__(self) -> None:
        check_group(self.group)
        if isinstance(self.connection, str) and self.connection not in _CONNECTIONS:
            raise ValueError(
                f"Expected `connection` to be a function or one of {_CONNECTIONS}, got {self.connection!r}."
            )
        if self.connection == "nearest" and self.group.order is None:
            raise ValueError(
                f"Expected a finite group for connection='nearest', got {self.group.name}: use 'levi_civita' or a "
                "function."
            )
        if self.connection == "trivial" and self.frames is None:
            raise ValueError(
                "Expected `frames` with connection='trivial', which keeps coefficients in these frames: pass a "
                "function of the points or a tensor (N, D, d)."
            )

    def frames_at(self, manifold: Manifold, points: Float[Tensor, "points D"]) -> Float[Tensor, "points D d"]:
        """Return the frames, checked for shape and finiteness; raise `ManifoldError` at singular points."""
        self._away_from_singular_points(manifold, points)
        if self.frames is None:
            return manifold.frame_at(points)
        frames = self.frames(points) if callable(self.frames) else self.frames
        expected = (*points.shape, manifold.dim)
        if not isinstance(frames, Tensor) or tuple(frames.shape) != expected:
            got = tuple(frames.shape) if isinstance(frames, Tensor) else type(frames).__name__
            raise ValueError(f"Expected `frames` of shape {expected}, with tangent columns, got {got}.")
        return frames.to(points)

    def _away_from_singular_points(self, manifold: Manifold, points: Tensor) -> None:
        for k, singular in enumerate(() if self.singular_points is None else self.singular_points.to(points)):
            near = manifold.gap(points, singular.expand_as(points)) < 1e-9
            if near.any():
                raise ManifoldError(
                    f"Point {int(near.nonzero()[0])} is singular point {k}, where the frames are not defined: leave it "
                    "out."
                )

    def transporter(
        self, p: Float[Tensor, "edges D"], q: Float[Tensor, "edges D"], levi_civita: Float[Tensor, "edges d d"]
    ) -> Float[Tensor, "edges d d"]:
        """Return the connection along edges, in the frames."""
        if callable(self.connection):
            return self.connection(p, q).to(levi_civita)
        if self.connection == "trivial":
            return torch.eye(self.group.d, dtype=levi_civita.dtype).expand_as(levi_civita)
        if self.connection == "nearest":
            return self.group.elements().to(levi_civita)[self.group.element_index(levi_civita)]
        return levi_civita


def check_topology(manifold: Manifold, structure: GStructure) -> None:
    """Raise `ManifoldError` with the reason if the topology of the manifold does not allow a structure.

    A group that preserves orientation needs an orientable manifold. A finite group on a closed manifold needs Euler
    characteristic zero (Poincare-Hopf), because a frame field contains a vector field, and a field of crosses or stars
    has a vector field on a covering. The same holds for a finite group with scalings, which can be removed
    continuously, and for O(1, q), whose time-like directions form a line field. Frames with *named* singular points may
    exist.
    """
    group = structure.group
    if group.d != manifold.dim:
        raise ValueError(
            f"Expected a group acting on R^{manifold.dim} for {manifold!r}, got {group.name} on R^{group.d}."
        )
    if structure.singular_points is not None and len(structure.singular_points):
        return
    if group.orientation_preserving and manifold.is_orientable is False:
        raise ManifoldError(
            f"{manifold!r} is not orientable: it has no {group.name}-structure, since transport around an "
            "orientation-reversing loop reflects a frame. Use a group with reflections: O(d), or Reflection on a strip."
        )
    chi = manifold.euler_characteristic
    if _has_line_field(group) and chi not in (None, 0):
        raise ManifoldError(
            f"{manifold!r} is closed with Euler characteristic {chi}: it has no continuous {group.name}-structure, "
            f"since the indices of the singularities of its frames sum to {chi} (Poincare-Hopf). Use "
            f"SO({manifold.dim}) or O({manifold.dim}), or name the `singular_points` of the frames in a GStructure."
        )


def needs_orthonormal_frames(group: StructureGroup) -> bool:
    """Return whether a group needs orthonormal frames: all groups except {e}, scalings, SL(d) and GL(d)."""
    return isinstance(group, PseudoOrthogonal) or (group.compact and group.order != 1)


def _has_line_field(group: StructureGroup) -> bool:
    """Return whether a covering of a manifold with such a structure has a vector field without zeros."""
    if isinstance(group, Scaling):
        return group.rotations.order is not None
    return group.order is not None or (isinstance(group, PseudoOrthogonal) and 1 in (group.p, group.q))


__all__ = ["GStructure"]

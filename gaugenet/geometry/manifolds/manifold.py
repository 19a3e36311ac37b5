"""Manifold: the contract of spaces for gauge-equivariant networks."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from gaugenet.geometry.manifolds.candidates import Pairs, all_pairs, within

if TYPE_CHECKING:
    from gaugenet.geometry.gauge_graph import GaugeGraph
    from gaugenet.geometry.manifolds.structure import GStructure
    from gaugenet.groups.group import StructureGroup

Isometry = Callable[[Tensor], Tensor]
"""A map of points to points that preserves all distances, batched and differentiable."""


class ManifoldError(ValueError):
    """The error for an inconsistent space, or a structure that it does not admit; it tells what, where and how much."""


class Manifold(ABC):
    """A Riemannian (or pseudo-Riemannian) manifold of dimension `dim`, given by its geodesics.

    Points and tangent vectors are rows of `D` numbers: coordinates of an ambient space (a unit vector for a point of a
    sphere, the nine entries of a rotation matrix) or of a chart (`D = dim`). All methods are batched over leading
    dimensions, differentiable and without state, and have the base point as the first argument.

    A new space is a subclass with `dim`, `log`, `transport`, `inner` and `to_tangent`. If it has `exp`, `gauge_graph`
    checks that it is the inverse of `log`. `gaugenet.testing.ManifoldContract` tests a space.

    Attributes:
        dim: dimension of the tangent spaces.
        injectivity_radius: geodesics from any point up to this length are unique.
        is_orientable: `None` if not known; then the orientation is determined along the edges of a graph.
        euler_characteristic: Euler characteristic of a closed manifold; `None` if it is open, has a boundary, or is not
            known.

    Example:
        >>> from gaugenet.geometry import Sphere
        >>> from gaugenet.groups import SO2
        >>> sphere = Sphere()
        >>> graph = sphere.gauge_graph(sphere.random_points(100), SO2(), radius=0.5)
        >>> graph.num_nodes, graph.transporter.shape[1:]
        (100, torch.Size([2, 2]))
    """

    dim: int
    injectivity_radius: float = math.inf
    is_orientable: bool | None = None
    euler_characteristic: int | None = None

    # --- the contract ---------------------------------------------------------------------------------------------

    @abstractmethod
    def log(self, p: Float[Tensor, "*batch D"], q: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch D"]:
        """Return the initial velocity at `p` of the shortest geodesic to `q`; its length is the distance."""

    @abstractmethod
    def transport(
        self, p: Float[Tensor, "*batch D"], q: Float[Tensor, "*batch D"], v: Float[Tensor, "*batch D"]
    ) -> Float[Tensor, "*batch D"]:
        """Return the tangent vector `v` at `q`, transported to `p` along the geodesic between the two points."""

    @abstractmethod
    def inner(
        self, p: Float[Tensor, "*batch D"], u: Float[Tensor, "*batch D"], v: Float[Tensor, "*batch D"]
    ) -> Float[Tensor, "*batch"]:
        """Return the metric at `p` for tangent vectors `u` and `v`: symmetric, bilinear, non-degenerate."""

    @abstractmethod
    def to_tangent(self, p: Float[Tensor, "*batch D"], v: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch D"]:
        """Return the projection of `v` onto the tangent space at `p`, which is linear; the identity in a chart."""

    # --- optional methods -----------------------------------------------------------------------------------------

    def exp(self, p: Float[Tensor, "*batch D"], v: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch D"]:
        """Return the point at time 1 of the geodesic from `p` with velocity `v`; the inverse of `log`."""
        raise NotImplementedError(f"{self!r} has no `exp`.")

    def random_isometry(self, generator: torch.Generator | None = None) -> Isometry:
        """Return a random symmetry of the space, for tests."""
        raise NotImplementedError(f"{self!r} has no `random_isometry`.")

    def random_points(self, size: int, *, generator: torch.Generator | None = None) -> Float[Tensor, "size D"]:
        """Return random points in float64, for tests and examples; uniform where possible."""
        raise NotImplementedError(f"{self!r} has no `random_points`.")

    def embed(self, p: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch E"] | None:
        """Return coordinates in which distances are at most those on the manifold, to search for neighbours.

        An isometric embedding has this property. With `None` (the default) all pairs of points are measured.
        """
        return None

    def search_space(
        self, p: Float[Tensor, "points D"], radii: Float[Tensor, "points"]
    ) -> tuple[Float[Tensor, "points E"], Float[Tensor, "points"]] | None:
        """Return Euclidean coordinates, and bounds on the distance in them of neighbours within `radii`."""
        positions = self.embed(p)
        return None if positions is None else (positions, radii)

    def candidates(self, p: Float[Tensor, "points D"], radii: Float[Tensor, "points"]) -> Pairs:
        """Return pairs (target, source) that include all pairs within distance `radii` of the target."""
        space = self.search_space(p, radii)
        return all_pairs(p, radii, self.distance) if space is None else within(*space)

    def orientation(self, p: Float[Tensor, "*batch D"], frame: Float[Tensor, "*batch D d"]) -> Tensor | None:
        """Return a positive number for frames in the orientation of the space, a negative one for others.

        `None`: the orientation is determined along edges, by convention from one point of every component.
        """
        return None

    def check_points(self, p: Float[Tensor, "points D"]) -> None:  # noqa: B027
        """Raise `ManifoldError` if points are not on the manifold, or outside its chart; by default accept all."""

    def gap(self, p: Float[Tensor, "*batch D"], q: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch"]:
        """Return the distance of two rows as points: zero for rows that represent the same point."""
        return (p - q).abs().amax(-1)

    @property
    def signature(self) -> Float[Tensor, "d"]:
        """<e_i, e_i> of the vectors of an orthonormal frame: all 1 for a Riemannian metric."""
        return torch.ones(self.dim, dtype=torch.float64)

    @property
    def ambient_dim(self) -> int:
        """D, the number of coordinates of a point."""
        return self.dim

    # --- derived methods ------------------------------------------------------------------------------------------

    def norm(self, p: Float[Tensor, "*batch D"], v: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch"]:
        """Return |v| at p, for a Riemannian metric."""
        return self.inner(p, v, v).clamp(min=0).sqrt()

    def distance(self, p: Float[Tensor, "*batch D"], q: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch"]:
        """Return the length of the geodesic between two points."""
        return self.norm(p, self.log(p, q))

    def injectivity_radius_at(self, p: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch"]:
        """Return the injectivity radius of each point."""
        return torch.full(p.shape[:-1], float(self.injectivity_radius), dtype=p.dtype)

    def log_and_transport(
        self, p: Float[Tensor, "edges D"], q: Float[Tensor, "edges D"], vectors: Float[Tensor, "edges D k"]
    ) -> tuple[Float[Tensor, "edges D"], Float[Tensor, "edges D k"]]:
        """Return `log(p, q)`, and all columns of `vectors` at `q` transported to `p`; override it if both share work.

        A logarithm may be infinite. Then no geodesic was found, and the points are not neighbours.
        """
        moved = [self.transport(p, q, vectors[..., k]) for k in range(vectors.shape[-1])]
        return self.log(p, q), torch.stack(moved, -1)

    def frame_at(self, p: Float[Tensor, "points D"]) -> Float[Tensor, "points D d"]:
        """Return an orthonormal frame at each point by Gram-Schmidt of the projected coordinate axes, longest first."""
        rest = tangent_axes(self, p)
        columns: list[Tensor] = []
        for _ in range(self.dim):
            for e in columns * 2:  # twice, for full precision
                along = inner_of_columns(self, p, rest, e)
                rest = rest - e[..., None] * along[..., None, :]
            square = inner_of_columns(self, p, rest, rest)
            longest = square.argmax(-1)
            column = torch.take_along_dim(rest, longest[:, None, None], -1)[..., 0]
            length = torch.take_along_dim(square, longest[:, None], -1)
            columns.append(column / length.clamp(min=torch.finfo(p.dtype).tiny).sqrt())
        return torch.stack(columns, -1)

    def gauge_graph(
        self,
        points: Float[Tensor, "points D"],
        group: StructureGroup | None = None,
        *,
        radius: float,
        structure: GStructure | None = None,
        max_neighbors: int | None = None,
        mass: Float[Tensor, "points"] | None = None,
        check: bool = True,
        dtype: torch.dtype = torch.float32,
    ) -> GaugeGraph:
        """Return the points as a domain of networks: neighbours in frames, transporters, quadrature weights.

        Args:
            points: points of this manifold, at least one. Gradients of the graph flow to them.
            group: the structure group, with frames by Gram-Schmidt and the Levi-Civita connection.
            radius: geodesic radius of the neighbourhoods; measured in the frames if these are not orthonormal.
            structure: a group with frames and a connection, instead of `group`.
            max_neighbors: largest number of neighbours; the nearest ones are kept.
            mass: `(N,)`, the volume that each point represents. Default: the volume of a ball of this radius divided by
                the number of points in it, which is right for random points whose density varies slowly.
            check: verify that the points are on the manifold, and that the space is consistent, see
                `gaugenet.geometry.manifolds.contract`.
            dtype: precision of the result; everything is computed in float64.

        Raises:
            ManifoldError: If a check fails, the topology does not allow the structure, or transporters lie outside the
                group.
            ValueError: If an argument has a wrong shape.
        """
        from gaugenet.geometry.manifolds.graph import manifold_gauge_graph

        return manifold_gauge_graph(
            self,
            points,
            group,
            radius=radius,
            structure=structure,
            max_neighbors=max_neighbors,
            mass=mass,
            check=check,
            dtype=dtype,
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


def tangent_axes(manifold: Manifold, p: Float[Tensor, "points D"]) -> Float[Tensor, "points D D"]:
    """Return the coordinate axes projected onto the tangent spaces, as columns."""
    axes = torch.eye(p.shape[-1], dtype=p.dtype)
    return torch.stack([manifold.to_tangent(p, axis.expand_as(p)) for axis in axes], -1)


def inner_of_columns(manifold: Manifold, p: Tensor, u: Tensor, v: Tensor) -> Tensor:
    """Return <u_k, v_k> for the columns of `u (N, D, K)` and `v` of the same shape, or one vector `v (N, D)`."""
    columns = [manifold.inner(p, u[..., k], v[..., k] if v.dim() == u.dim() else v) for k in range(u.shape[-1])]
    return torch.stack(columns, -1)


def has(manifold: Manifold, method: str) -> bool:
    """Return whether a space overrides an optional method."""
    return getattr(type(manifold), method) is not getattr(Manifold, method)


def refuse_points(manifold: Manifold, p: Tensor, bad: Bool[Tensor, "points"], expected: str) -> None:
    """Raise `ManifoldError` if some points are bad, naming the first one."""
    if bad.any():
        k = int(bad.nonzero()[0])
        raise ManifoldError(
            f"Expected points of {manifold!r} with {expected}, got {int(bad.sum())} of {len(bad)} others, the first is "
            f"point {k} at {[round(x, 4) for x in p[k].tolist()]}."
        )


def push_forward(
    f: Callable[[Tensor], Tensor], p: Float[Tensor, "*batch D"], v: Float[Tensor, "*batch D"]
) -> tuple[Float[Tensor, "*batch E"], Float[Tensor, "*batch E"]]:
    """Return f(p) and df(p) v."""
    value, derivative, *_ = torch.func.jvp(f, (p,), (v,))
    return value, derivative


__all__ = ["Isometry", "Manifold", "ManifoldError"]

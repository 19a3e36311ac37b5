"""Manifold: what a space must know so that gauge-equivariant networks run on it."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet.geometry.manifolds.candidates import Pairs, all_pairs, within

if TYPE_CHECKING:
    from gaugenet.geometry.gauge_graph import GaugeGraph
    from gaugenet.geometry.manifolds.structure import GStructure
    from gaugenet.groups.group import StructureGroup

Isometry = Callable[[Tensor], Tensor]
"""A map of points to points that keeps all distances, batched and differentiable."""


class ManifoldError(ValueError):
    """A space that contradicts itself, or a structure that it does not admit: says what, where and by how much."""


class Manifold(ABC):
    """A Riemannian (or pseudo-Riemannian) manifold of dimension `dim`, given by what its geodesics do.

    Points are rows of `D` numbers, tangent vectors rows of `D` numbers: coordinates of an ambient space (a unit vector
    for a point of a sphere, the nine entries of a rotation matrix) or of a chart (`D = dim`). All methods are batched
    over leading dimensions, differentiable, take the base point first, and keep no state.

    A new space is a subclass with `dim`, `log`, `transport`, `inner` and `to_tangent`; `exp` lets `gauge_graph` check
    that it is the inverse of `log`. See `gaugenet.testing.ManifoldContract` to test it.

    Attributes:
        dim: dimension of the tangent spaces.
        injectivity_radius: geodesics from any point up to this length are unique.
        is_orientable: `None` if not known; then the orientation is looked for along the edges of a graph.
        euler_characteristic: of a closed manifold; `None` if it is open, has a boundary, or is not known.
    """

    dim: int
    injectivity_radius: float = math.inf
    is_orientable: bool | None = None
    euler_characteristic: int | None = None

    # --- the contract ---------------------------------------------------------------------------------------------

    @abstractmethod
    def log(self, p: Float[Tensor, "*batch D"], q: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch D"]:
        """The tangent vector at `p` of the shortest geodesic to `q`; its length is the distance."""

    @abstractmethod
    def transport(
        self, p: Float[Tensor, "*batch D"], q: Float[Tensor, "*batch D"], v: Float[Tensor, "*batch D"]
    ) -> Float[Tensor, "*batch D"]:
        """Parallel transport along the geodesic between them of a tangent vector `v` at `q`; the result is at `p`."""

    @abstractmethod
    def inner(
        self, p: Float[Tensor, "*batch D"], u: Float[Tensor, "*batch D"], v: Float[Tensor, "*batch D"]
    ) -> Float[Tensor, "*batch"]:
        """The metric at `p`: symmetric, bilinear, non-degenerate on tangent vectors."""

    @abstractmethod
    def to_tangent(self, p: Float[Tensor, "*batch D"], v: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch D"]:
        """A linear projection of any vector onto the tangent space at `p`; the identity in a chart."""

    # --- what a space may know besides ----------------------------------------------------------------------------

    def exp(self, p: Float[Tensor, "*batch D"], v: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch D"]:
        """The end of the geodesic that leaves `p` with velocity `v`, after time one; inverse of `log`."""
        raise NotImplementedError(f"{self!r} has no `exp`.")

    def random_isometry(self, generator: torch.Generator | None = None) -> Isometry:
        """A random symmetry of the space, for tests."""
        raise NotImplementedError(f"{self!r} knows no isometries.")

    def random_points(self, size: int, *, generator: torch.Generator | None = None) -> Float[Tensor, "size D"]:
        """Some points, float64, for tests and examples; uniform where that is possible."""
        raise NotImplementedError(f"{self!r} draws no points.")

    def embed(self, p: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch E"] | None:
        """Coordinates in which no two points are further apart than on the manifold: where neighbours are looked for.

        An isometric embedding is one. `None` (the default): there is none, and all pairs of points are measured.
        """
        return None

    def search_space(
        self, p: Float[Tensor, "points D"], radii: Float[Tensor, "points"]
    ) -> tuple[Float[Tensor, "points E"], Float[Tensor, "points"]] | None:
        """Euclidean coordinates of the points, and how far off in them a neighbour within `radii` can lie."""
        positions = self.embed(p)
        return None if positions is None else (positions, radii)

    def candidates(self, p: Float[Tensor, "points D"], radii: Float[Tensor, "points"]) -> Pairs:
        """Pairs (target, source) among which are all within distance `radii` of the target."""
        space = self.search_space(p, radii)
        return all_pairs(p, radii, self.distance) if space is None else within(*space)

    def orientation(self, p: Float[Tensor, "*batch D"], frame: Float[Tensor, "*batch D d"]) -> Tensor | None:
        """Positive where a frame belongs to the orientation of the space, negative where not; `None`: look along edges.

        Without it one point of every component decides: a matter of convention, not of geometry.
        """
        return None

    def gap(self, p: Float[Tensor, "*batch D"], q: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch"]:
        """How far two rows are from being the same point; where several rows are one point, zero for all of them."""
        return (p - q).abs().amax(-1)

    @property
    def signature(self) -> Float[Tensor, "d"]:
        """<e_i, e_i> for the vectors of an orthonormal frame: all one for a Riemannian metric."""
        return torch.ones(self.dim, dtype=torch.float64)

    @property
    def ambient_dim(self) -> int:
        """D, the number of coordinates of a point."""
        return self.dim

    # --- what follows ---------------------------------------------------------------------------------------------

    def norm(self, p: Float[Tensor, "*batch D"], v: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch"]:
        """|v| at p, for a Riemannian metric."""
        return self.inner(p, v, v).clamp(min=0).sqrt()

    def distance(self, p: Float[Tensor, "*batch D"], q: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch"]:
        """Length of the geodesic between two points."""
        return self.norm(p, self.log(p, q))

    def injectivity_radius_at(self, p: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch"]:
        """The injectivity radius of each point."""
        return torch.full(p.shape[:-1], float(self.injectivity_radius), dtype=p.dtype)

    def log_and_transport(
        self, p: Float[Tensor, "edges D"], q: Float[Tensor, "edges D"], vectors: Float[Tensor, "edges D k"]
    ) -> tuple[Float[Tensor, "edges D"], Float[Tensor, "edges D k"]]:
        """`log(p, q)`, and all columns of `vectors` at `q` transported to `p`; to be overridden where both share work.

        A logarithm may be infinite: no geodesic was found, and the points count as far from each other.
        """
        moved = [self.transport(p, q, vectors[..., k]) for k in range(vectors.shape[-1])]
        return self.log(p, q), torch.stack(moved, -1)

    def frame_at(self, p: Float[Tensor, "points D"]) -> Float[Tensor, "points D d"]:
        """An orthonormal frame at each point, by Gram-Schmidt on the projected coordinate axes, longest first."""
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
        """The points as a domain of networks: neighbours in frames, transporters, quadrature weights.

        Args:
            points: at least one, rows as the methods of this manifold take them. Gradients flow from the graph to them.
            group: the structure group; frames are then chosen by Gram-Schmidt, the connection is Levi-Civita's.
            radius: geodesic radius of the neighbourhoods; measured in the frames where these are not orthonormal.
            structure: instead of a bare group: a group with frames and a connection.
            max_neighbors: keep only so many nearest ones.
            mass: `(N,)`, the volume that each point stands for. Default: the volume of a ball of this radius over
                the number of points in it, which is right for points drawn at random from a density that varies slowly.
            check: verify that the space does not contradict itself, see `gaugenet.geometry.manifolds.contract`.
            dtype: of the result; everything is computed in float64.

        Raises:
            ManifoldError: a check failed, at which edge and by how much; a structure that the topology forbids;
                transporters outside of the group.
            ValueError: arguments of a wrong shape.
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
    """The coordinate axes projected onto the tangent spaces; columns."""
    axes = torch.eye(p.shape[-1], dtype=p.dtype)
    return torch.stack([manifold.to_tangent(p, axis.expand_as(p)) for axis in axes], -1)


def inner_of_columns(manifold: Manifold, p: Tensor, u: Tensor, v: Tensor) -> Tensor:
    """Return <u_k, v_k> for the columns of `u (N, D, K)`, and those of `v` or the one vector `v (N, D)`."""
    columns = [manifold.inner(p, u[..., k], v[..., k] if v.dim() == u.dim() else v) for k in range(u.shape[-1])]
    return torch.stack(columns, -1)


def has(manifold: Manifold, method: str) -> bool:
    """Whether a space overrides an optional method."""
    return getattr(type(manifold), method) is not getattr(Manifold, method)


def push_forward(
    f: Callable[[Tensor], Tensor], p: Float[Tensor, "*batch D"], v: Float[Tensor, "*batch D"]
) -> tuple[Float[Tensor, "*batch E"], Float[Tensor, "*batch E"]]:
    """f(p) and df(p) v."""
    value, derivative, *_ = torch.func.jvp(f, (p,), (v,))
    return value, derivative


__all__ = ["Isometry", "Manifold", "ManifoldError"]

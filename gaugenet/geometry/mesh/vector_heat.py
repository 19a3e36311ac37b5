"""Logarithmic maps and parallel transport by diffusion to all vertices of a component.

The exact paths of `local_log_maps` are for neighbourhoods: their cost grows with the number of faces within the radius.
The vector heat method :cite:`sharp2019vector` solves a few linear systems per source, with matrices that are factorized
once for a mesh. It is approximate, in particular near a boundary, where it distributes a half rotation at every vertex
and ignores that shortest paths bend around corners.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from gaugenet._typing import typed_array
from gaugenet._validation import positive_number
from gaugenet.geometry.mesh.halfedge import HalfedgeSurface
from gaugenet.geometry.mesh.log_map import LocalLogMaps
from gaugenet.geometry.mesh.mesh import MeshError, TriangleMesh
from gaugenet.geometry.mesh.quality import require_usable

Strategy = Literal["affine", "adaptive", "vector"]
_STRATEGIES = {"affine": "AffineLocal", "adaptive": "AffineAdaptive", "vector": "VectorHeat"}


class VectorHeat:
    """The vector heat method :cite:`sharp2019vector` on an oriented mesh, for all vertices of a component.

    Measured on a unit sphere of 2,562 uneven vertices, RMS error of the log map (a length) and of transport:

    ============ ======== ======== ======== ======== ========
    distance     0 - 0.5  0.5 - 1  1 - 2    2 - 2.5  2.5 - 3
    ============ ======== ======== ======== ======== ========
    `"affine"`   0.002    0.005    0.01     0.03     0.3
    `"adaptive"` 0.003    0.01     0.05     0.12     0.4
    `"vector"`   0.04     0.05     0.05     0.06     0.06
    transport    0.3 deg  0.3 deg  0.4 deg  0.6 deg  1.5 deg
    ============ ======== ======== ======== ======== ========

    Args:
        mesh: a consistently oriented manifold, with or without boundary.
        diffusion: diffusion time in squared mean edge lengths. Results are smoother for longer times.

    Raises:
        MeshError: If the mesh has degenerate faces or non-manifold edges or vertices, or is not consistently oriented.
        ValueError: If `diffusion` is not positive.

    Example:
        >>> from gaugenet.geometry import Icosphere, TriangleMesh, VectorHeat
        >>> sphere = Icosphere(3)
        >>> maps = VectorHeat(TriangleMesh(sphere.pos, sphere.face.T)).maps([0], radius=0.5)
        >>> len(maps.source) > 30  # a length, an angle and a transport for each vertex within the radius
        True
    """

    def __init__(self, mesh: TriangleMesh, *, diffusion: float = 1.0) -> None:
        require_usable(mesh, oriented=True)
        self.mesh = mesh
        self.diffusion = positive_number("diffusion", diffusion)
        self._solvers: dict[int, _Component] = {}

    @cached_property
    def surface(self) -> HalfedgeSurface:
        """The intrinsic geometry, which defines the polar angles of the maps."""
        return HalfedgeSurface.from_mesh(self.mesh)

    def maps(
        self,
        sources: int | Sequence[int] | Int[ndarray, "sources"],
        *,
        radius: float | None = None,
        strategy: Strategy = "affine",
    ) -> LocalLogMaps:
        """Return logarithmic maps and transport from each source to the other vertices of its component.

        Args:
            sources: indices of vertices; they are the `targets` of the result.
            radius: largest distance, by default unlimited.
            strategy: `"affine"`, the most accurate one except near the cut locus; `"adaptive"`; or `"vector"`, which is
                less accurate, but also near the cut locus.

        Raises:
            ValueError: If an index is not a vertex, the strategy is unknown, or the radius is not positive.
            MeshError: If a source has no faces.
        """
        chosen = checked_sources(self.mesh, sources)
        if strategy not in _STRATEGIES:
            raise ValueError(f"Expected `strategy` of {', '.join(map(repr, _STRATEGIES))}, got {strategy!r}.")
        limit = np.inf if radius is None else positive_number("radius", radius)
        rows = [self._from(int(p), limit, _STRATEGIES[strategy]) for p in chosen]
        empty = (np.zeros(0, dtype=np.int32), *(np.zeros(0) for _ in range(3)))
        source, distance, angle, transport = (np.concatenate(column) for column in zip(empty, *rows, strict=True))
        return LocalLogMaps(
            indptr=np.cumsum([0, *(len(row[0]) for row in rows)]),
            targets=chosen,
            source=source,
            distance=distance,
            angle=angle,
            transport=transport,
            sign=np.ones(len(source), dtype=np.int8),
        )

    def _from(self, source: int, limit: float, strategy: str) -> tuple[ndarray, ndarray, ndarray, ndarray]:
        """Vertices, their distances, polar angles at the source, and transport to it."""
        piece = int(self.mesh.vertex_components[source])
        if piece not in self._solvers:
            self._solvers[piece] = _component(self.mesh, self.surface, piece, self.diffusion)
        component = self._solvers[piece]
        at = int(np.searchsorted(component.vertices, source))
        log = typed_array(component.solver.compute_log_map(at, strategy))
        moved = typed_array(component.solver.transport_tangent_vector(at, [1.0, 0.0]))
        distance, angle = np.linalg.norm(log, axis=1), np.arctan2(log[:, 1], log[:, 0])
        back = angle + np.arctan2(moved[:, 1], moved[:, 0]) + np.pi  # at the other end, toward the source
        toward = component.polar(np.full(len(angle), at), angle)
        transport = toward + np.pi - component.polar(np.arange(len(back)), back)
        near = np.flatnonzero((distance <= limit) & (np.arange(len(log)) != at))
        return component.vertices[near].astype(np.int32), distance[near], toward[near], transport[near]


@dataclass(frozen=True)
class _Component:
    """A connected part of a mesh, and how the solver's tangent bases lie in it.

    Attributes:
        vertices: sorted indices in the mesh.
        solver: of potpourri3d.
        zero: polar angle of the first basis vector of each vertex.
        stretch: polar angle for each radian of the solver: it shares out a half rotation at boundary vertices, whose
            polar angles are left as they are here, and a full rotation inside, as here.
    """

    vertices: Int[ndarray, "vertices"]
    solver: Any
    zero: Float[ndarray, "vertices"]
    stretch: Float[ndarray, "vertices"]

    def polar(self, vertex: Int[ndarray, "n"], angle: Float[ndarray, "n"]) -> Float[ndarray, "n"]:
        """Return polar angles of directions that have these angles in the solver's bases."""
        inward = np.remainder(angle + np.pi / 2, 2 * np.pi) - np.pi / 2  # at a boundary vertex in about [0, pi]
        return typed_array(self.zero[vertex] + self.stretch[vertex] * inward)


def checked_sources(mesh: TriangleMesh, sources: Any) -> Int[ndarray, "sources"]:
    """Return indices of vertices that have faces: the solver crashes on others.

    Raises:
        ValueError: something else than indices, or none of this mesh.
        MeshError: a vertex without faces.
    """
    chosen = np.asarray(sources)
    if chosen.ndim > 1 or (chosen.size and chosen.dtype.kind not in "iu"):
        raise ValueError(f"Expected one index of a vertex, or a list of indices, got {sources!r}.")
    chosen = chosen.reshape(-1).astype(np.int64)
    outside = chosen[(chosen < 0) | (chosen >= mesh.num_vertices)]
    if outside.size:
        raise ValueError(f"Expected indices of vertices, 0 ... {mesh.num_vertices - 1}, got {int(outside[0])}.")
    lonely = chosen[mesh.vertex_areas[chosen] <= 0]
    if lonely.size:
        raise MeshError(f"Vertex {int(lonely[0])} belongs to no triangle: choose a vertex of a face.")
    return chosen.astype(np.int32)


def _component(mesh: TriangleMesh, surface: HalfedgeSurface, piece: int, diffusion: float) -> _Component:
    from potpourri3d import MeshVectorHeatSolver

    vertices = np.flatnonzero(mesh.vertex_components == piece)
    faces = np.flatnonzero(mesh.vertex_components[mesh.faces[:, 0]] == piece)
    local = np.searchsorted(vertices, mesh.faces[faces])
    solver = MeshVectorHeatSolver(mesh.vertices[vertices], local, diffusion)
    across = np.zeros((mesh.num_vertices, 2, 3))
    across[vertices] = np.stack(solver.get_tangent_frames()[:2], axis=1)
    halfedge = (3 * faces[:, None] + np.arange(3)).reshape(-1)
    tail, head = mesh.faces.reshape(-1)[halfedge], np.roll(mesh.faces, -1, axis=1).reshape(-1)[halfedge]
    x, y = np.einsum("nkd,nd->kn", across[tail], mesh.vertices[head] - mesh.vertices[tail])
    # The first basis vector is an edge, projected into the plane of the basis: that with the least angle.
    order = np.lexsort((np.abs(np.arctan2(y, x)), tail))
    first = halfedge[order[np.unique(tail[order], return_index=True)[1]]]
    boundary, total = surface.boundary[vertices], surface.total_angle[vertices]
    zero = surface.scale[vertices] * (surface.shape[first, 3] - surface.reference[vertices])
    return _Component(vertices, solver, zero, np.where(boundary, total / np.pi, 1.0))


__all__ = ["Strategy", "VectorHeat"]

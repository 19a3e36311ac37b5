"""Cross fields: C_n-structures on triangle meshes, smooth but for named singular points."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from torch import Tensor

from gaugenet._validation import positive
from gaugenet.geometry.mesh._direction_field import (
    EdgeTransport,
    aligned_direction_field,
    combed,
    smoothest_direction_field,
)
from gaugenet.geometry.mesh.frame_field import frame_field, reference_frames, relative_to, rotations, surface_normals
from gaugenet.geometry.mesh.graph import mesh_gauge_graph
from gaugenet.geometry.mesh.halfedge import HalfedgeSurface
from gaugenet.geometry.mesh.mesh import MeshError, TriangleMesh
from gaugenet.geometry.mesh.options import LengthUnit, Neighborhood, NeighborhoodOptions
from gaugenet.geometry.mesh.quality import require_usable
from gaugenet.groups.families.cyclic import Cyclic
from gaugenet.groups.families.so2 import SO2
from gaugenet.groups.group import StructureGroup

if TYPE_CHECKING:
    from gaugenet.geometry.gauge_graph import GaugeGraph

logger = logging.getLogger(__name__)

Singular = Literal["keep", "drop", "refuse"]

_AMBIGUOUS = 0.25
"""An edge along which crosses rotate by more than this part of 2 pi / n is ambiguous: at a half, two elements of C_n
are equally near. Around a small singular face at least one edge rotates by a third."""


@dataclass(frozen=True)
class Singularity:
    """A point where crosses are not defined.

    Attributes:
        face: the triangle of the point; crosses are given at vertices, so no vertex is singular.
        vertices: the corners of the triangle.
        index: number of rotations of the crosses around the point, a multiple of 1 / n.
        pos: centre of the triangle.
    """

    face: int
    vertices: tuple[int, int, int]
    index: Fraction
    pos: tuple[float, float, float]

    def __str__(self) -> str:
        return f"face {self.face} (index {'+' if self.index > 0 else ''}{self.index})"


@dataclass(frozen=True, eq=False)
class CrossField:
    """n directions at every vertex, 2 pi / n apart: frames up to rotations by C_n. See `cross_field`.

    Attributes:
        mesh: an oriented surface.
        n: number of directions.
        frames: `(V, 3, 2)`, one representative at every vertex, counter-clockwise about the normal. Frames rotated by
            2 pi k / n, with any k at each vertex, are the same cross field.

    Raises:
        MeshError: If the mesh is unusable or not orientable.
        ValueError: If `frames` are not orthonormal and tangent, or `n` is not a positive integer.
    """

    mesh: TriangleMesh
    n: int
    frames: Float[ndarray, "vertices 3 2"]

    def __post_init__(self) -> None:
        positive("n", self.n)
        frames = frame_field(self.mesh, self._transport.surface, self.frames)
        object.__setattr__(self, "frames", frames)

    @classmethod
    def along(cls, mesh: TriangleMesh, vectors: Any, n: int = 1) -> CrossField:
        """Return the crosses with one direction along a vector field; for n = 1 its frames, an {e}-structure.

        Args:
            mesh: an oriented mesh without degenerate or non-manifold faces.
            vectors: `(V, 3)`; their normal parts are ignored.
            n: number of directions.

        Raises:
            MeshError: If the mesh is unusable or not orientable.
            ValueError: If the shape is wrong, or a tangential part is zero.
        """
        vectors = np.asarray(vectors, dtype=np.float64)
        if vectors.shape != (mesh.num_vertices, 3):
            raise ValueError(f"Expected `vectors` of shape ({mesh.num_vertices}, 3), got {vectors.shape}.")
        normals = surface_normals(mesh, _edge_transport(mesh).surface)
        first = vectors - (vectors * normals).sum(1, keepdims=True) * normals
        length = np.linalg.norm(first, axis=1, keepdims=True)
        bad = ~(length[:, 0] > 1e-9 * np.abs(vectors).max(initial=0.0))
        if bad.any():
            raise ValueError(
                f"Expected `vectors` with nonzero tangential parts; {int(bad.sum())} have none, the first at vertex "
                f"{int(np.flatnonzero(bad)[0])}."
            )
        first /= length
        return cls(mesh, n, np.stack([first, np.cross(normals, first)], axis=-1))

    @cached_property
    def _transport(self) -> EdgeTransport:
        return _edge_transport(self.mesh)

    @cached_property
    def index(self) -> Int[ndarray, "faces"]:
        """Return the index of every face, in units of 1 / n: nonzero at singular points.

        Their sum over a closed component is n times its Euler characteristic (Poincare-Hopf).
        """
        reference = reference_frames(self.mesh, self._transport.surface)
        return self._transport.face_index(relative_to(self.frames, reference).angle, self.n)

    @cached_property
    def singularities(self) -> list[Singularity]:
        """The singular points, by face."""
        found = np.flatnonzero(self.index)
        corners = self.mesh.faces[found]
        centers = self.mesh.vertices[corners].mean(axis=1)
        return [
            Singularity(int(f), tuple(v.tolist()), Fraction(int(self.index[f]), self.n), tuple(x.tolist()))
            for f, v, x in zip(found, corners, centers, strict=True)
        ]

    @property
    def singular_vertices(self) -> Int[ndarray, "vertices"]:
        """The sorted corners of the faces with singular points, near which crosses rotate fast."""
        return np.unique([v for s in self.singularities for v in s.vertices]).astype(np.int64)

    def gauge_graph(
        self,
        group: StructureGroup | None = None,
        *,
        singular: Singular = "keep",
        neighborhood: Neighborhood = "geodesic",
        radius: float | None = None,
        mean_neighbors: float | None = None,
        max_neighbors: int | None = None,
        lengths: LengthUnit = "metric",
        dtype: torch.dtype = torch.float32,
    ) -> GaugeGraph:
        """Return the gauge graph in the frames of the crosses, with transporters in C_n.

        Every transporter is the element of C_n nearest to the Levi-Civita transporter along the geodesic. The
        connection is flat except at singular points, around which it rotates by their index. For geodesics close to a
        singular point two elements are almost equally near; these edges are marked in `graph.ambiguous`.

        Args:
            group: `Cyclic(n)` (the default), a larger finite group such as `Dihedral(n)`, or a smaller one, down to
                `Trivial(2)`, if there are no singular points and no rotation around handles.
            singular: treatment of ambiguous edges: `"keep"` uses the nearest element, `"drop"` removes them and
                distributes their weight, `"refuse"` raises an error.
            neighborhood: see `TriangleMesh.gauge_graph`.
            radius: see `TriangleMesh.gauge_graph`.
            mean_neighbors: see `TriangleMesh.gauge_graph`.
            max_neighbors: see `TriangleMesh.gauge_graph`.
            lengths: see `TriangleMesh.gauge_graph`.
            dtype: see `TriangleMesh.gauge_graph`.

        Raises:
            MeshError: If transporters are outside `group`, or edges are ambiguous under `singular="refuse"`.
            ValueError: If the group is infinite, or options contradict each other.
        """
        group = _finite(group or Cyclic(self.n))
        if singular not in ("keep", "drop", "refuse"):
            raise ValueError(f"Expected `singular` 'keep', 'drop' or 'refuse', got {singular!r}.")
        options = NeighborhoodOptions(
            neighborhood=neighborhood,
            radius=radius,
            mean_neighbors=mean_neighbors,
            max_neighbors=max_neighbors,
            lengths=lengths,
            frames=self.frames,
        )
        graph = mesh_gauge_graph(self.mesh, SO2(), options, dtype=torch.float64)
        graph.transporter, graph.ambiguous = _nearest_rotations(graph.transporter, self.n)
        if graph.ambiguous.any():
            self._report(graph, refuse=singular == "refuse")
        if singular == "drop":
            graph = _without(graph, graph.ambiguous)
        self._check_group(group, graph.transporter)
        graph.structure = group.name
        return graph.astype(dtype)

    def _report(self, graph: GaugeGraph, *, refuse: bool) -> None:
        text = (
            f"Along {int(graph.ambiguous.sum())} of {len(graph.ambiguous)} edges crosses rotate so far that the "
            f"nearest element of C_{self.n} is ambiguous: {self._blame(graph)}."
        )
        if refuse:
            raise MeshError(f"{text} Use singular='keep' or 'drop', a smaller radius or a finer mesh.")
        logger.info(text)

    def _blame(self, graph: GaugeGraph) -> str:
        """Return the numbers of ambiguous edges by the singular point nearest to their middles."""
        if not self.singularities:
            return "there are no singular points, neighbourhoods are too large for this curvature"
        from scipy.spatial import cKDTree

        middle = graph.pos[graph.edge_index[:, graph.ambiguous]].mean(dim=0).numpy()
        nearest = cKDTree([s.pos for s in self.singularities]).query(middle)[1]
        count = np.bincount(nearest, minlength=len(self.singularities))
        return _listed([f"{c} near {s}" for c, s in zip(count, self.singularities, strict=True) if c])

    def _check_group(self, group: StructureGroup, transporter: Tensor) -> None:
        outside = ~group.contains(transporter)
        if not outside.any():
            return
        if self.singularities:
            reason = f"around singular points the crosses rotate: {_listed([str(s) for s in self.singularities])}"
        else:
            reason = "there are no singular points, but the crosses rotate around a handle, a hole or a sharp fold"
        raise MeshError(
            f"This cross field is not a {group.name}-structure: {int(outside.sum())} of {len(outside)} transporters "
            f"are outside {group.name}, since {reason}. Use C_{self.n}, or cut the mesh."
        )


def cross_field(mesh: TriangleMesh, n: int, *, align: Literal["curvature"] | None = None) -> CrossField:
    """Return the smoothest field of n directions on every component of an oriented mesh, closed or open.

    Topology may require singular points: on a sphere 8 points of index 1/4 for n = 4. Number and positions are the ones
    of the global optimum :cite:`knoppel2013globally`. On strongly curved surfaces it has additional pairs of
    opposite index; on a round sphere it is not unique. A constant rotation of a smoothest field is equally smooth, so
    the angle is fixed at one vertex of each component. With `align="curvature"` (n even) crosses follow the principal
    directions where the principal curvatures differ, the larger one first.

    Args:
        mesh: an oriented mesh without degenerate or non-manifold faces.
        n: number of directions: 1 for vectors, 2 for lines, 4 for crosses, 6 for triangular patterns.
        align: `"curvature"`, or `None` for a field that is only smooth.

    Raises:
        MeshError: If the mesh is unusable or not orientable, or a component is flat under `align="curvature"`.
        ValueError: If `n` is not a positive integer, or is odd under `align="curvature"`.

    Example:
        >>> from gaugenet.geometry import Icosphere, TriangleMesh, cross_field
        >>> sphere = Icosphere(2)
        >>> field = cross_field(TriangleMesh(sphere.pos, sphere.face.T), 4)
        >>> print(sum(point.index for point in field.singularities))  # the Euler characteristic
        2
    """
    positive("n", n)
    if align not in (None, "curvature"):
        raise ValueError(f"Expected `align` to be None or 'curvature', got {align!r}.")
    if align and n % 2:
        raise ValueError(f"Principal directions have no sign, so only even `n` can be aligned, got {n}.")
    transport = _edge_transport(mesh)
    u = aligned_direction_field(transport, n) if align else smoothest_direction_field(transport, n)
    angle = combed(transport, np.angle(u) / n, n)
    return CrossField(mesh, n, reference_frames(mesh, transport.surface) @ rotations(angle))


def _nearest_rotations(
    transporter: Float[Tensor, "edges 2 2"], n: int
) -> tuple[Float[Tensor, "edges 2 2"], Bool[Tensor, "edges"]]:
    """Return the elements of C_n nearest to rotations, and whether they differ by more than `AMBIGUOUS` of 2 pi / n."""
    angle = torch.atan2(transporter[:, 1, 0] - transporter[:, 0, 1], transporter[:, 0, 0] + transporter[:, 1, 1])
    steps = angle * (n / (2 * torch.pi))
    nearest = steps.round()
    return Cyclic(n).elements().to(transporter)[nearest.long() % n], (steps - nearest).abs() > _AMBIGUOUS


def _edge_transport(mesh: TriangleMesh) -> EdgeTransport:
    require_usable(TriangleMesh(mesh.vertices, mesh.faces), oriented=True)
    return EdgeTransport(mesh, HalfedgeSurface.from_mesh(mesh))


def _finite(group: StructureGroup) -> StructureGroup:
    if group.d != 2 or group.order is None:
        raise ValueError(
            f"Expected a finite structure group on R^2 such as Cyclic(n), got {group.name}: for other groups "
            "use `TriangleMesh.gauge_graph`."
        )
    return group


def _without(graph: GaugeGraph, dropped: Bool[Tensor, "edges"]) -> GaugeGraph:
    """Return the graph without some edges, whose weight is distributed over the other edges and the centre."""
    target = graph.edge_index[1]
    lost = graph.weight.new_zeros(int(graph.num_nodes)).index_add(0, target[dropped], graph.weight[dropped])
    graph.weight = graph.weight / (1 - lost[target])
    graph.edge_index = graph.edge_index[:, ~dropped]
    for name in ("log_map", "transporter", "weight", "ambiguous"):
        graph[name] = graph[name][~dropped]
    return graph


def _listed(names: list[str], most: int = 12) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


__all__ = ["CrossField", "Singularity", "cross_field"]

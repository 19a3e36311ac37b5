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
        face: the triangle that it lies in: crosses are given at vertices, so none is singular itself.
        vertices: the corners of the triangle.
        index: rotations of the crosses around it, a multiple of 1 / n.
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
        frames: `(V, 3, 2)`, one representative at every vertex, counter-clockwise about the normal; any other (rotated
            by 2 pi k / n, an own k at every vertex) is the same cross field.

    Raises:
        MeshError: a mesh that is unfit or not orientable.
        ValueError: `frames` that are not orthonormal and tangent; `n` not a positive integer.
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
        """The crosses of which one direction is that of a vector field; with n = 1 its frames, an {e}-structure.

        Args:
            mesh: without degenerate or non-manifold faces, oriented.
            vectors: `(V, 3)`; what of them is not tangent is left out.
            n: number of directions.

        Raises:
            MeshError: a mesh that is unfit or not orientable.
            ValueError: an array of another shape; vectors that vanish or stand upright on the surface.
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
                f"Expected `vectors` that point along the surface; {int(bad.sum())} do not, the first at vertex "
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

        On a closed component they add up to n times its Euler characteristic (Poincare-Hopf).
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
        """The corners of the faces with singular points, sorted: around them crosses rotate fast and say little."""
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
        """Return neighbourhoods in the frames of the crosses, which are parallel.

        Every transporter is the element of C_n nearest to the Levi-Civita transporter along the geodesic. The
        connection is flat but for the singular points, around which it rotates by their index. Geodesics that pass
        close to one have two elements that are nearly as near: these edges are marked in `graph.ambiguous`.

        Args:
            group: `Cyclic(n)` (the default), a larger finite group such as `Dihedral(n)`, or a smaller one, down to
                `Trivial(2)`, where crosses can be combed: no singular points in between and no rotation around handles.
            singular: what becomes of ambiguous edges: `"keep"` takes the nearest element, `"drop"` leaves them out and
                gives their weight to the others, `"refuse"` raises.
            neighborhood: as in `TriangleMesh.gauge_graph`.
            radius: as in `TriangleMesh.gauge_graph`.
            mean_neighbors: as in `TriangleMesh.gauge_graph`.
            max_neighbors: as in `TriangleMesh.gauge_graph`.
            lengths: as in `TriangleMesh.gauge_graph`.
            dtype: as in `TriangleMesh.gauge_graph`.

        Raises:
            MeshError: transporters outside `group`, with the singular points that are the reason; ambiguous edges
                under `singular="refuse"`.
            ValueError: an infinite group; contradictory options.
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
        """Counts of ambiguous edges by the singular point nearest to the middle of each."""
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
            f"This cross field is no {group.name}-structure: {int(outside.sum())} of {len(outside)} transporters lie "
            f"outside {group.name}, since {reason}. Use C_{self.n}, or cut the mesh."
        )


def cross_field(mesh: TriangleMesh, n: int, *, align: Literal["curvature"] | None = None) -> CrossField:
    """The smoothest field of n directions on every component of an oriented mesh, closed or open.

    Topology demands singular points wherever n directions cannot be everywhere: on a sphere 8 of index 1/4 for n = 4.
    Number and positions are those of the global optimum (:cite:`knoppel2013globally`), which on strongly curved
    surfaces has pairs of opposite index besides, and on a round sphere is not unique. A smoothest field rotated by a
    constant angle is as smooth: the angle is fixed at one vertex of each component. With `align="curvature"` (n even)
    crosses follow the principal curvatures where these differ, the larger one first.

    Args:
        mesh: without degenerate or non-manifold faces, oriented.
        n: number of directions: 1 vectors, 2 lines, 4 crosses, 6 for triangular patterns.
        align: what the field follows; by default it is only smooth.

    Raises:
        MeshError: a mesh that is unfit or not orientable; a flat component under `align="curvature"`.
        ValueError: `n` not a positive integer, or odd under `align="curvature"`.
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
    """The elements of C_n nearest to rotations, and whether they are further than `AMBIGUOUS` of 2 pi / n."""
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
            f"Expected a finite structure group on R^2 such as Cyclic(n), got {group.name}: other groups need no "
            "crosses, use `TriangleMesh.gauge_graph`."
        )
    return group


def _without(graph: GaugeGraph, dropped: Bool[Tensor, "edges"]) -> GaugeGraph:
    """The graph without some edges, whose share of each neighbourhood goes to the others and the centre."""
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

"""Defects of meshes, each with a name, a count, the first places, and a remedy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Bool
from numpy import ndarray

from gaugenet.geometry.mesh.mesh import MeshError, TriangleMesh
from gaugenet.geometry.mesh.topology import (
    Topology,
    degenerate_faces,
    duplicate_faces,
    finite_vertices,
    repeats_a_vertex,
)

_MAX_PLACES = 5

Severity = Literal["error", "warning", "info"]


class _Kind(NamedTuple):
    severity: Severity
    repairable: bool
    unit: str
    meaning: str


PROBLEMS: dict[str, _Kind] = {
    "empty": _Kind("error", False, "mesh", "no faces at all: there is no surface to work on"),
    "non_finite_coordinates": _Kind("error", True, "vertex", "a coordinate is NaN, infinite or beyond 1e60"),
    "degenerate_faces": _Kind("error", True, "face", "a repeated vertex or no area"),
    "duplicate_faces": _Kind("error", True, "face", "same three vertices as an earlier face"),
    "non_manifold_edges": _Kind("error", True, "edge", "three or more faces meet at the edge"),
    "non_manifold_vertices": _Kind("error", True, "vertex", "separate fans of faces touch at the vertex"),
    "inconsistent_orientation": _Kind("error", True, "face", "oriented against its neighbours"),
    "non_orientable": _Kind(
        "warning",
        False,
        "component",
        "no consistent orientation exists, so it admits no SO(2)-structure: use O(2)",
    ),
    "zero_area_stars": _Kind("error", True, "vertex", "all faces at the vertex are degenerate"),
    "coincident_vertices": _Kind("warning", True, "vertex", "where an earlier vertex is: a seam that cuts the surface"),
    "unreferenced_vertices": _Kind("warning", True, "vertex", "in no face, hence without neighbours"),
    "inward_orientation": _Kind("warning", True, "component", "closed, with normals that point inside"),
    "slivers": _Kind("warning", False, "face", "a very small angle: remesh if the results look noisy"),
    "runaway_neighborhoods": _Kind(
        "warning",
        False,
        "vertex",
        "more than `max_neighbors` within the radius: cap or remesh",
    ),
    "components": _Kind("info", False, "component", "separate parts, between which nothing flows"),
    "boundary_loops": _Kind("info", False, "loop", "holes or borders of the surface"),
}
"""Severity, whether `repair_mesh` repairs it, the counted items and the meaning of each problem, by name."""


@dataclass(frozen=True)
class Problem:
    """A problem of a mesh: an error, a warning or a remark.

    Attributes:
        name: a key of `PROBLEMS`.
        count: number of places.
        places: the first places: vertex or face indices, pairs of vertices for edges, and the first face or vertex of
            components and loops.
    """

    name: str
    count: int
    places: tuple[int | tuple[int, ...], ...] = ()

    @property
    def kind(self) -> _Kind:
        return PROBLEMS[self.name]

    @property
    def severity(self) -> Severity:
        return self.kind.severity

    @property
    def repairable(self) -> bool:
        return self.kind.repairable

    @property
    def title(self) -> str:
        """The name in words."""
        return self.name.replace("_", " ").replace("non ", "non-")

    def to_dict(self) -> dict[str, Any]:
        """Return the problem as a dictionary for JSON."""
        return {
            "name": self.name,
            "severity": self.severity,
            "count": self.count,
            "unit": self.kind.unit,
            "places": [list(p) if isinstance(p, tuple) else p for p in self.places],
            "repairable": self.repairable,
            "meaning": self.kind.meaning,
        }

    def where(self) -> str:
        """The first few places as text."""
        more = ", ..." if self.count > len(self.places) else ""
        return ", ".join(str(place).replace(" ", "") for place in self.places) + more

    def __str__(self) -> str:
        return f"{self.title}: {self.count}, at {self.kind.unit} {self.where()} ({self.kind.meaning})"


def problem(name: str, places: ndarray) -> Problem:
    """Return a `Problem` from the array of all its places, `(count,)` or `(count, 2)`."""
    first = tuple(tuple(p) if isinstance(p, list) else p for p in places[:_MAX_PLACES].tolist())
    return Problem(name, len(places), first)


def require_usable(mesh: TriangleMesh, *, oriented: bool) -> None:
    """Refuse a mesh on which neighbourhoods, logarithmic maps or transporters are not defined.

    Isolated vertices, boundaries and several components are allowed. The time is linear in the size of the mesh.

    Args:
        mesh: any mesh.
        oriented: whether the structure group preserves orientation, as SO(2) does and O(2) does not.

    Raises:
        MeshError: If coordinates are not finite, faces are degenerate or duplicate, or edges or vertices are not
            manifold; if `oriented`, also for inconsistent orientations or a non-orientable surface. The message gives
            the number, the first places and the remedy of each defect.
    """
    finite = finite_vertices(mesh)
    topology = Topology(mesh)
    found = [p for p in find_defects(mesh, topology, finite, degenerate_faces(mesh, finite)) if p.count]
    if oriented and topology.aligned.any():
        found += [p for p in find_orientation_defects(topology) if p.count]
    if found:
        raise MeshError(_refusal(mesh, found))


def _refusal(mesh: TriangleMesh, found: list[Problem]) -> str:
    lines = "; ".join(str(p) for p in found)
    text = f"The mesh ({mesh.num_vertices} vertices, {mesh.num_faces} faces) is not usable as it is: {lines}."
    if any(p.repairable for p in found):
        text += " Repair it with `repair_mesh(mesh)`, or `gaugenet inspect MESH --repair OUT` on the command line."
    return text


def find_defects(
    mesh: TriangleMesh, topology: Topology, finite: Bool[ndarray, "vertices"], degenerate: Bool[ndarray, "faces"]
) -> Iterator[Problem]:
    """Return the defects that are errors for every structure group, each with its count (may be 0)."""
    yield problem("non_finite_coordinates", np.flatnonzero(~finite))
    yield problem("degenerate_faces", np.flatnonzero(degenerate))
    # A repeated duplicate is reported once, as degenerate.
    yield problem("duplicate_faces", np.flatnonzero(duplicate_faces(mesh) & ~repeats_a_vertex(mesh.faces)))
    edges = topology.mesh.edges[topology.non_manifold_edges]
    yield problem("non_manifold_edges", edges)
    yield problem("non_manifold_vertices", np.flatnonzero(topology.fans_per_vertex > 1))


def find_orientation_defects(topology: Topology) -> Iterator[Problem]:
    """Return faces to flip in orientable pieces, and the pieces that are not orientable."""
    orientation = topology.orientation
    yield problem("inconsistent_orientation", topology.face_index[orientation.minority])
    yield problem("non_orientable", topology.face_index[orientation.first_faces[~orientation.orientable]])

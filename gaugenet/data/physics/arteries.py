"""Branching arteries in mm: centerlines with radii, the signed distance from the wall, and meshes of the wall."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from gaugenet._typing import typed_array
from gaugenet.data.physics.implicit_surface import Distance, cluster_mesh, marching_tetrahedra, project
from gaugenet.geometry.mesh.mesh import TriangleMesh

_FINE = 48
_TRIES = 12


@dataclass(frozen=True, eq=False)
class Branch:
    """A tube around a curve, with round ends inside another branch or beyond an opening.

    Attributes:
        path: points of the centerline in equal steps, mm.
        radius: radius at each of these points, mm.
    """

    path: Float[ndarray, "n 3"]
    radius: Float[ndarray, "n"]

    @cached_property
    def step(self) -> float:
        """Distance between two points of the centerline, mm."""
        return float(np.linalg.norm(np.diff(self.path, axis=0), axis=1).mean())

    @cached_property
    def tangent(self) -> Float[ndarray, "n 3"]:
        """Unit tangents, downstream."""
        t = np.gradient(self.path, axis=0)
        return typed_array(t / np.linalg.norm(t, axis=1, keepdims=True))

    @cached_property
    def curvature(self) -> Float[ndarray, "n 3"]:
        """Curvature vectors, towards the centre of curvature, 1/mm."""
        return typed_array(np.gradient(self.tangent, self.step, axis=0))

    @cached_property
    def _tree(self) -> Any:
        from scipy.spatial import cKDTree

        return cKDTree(self.path)

    def nearest(self, points: Float[ndarray, "p 3"]) -> tuple[Float[ndarray, "p"], Float[ndarray, "p"]]:
        """Return the signed distance from the wall, mm, and the fractional index of the closest centerline point."""
        i = self._tree.query(points)[1]
        offset, t = points - self.path[i], self.tangent[i]
        along = np.clip((offset * t).sum(axis=1), -self.step, self.step)
        where = np.clip(i + along / self.step, 0, len(self.path) - 1)
        offset = offset - ((where - i) * self.step)[:, None] * t
        return np.linalg.norm(offset, axis=1) - self.at(self.radius, where), where

    def at(self, values: Float[ndarray, "n *shape"], where: Float[ndarray, "p"]) -> Float[ndarray, "p *shape"]:
        """Interpolate values on the centerline linearly."""
        i = np.minimum(where.astype(int), len(values) - 2)
        share = (where - i).reshape(-1, *[1] * (values.ndim - 1))
        return typed_array((1 - share) * values[i] + share * values[i + 1])


@dataclass(frozen=True, eq=False)
class Opening:
    """An opening of an artery.

    Attributes:
        point: center, mm.
        direction: unit vector out of the artery.
        radius: radius, mm.
    """

    point: Float[ndarray, "3"]
    direction: Float[ndarray, "3"]
    radius: float


@dataclass(frozen=True, eq=False)
class Artery:
    """Smoothly joined branches with an inlet and outlets.

    Attributes:
        branches: at least one.
        openings: the inlet, followed by the outlets.
        blend: width over which the walls of branches are blended at a junction, mm.
    """

    branches: Sequence[Branch]
    openings: Sequence[Opening]
    blend: float = 0.6

    def distance(self, points: Float[ndarray, "p 3"]) -> Float[ndarray, "p"]:
        """Return the distance from the wall, negative inside, mm: a smooth minimum over the branches."""
        total = self.branches[0].nearest(points)[0]
        for branch in self.branches[1:]:
            other = branch.nearest(points)[0]
            overlap = np.maximum(self.blend - np.abs(total - other), 0.0) / self.blend
            total = np.minimum(total, other) - overlap**3 * self.blend / 6
        return total

    def on_wall(self, points: Float[ndarray, "p 3"]) -> tuple[Float[ndarray, "p"], Float[ndarray, "p 3"]]:
        """Return radius (mm) and curvature of the centerline (1/mm) at points of the wall, blended at junctions."""
        found = [branch.nearest(points) for branch in self.branches]
        distances = np.stack([distance for distance, _ in found])
        weight = np.exp(-(distances - distances.min(axis=0)) / (self.blend / 4))
        weight = weight / weight.sum(axis=0)
        radius = sum(w * b.at(b.radius, where) for w, b, (_, where) in zip(weight, self.branches, found))
        bend = sum(w[:, None] * b.at(b.curvature, where) for w, b, (_, where) in zip(weight, self.branches, found))
        return typed_array(np.asarray(radius)), typed_array(np.asarray(bend))

    def beyond(self, points: Float[ndarray, "p 3"], opening: Opening) -> Float[ndarray, "p"]:
        """Return the distance of points beyond the plane of an opening, mm; -inf far from the opening."""
        offset = points - opening.point
        return np.where(np.linalg.norm(offset, axis=1) < 4 * opening.radius, offset @ opening.direction, -np.inf)

    def mesh(self, edge: float = 0.45, *, seed: int = 0) -> TriangleMesh:
        """Return a mesh of the wall, open at inlet and outlets.

        Args:
            edge: length of the edges, mm.
            seed: seed of the vertices; the wall does not depend on it.

        Raises:
            ValueError: If no manifold mesh is found, since the edges are too long for the radii.
        """
        fine = self._open(edge)
        count = round(fine.area / (0.866 * edge**2))
        for attempt in range(_TRIES):
            try:
                coarse = cluster_mesh(fine, count, seed=seed + 1000 * attempt)
            except ValueError:
                continue
            return TriangleMesh(self.snapped(coarse, coarse.vertices), coarse.faces)
        raise ValueError(f"No manifold mesh with edges of {edge} mm: use a smaller `edge`.")

    def _open(self, edge: float) -> TriangleMesh:
        points = np.concatenate([branch.path for branch in self.branches])
        margin = 1.5 * max(float(branch.radius.max()) for branch in self.branches)
        spacing = 1.9 * edge / _FINE**0.5
        fine = marching_tetrahedra(self.distance, points.min(axis=0) - margin, points.max(axis=0) + margin, spacing)
        centre = fine.vertices[fine.faces].mean(axis=1)
        kept = np.all([self.beyond(centre, opening) < 0 for opening in self.openings], axis=0)
        part = TriangleMesh(fine.vertices, fine.faces[kept])
        component = part.vertex_components[part.faces[:, 0]]
        faces = part.faces[component == np.bincount(component).argmax()]
        used, faces = np.unique(faces, return_inverse=True)
        return TriangleMesh(fine.vertices[used], faces.reshape(-1, 3))

    def snapped(self, mesh: TriangleMesh, points: Float[ndarray, "vertices 3"]) -> Float[ndarray, "vertices 3"]:
        """Return the vertices moved onto the wall, and boundary vertices moved to the planes of the openings."""
        edge = mesh.boundary_vertices
        which = self.opening_of(mesh)
        wall: Distance = self.distance
        for _ in range(2):
            points = project(points, wall, steps=2)
            for k, opening in enumerate(self.openings):
                mine = edge & (which == k)
                height = (points[mine] - opening.point) @ opening.direction
                points[mine] -= height[:, None] * opening.direction
        return points

    def opening_of(self, mesh: TriangleMesh) -> ndarray:
        """Return the number of the nearest opening of each vertex."""
        gaps = [np.linalg.norm(mesh.vertices - opening.point, axis=1) for opening in self.openings]
        return typed_array(np.argmin(gaps, axis=0))

    def refined(self, mesh: TriangleMesh) -> TriangleMesh:
        """Return a mesh with four times the triangles; new vertices are on the wall and follow those of `mesh`."""
        middle = mesh.num_vertices + mesh.halfedge_to_edge.reshape(-1, 3)
        a, b, c = mesh.faces.T
        ab, bc, ca = middle.T
        faces = np.stack([(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]).transpose(2, 0, 1).reshape(-1, 3)
        between = mesh.vertices[mesh.edges].mean(axis=1)
        finer = TriangleMesh(np.concatenate([mesh.vertices, between]), faces)
        return TriangleMesh(self.snapped(finer, finer.vertices.copy()), faces)

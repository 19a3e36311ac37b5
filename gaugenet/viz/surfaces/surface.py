"""Surfaces in space that know their geodesics: what pictures draw on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from gaugenet._typing import typed_array, typed_tensor
from gaugenet.geometry import TriangleMesh
from gaugenet.viz.render.triangles import clipped, ribbon
from gaugenet.viz.surfaces.sheets import Camera

FramesLike = Any
"""`None`, a tensor, a function of points, a `GStructure`, or what the surface understands besides."""


@dataclass(frozen=True)
class Patch:
    """A geodesic disc: where the points of a tangent plane arrive.

    Attributes:
        vertices: `(V, 3)`, in space.
        faces: `(F, 3)`.
        coordinates: `(V, 2)`, logarithms of the vertices in the frame.
    """

    vertices: Float[ndarray, "vertices 3"]
    faces: Int[ndarray, "faces 3"]
    coordinates: Float[ndarray, "vertices 2"]


class Drawable(ABC):
    """A surface in space whose geodesics are known."""

    mesh: TriangleMesh
    camera: Camera
    in_true_size: bool = False
    """Whether lengths in space are those of the surface, so that what is much longer there is torn."""

    @abstractmethod
    def checked(self, points: Any) -> Tensor:
        """Points of this surface, one a row (manifold) or one a number (mesh)."""

    @abstractmethod
    def frames_at(self, points: Tensor, frames: FramesLike) -> Float[Tensor, "points D 2"]:
        """The frames at points; columns are tangent vectors as the surface writes them."""

    @abstractmethod
    def immersion(self, points: Tensor) -> Float[ndarray, "points 3"]:
        """Where points are in space."""

    @abstractmethod
    def exp(
        self, points: Tensor, frames: Float[Tensor, "points D 2"], v: Sequence[Float[ndarray, "n 2"]]
    ) -> list[tuple[Float[ndarray, "n 3"], Float[ndarray, "n"]]]:
        """Return for every point the ends in space of geodesics with initial velocities `frame @ v`, and their level.

        The level is negative outside.
        """

    @abstractmethod
    def patches(self, points: Tensor, frames: Float[Tensor, "points D 2"], radius: float) -> list[Patch]:
        """The geodesic discs of all |v| <= radius that lie inside."""

    @abstractmethod
    def log(self, point: Tensor, frame: Float[Tensor, "D 2"], other: Tensor) -> Float[ndarray, "2"]:
        """Coordinates in the frame of the geodesic to another point."""

    @abstractmethod
    def transported(self, points: Tensor, frame: Float[Tensor, "D 2"]) -> Float[Tensor, "points D 2"]:
        """A frame at the first point, transported by parallel transport from each point to the next."""

    @abstractmethod
    def spread(self, count: int) -> Tensor:
        """Points that lie far from each other and from the edge."""

    @cached_property
    def two_sided(self) -> bool:
        """Whether both sides can be seen: the surface has an edge, or is one-sided."""
        return bool((self.mesh.edge_face_count != 2).any()) or one_sided(self.mesh)

    @cached_property
    def size(self) -> float:
        """Half of the largest extent in space."""
        return float(np.ptp(self.mesh.vertices, axis=0).max() / 2)

    def stretch(self, points: Tensor, frames: Float[Tensor, "points D 2"]) -> Float[ndarray, "points"]:
        """How long in space short vectors of unit length are."""
        step = 1e-3 * self.size
        v = step * np.concatenate([[[0.0, 0.0]], np.eye(2), -np.eye(2)])
        found = []
        for positions, level in self.exp(points, frames, [v] * len(points)):
            length = np.linalg.norm(positions[1:] - positions[0], axis=1)[level[1:] >= 0]
            found.append(length.mean() / step if len(length) and length.mean() > 0 else 1.0)
        return np.array(found)

    def bands(self, points: Tensor, half_width: float) -> list[tuple[ndarray, ndarray, ndarray]]:
        """Geodesics from each point to the next, as narrow bands on the surface.

        Args:
            points: at least two.
            half_width: in space.

        Returns:
            of each band the positions `(n, 3)`, faces `(m, 3)`, and the ridge `(n,)` along its middle (see `Flat`).
        """
        frames = self.frames_at(points, None)[:-1]
        logs = [self.log(p, frame, q) for p, frame, q in zip(points, frames, points[1:])]
        flats = [
            ribbon(np.linspace(0, 1, 24)[:, None] * v, half_width / stretch)
            for v, stretch in zip(logs, self.stretch(points[:-1], frames))
        ]
        found = []
        for flat, (positions, level) in zip(flats, self.exp(points[:-1], frames, [flat.points for flat in flats])):
            faces, positions, ridge = clipped(flat.faces, level, positions, flat.ridge)
            found.append((positions, faces, ridge))
        return found

    @cached_property
    def _tree(self) -> Any:
        from scipy.spatial import cKDTree

        return cKDTree(self.mesh.vertices)

    def normals_near(self, positions: Float[ndarray, "n 3"]) -> Float[ndarray, "n 3"]:
        """Normals of the drawn mesh at its nearest vertices."""
        return typed_array(self.mesh.vertex_normals[self._tree.query(positions)[1]])


def one_sided(mesh: TriangleMesh) -> bool:
    """Whether some edge is passed in the same direction by both of its triangles."""
    forward = np.where(mesh.halfedges[:, 0] < mesh.halfedges[:, 1], 1, -1)
    balance = np.bincount(mesh.halfedge_to_edge, weights=forward)
    return bool((np.abs(balance) == 2).any())


def checked_frames(frames: Any, shape: tuple[int, ...]) -> Tensor:
    """Return frames for all points, or raise `ValueError` about their shape."""
    frames = torch.as_tensor(frames, dtype=torch.float64)
    if tuple(frames.shape) == shape[1:]:
        frames = frames.expand(shape)
    if tuple(frames.shape) != shape or not frames.isfinite().all():
        raise ValueError(
            f"Expected finite `frames` of shape {shape}, columns tangent, got shape {tuple(frames.shape)}."
        )
    return typed_tensor(frames)

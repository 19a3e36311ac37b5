"""Surfaces in space with their geodesics, on which pictures are drawn."""

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
    """A geodesic disc, the image of a disc in a tangent plane.

    Attributes:
        vertices: `(V, 3)`, in space.
        faces: `(F, 3)`.
        coordinates: `(V, 2)`, logarithms of the vertices in the frame.
    """

    vertices: Float[ndarray, "vertices 3"]
    faces: Int[ndarray, "faces 3"]
    coordinates: Float[ndarray, "vertices 2"]


class Drawable(ABC):
    """A surface in space with its geodesics."""

    mesh: TriangleMesh
    camera: Camera
    in_true_size: bool = False
    """Whether lengths in space are those of the surface, so that what is much longer there is torn."""

    @abstractmethod
    def checked(self, points: Any) -> Tensor:
        """Return valid points of this surface: rows of coordinates (manifold) or vertex indices (mesh)."""

    @abstractmethod
    def frames_at(self, points: Tensor, frames: FramesLike) -> Float[Tensor, "points D 2"]:
        """Return the frames at points; columns are tangent vectors in the coordinates of the surface."""

    @abstractmethod
    def immersion(self, points: Tensor) -> Float[ndarray, "points 3"]:
        """Return the positions of points in space."""

    @abstractmethod
    def exp(
        self, points: Tensor, frames: Float[Tensor, "points D 2"], v: Sequence[Float[ndarray, "n 2"]]
    ) -> list[tuple[Float[ndarray, "n 3"], Float[ndarray, "n"]]]:
        """Return the ends, in space, of geodesics from every point with initial velocities `frame @ v`, and a level.

        The level is negative outside the surface.
        """

    @abstractmethod
    def patches(self, points: Tensor, frames: Float[Tensor, "points D 2"], radius: float) -> list[Patch]:
        """Return the geodesic disc |v| <= radius about each point, without the part outside the surface."""

    @abstractmethod
    def log(self, point: Tensor, frame: Float[Tensor, "D 2"], other: Tensor) -> Float[ndarray, "2"]:
        """Return the logarithm of another point, in the frame."""

    @abstractmethod
    def transported(self, points: Tensor, frame: Float[Tensor, "D 2"]) -> Float[Tensor, "points D 2"]:
        """Transport a frame at the first point from each point to the next, by parallel transport."""

    @abstractmethod
    def spread(self, count: int) -> Tensor:
        """Return points that lie far from each other and from the edge."""

    @cached_property
    def two_sided(self) -> bool:
        """Whether both sides are visible: the surface has an edge, or is one-sided."""
        return bool((self.mesh.edge_face_count != 2).any()) or one_sided(self.mesh)

    @cached_property
    def size(self) -> float:
        """Half of the largest extent in space."""
        return float(np.ptp(self.mesh.vertices, axis=0).max() / 2)

    def stretch(self, points: Tensor, frames: Float[Tensor, "points D 2"]) -> Float[ndarray, "points"]:
        """Return the length in space of short geodesics, relative to their length on the surface."""
        step = 1e-3 * self.size
        v = step * np.concatenate([[[0.0, 0.0]], np.eye(2), -np.eye(2)])
        found = []
        for positions, level in self.exp(points, frames, [v] * len(points)):
            length = np.linalg.norm(positions[1:] - positions[0], axis=1)[level[1:] >= 0]
            found.append(length.mean() / step if len(length) and length.mean() > 0 else 1.0)
        return np.array(found)

    def bands(self, points: Tensor, half_width: float) -> list[tuple[ndarray, ndarray, ndarray]]:
        """Return geodesics from each point to the next, as narrow bands on the surface.

        Args:
            points: at least two.
            half_width: in space.

        Returns:
            The positions `(n, 3)`, the faces `(m, 3)` and the ridge `(n,)` (see `Flat`) of each band.
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
        """Return normals of the drawn mesh at its nearest vertices."""
        return typed_array(self.mesh.vertex_normals[self._tree.query(positions)[1]])


def one_sided(mesh: TriangleMesh) -> bool:
    """Return whether some edge is passed in the same direction by both of its triangles."""
    forward = np.where(mesh.halfedges[:, 0] < mesh.halfedges[:, 1], 1, -1)
    balance = np.bincount(mesh.halfedge_to_edge, weights=forward)
    return bool((np.abs(balance) == 2).any())


def checked_frames(frames: Any, shape: tuple[int, ...]) -> Tensor:
    """Return frames for all points.

    Raises:
        ValueError: If their shape is wrong, or they are not finite.
    """
    frames = torch.as_tensor(frames, dtype=torch.float64)
    if tuple(frames.shape) == shape[1:]:
        frames = frames.expand(shape)
    if tuple(frames.shape) != shape or not frames.isfinite().all():
        raise ValueError(
            f"Expected finite `frames` of shape {shape}, columns tangent, got shape {tuple(frames.shape)}."
        )
    return typed_tensor(frames)

"""Surfaces with geodesics, made ready to be drawn on: manifolds of dimension two, and triangle meshes."""

from __future__ import annotations

import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from gaugenet.geometry import CrossField, GStructure, Icosphere, Manifold, TriangleMesh
from gaugenet.geometry.manifold import has
from gaugenet.viz.sheets import Camera, Domain, Place, Sheet, sheet_of
from gaugenet.viz.triangles import clipped, polar_grid, split

Frames = Any
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

    @abstractmethod
    def checked(self, points: Any) -> Tensor:
        """Points of this surface, one a row (manifold) or one a number (mesh)."""

    @abstractmethod
    def frames_at(self, points: Tensor, frames: Frames) -> Float[Tensor, "points D 2"]:
        """The frames at points; columns are tangent vectors as the surface writes them."""

    @abstractmethod
    def place(self, points: Tensor) -> Float[ndarray, "points 3"]:
        """Where points are in space."""

    @abstractmethod
    def exp(
        self, points: Tensor, frames: Float[Tensor, "points D 2"], v: Sequence[Float[ndarray, "n 2"]]
    ) -> list[tuple[Float[ndarray, "n 3"], Float[ndarray, "n"]]]:
        """For every point the ends in space of geodesics with initial velocities `frame @ v`; and their level, negative
        outside."""

    @abstractmethod
    def patches(self, points: Tensor, frames: Float[Tensor, "points D 2"], radius: float) -> list[Patch]:
        """The geodesic discs of all |v| <= radius that lie inside."""

    @abstractmethod
    def log(self, point: Tensor, frame: Float[Tensor, "D 2"], other: Tensor) -> Float[ndarray, "2"]:
        """Coordinates in the frame of the geodesic to another point."""

    @abstractmethod
    def transported(self, points: Tensor, frame: Float[Tensor, "D 2"]) -> Float[Tensor, "points D 2"]:
        """A frame at the first point, carried by parallel transport from each point to the next."""

    @abstractmethod
    def spread(self, count: int) -> Tensor:
        """Points that lie far from each other and from the edge."""

    @cached_property
    def two_sided(self) -> bool:
        """Whether both sides can be seen: the surface has an edge, or is one-sided."""
        return bool((self.mesh.edge_face_count != 2).any()) or _one_sided(self.mesh)

    @cached_property
    def size(self) -> float:
        """Half of the largest extent in space."""
        return float(np.ptp(self.mesh.vertices, axis=0).max() / 2)

    @cached_property
    def _tree(self) -> Any:
        from scipy.spatial import cKDTree

        return cKDTree(self.mesh.vertices)

    def normals_near(self, positions: Float[ndarray, "n 3"]) -> Float[ndarray, "n 3"]:
        """Normals of the drawn mesh at its nearest vertices."""
        return self.mesh.vertex_normals[self._tree.query(positions)[1]]


def drawable(surface: Any, *, place: Place | None = None, domain: Domain | None = None) -> Drawable:
    """The surface of a manifold, a mesh, an icosphere or a cross field.

    Raises:
        ValueError: something else, or a manifold that is no surface.
    """
    if isinstance(surface, CrossField):
        surface = surface.mesh
    if isinstance(surface, Icosphere):
        surface = TriangleMesh(surface.pos, surface.face.T)
    if isinstance(surface, TriangleMesh):
        if place is not None or domain is not None:
            raise ValueError("A mesh lies where its vertices are: `place` and `domain` are for manifolds.")
        return MeshSurface(surface)
    if isinstance(surface, Manifold):
        return ManifoldSurface(surface, sheet_of(surface, place=place, domain=domain))
    raise ValueError(
        f"Expected a surface to draw: a Manifold of dimension 2, a TriangleMesh or an Icosphere, got "
        f"{type(surface).__name__}."
    )


# --- manifolds --------------------------------------------------------------------------------------------------------


class ManifoldSurface(Drawable):
    """A manifold of dimension two on its sheet; points are rows of its coordinates."""

    def __init__(self, manifold: Manifold, sheet: Sheet) -> None:
        self.manifold, self.sheet = manifold, sheet
        self.mesh = _outward(*_merged(sheet.place(sheet.points).detach().numpy(), sheet.faces))
        self.camera = sheet.camera

    def checked(self, points: Any) -> Tensor:
        points = torch.as_tensor(points, dtype=torch.float64)
        points = points[None] if points.dim() == 1 else points
        if points.dim() != 2 or points.shape[1] != self.manifold.ambient_dim or not points.isfinite().all():
            raise ValueError(
                f"Expected finite points of {self.manifold!r}, of shape (N, {self.manifold.ambient_dim}), got shape "
                f"{tuple(points.shape)}."
            )
        return points

    def frames_at(self, points: Tensor, frames: Frames) -> Tensor:
        if frames is None:
            return _oriented(self.manifold, points, self.manifold.frame_at(points))
        if isinstance(frames, GStructure):
            return frames.frames_at(self.manifold, points)
        return _checked_frames(frames(points) if callable(frames) else frames, (*points.shape, 2))

    def place(self, points: Tensor) -> ndarray:
        return self.sheet.place(points).detach().numpy()

    def exp(self, points: Tensor, frames: Tensor, v: Sequence[ndarray]) -> list[tuple[ndarray, ndarray]]:
        if not has(self.manifold, "exp"):
            return _by_charts(self._chart, points, frames, v)
        counts = [len(x) for x in v]
        index = torch.repeat_interleave(torch.arange(len(points)), torch.tensor(counts))
        vectors = frames[index] @ torch.from_numpy(np.concatenate(v)).unsqueeze(-1)
        with torch.no_grad():
            ends = self.manifold.exp(points[index], vectors.squeeze(-1))
            level = torch.ones(len(ends)) if self.sheet.level is None else self.sheet.level(ends)
        cuts = np.cumsum(counts)[:-1]
        return list(zip(np.split(self.place(ends), cuts), np.split(level.double().numpy(), cuts)))

    def patches(self, points: Tensor, frames: Tensor, radius: float) -> list[Patch]:
        if not has(self.manifold, "exp"):
            return [self._chart(p, frame, radius).patch(radius) for p, frame in zip(points, frames)]
        grid = polar_grid()
        flat = radius * grid.points
        found = self.exp(points, frames, [flat] * len(points))
        return [Patch(*_permuted(clipped(grid.faces, level, positions, flat))) for positions, level in found]

    def _chart(self, point: Tensor, frame: Tensor, radius: float) -> LogChart:
        """Without `exp`: the logarithms of all vertices of the sheet, linear in between."""
        points = self.sheet.points
        logs = self._coordinates(point.expand_as(points), frame, self.manifold.log(point.expand_as(points), points))
        positions = self.sheet.place(points).detach().numpy()
        return LogChart(positions, self.sheet.faces, logs, radius)

    def _coordinates(self, point: Tensor, frame: Tensor, vectors: Tensor) -> ndarray:
        """Vectors at a point in a frame, by the metric."""
        columns = [e.expand_as(vectors) for e in frame.unbind(-1)]
        flat = torch.stack([self.manifold.inner(point, vectors, e) for e in columns], -1)
        gram = torch.stack([self.manifold.inner(point, a, b)[0] for a in columns for b in columns]).reshape(2, 2)
        return torch.linalg.solve(gram, flat.T).T.detach().numpy()

    def log(self, point: Tensor, frame: Tensor, other: Tensor) -> ndarray:
        return self._coordinates(point[None], frame, self.manifold.log(point[None], other[None]))[0]

    def transported(self, points: Tensor, frame: Tensor) -> Tensor:
        moved = [frame]
        for p, q in itertools.pairwise(points):
            columns = [self.manifold.transport(q[None], p[None], e[None])[0] for e in moved[-1].unbind(-1)]
            moved.append(torch.stack(columns, -1))
        return torch.stack(moved)

    def spread(self, count: int) -> Tensor:
        positions = self.place(self.sheet.points)
        chosen = _farthest(positions, count, _inner(self.mesh, positions, count))
        return self.sheet.points[torch.from_numpy(chosen)]


def _oriented(manifold: Manifold, points: Tensor, frames: Tensor) -> Tensor:
    """Frames turned over where the manifold says that they are reflected."""
    sign = manifold.orientation(points, frames)
    if sign is None:
        return frames
    return torch.stack([frames[..., 0], frames[..., 1] * sign.sign()[:, None]], -1)


# --- meshes -----------------------------------------------------------------------------------------------------------


class MeshSurface(Drawable):
    """A triangle mesh; points are numbers of vertices, frames two orthonormal vectors in space."""

    def __init__(self, mesh: TriangleMesh) -> None:
        self.mesh = mesh
        self.camera = Camera("auto", "auto", 25.0, 15.0)

    @cached_property
    def _surface(self) -> Any:
        from gaugenet.geometry.mesh_graph import framed_surface
        from gaugenet.groups import O2

        return framed_surface(self.mesh, O2(), "first_edge", None)

    def checked(self, points: Any) -> Tensor:
        points = torch.atleast_1d(torch.as_tensor(points))
        if points.dim() != 1 or points.is_floating_point() or points.dtype == torch.bool:
            raise ValueError(
                f"Expected points of a mesh as numbers of vertices, integers (N,), got {points.dtype} of shape "
                f"{tuple(points.shape)}."
            )
        outside = (points < 0) | (points >= self.mesh.num_vertices)
        if outside.any():
            raise ValueError(
                f"Expected numbers of vertices from 0 to {self.mesh.num_vertices - 1}, got {int(points[outside][0])}."
            )
        return points.long()

    def frames_at(self, points: Tensor, frames: Frames) -> Tensor:
        """Also names of frames (see `frame_field`), cross fields, and arrays over all vertices."""
        from gaugenet.geometry.frame_field import frame_field

        if isinstance(frames, CrossField):
            frames = frames.frames
        if callable(frames):
            frames = frames(points)
        if frames is None or isinstance(frames, str):
            name = frames or "first_edge"
            everywhere = frame_field(self.mesh, self._surface.surface, name, seed=0, reflections=True)
            return torch.from_numpy(everywhere)[points]
        if len(frames) == self.mesh.num_vertices != len(points):
            frames = torch.as_tensor(frames)[points]
        return _checked_frames(frames, (len(points), 3, 2))

    def place(self, points: Tensor) -> ndarray:
        return self.mesh.vertices[points.numpy()]

    def _logs(self, point: Tensor, frame: Tensor, radius: float) -> tuple[ndarray, ndarray, ndarray]:
        """Vertices around a point, their logarithms, and transporters from their reference frames to `frame`."""
        from gaugenet.geometry.frame_field import relative_to
        from gaugenet.geometry.log_map import local_log_maps
        from gaugenet.geometry.transport import PlanarFrames, log_and_transport

        framed, at = self._surface, int(point)
        maps = local_log_maps(framed.surface, radius, targets=np.array([at]), num_threads=1)
        own = relative_to(frame.numpy()[None], framed.frame[at : at + 1])
        angle, sign = framed.planar.angle.copy(), framed.planar.sign.copy()
        angle[at], sign[at] = own.angle[0], own.sign[0]
        logs, transporters = log_and_transport(maps, PlanarFrames(angle, sign), np.dtype(np.float64))
        return maps.source, logs, transporters

    def _chart(self, point: Tensor, frame: Tensor, radius: float) -> LogChart:
        coordinates = np.full((self.mesh.num_vertices, 2), np.nan)
        source, logs, _ = self._logs(point, frame, radius + 1.5 * float(self.mesh.edge_lengths.max()))
        coordinates[source] = logs
        coordinates[int(point)] = 0.0
        return LogChart(self.mesh.vertices, self.mesh.faces, coordinates, radius)

    def exp(self, points: Tensor, frames: Tensor, v: Sequence[ndarray]) -> list[tuple[ndarray, ndarray]]:
        return _by_charts(self._chart, points, frames, v)

    def patches(self, points: Tensor, frames: Tensor, radius: float) -> list[Patch]:
        return [self._chart(p, frame, radius).patch(radius) for p, frame in zip(points, frames)]

    def log(self, point: Tensor, frame: Tensor, other: Tensor) -> ndarray:
        far = float(np.linalg.norm(np.diff(self.place(torch.stack([point, other])), axis=0)))
        for radius in far * np.array([1.1, 1.6, 3.0, 6.0]):
            source, logs, _ = self._logs(point, frame, float(radius))
            if (found := np.flatnonzero(source == int(other))).size:
                return logs[found[0]]
        raise ValueError(f"No geodesic was found from vertex {int(point)} to vertex {int(other)}.")

    def transported(self, points: Tensor, frame: Tensor) -> Tensor:
        moved = [frame]
        for p, q in itertools.pairwise(points):
            reference = torch.from_numpy(self._surface.frame[int(q)])
            far = 1.5 * float(np.linalg.norm(self.log(q, reference, p))) + 1e-12
            source, _, _ = self._logs(q, reference, far)
            k = int(np.flatnonzero(source == int(p))[0])
            carry = torch.from_numpy(self._logs(q, reference, far)[2][k])
            at_p = torch.from_numpy(self._surface.frame[int(p)])
            moved.append(reference @ carry @ (at_p.T @ moved[-1]))
        return torch.stack(moved)

    def spread(self, count: int) -> Tensor:
        positions = self.mesh.vertices
        used = np.flatnonzero(self.mesh.vertex_areas > 0)
        chosen = _farthest(positions[used], count, _inner(self.mesh, positions[used], count))
        return torch.from_numpy(used[chosen])


@dataclass(frozen=True)
class LogChart:
    """The neighbourhood of a point in log coordinates that are linear on triangles.

    Attributes:
        vertices: `(V, 3)`, in space.
        faces: `(F, 3)`.
        coordinates: `(V, 2)`, logarithms; NaN far away.
        radius: how far they are asked for.
    """

    vertices: Float[ndarray, "vertices 3"]
    faces: Int[ndarray, "faces 3"]
    coordinates: Float[ndarray, "vertices 2"]
    radius: float

    @cached_property
    def near(self) -> Int[ndarray, "near 3"]:
        """Triangles whose logarithms are all known, and no further from each other than geodesics allow."""
        corners = self.coordinates[self.faces]
        with np.errstate(invalid="ignore"):
            apart = np.linalg.norm(corners - np.roll(corners, 1, 1), axis=-1)
            close = np.linalg.norm(corners, axis=-1).min(1) <= self.radius
        edges = self.vertices[self.faces]
        length = np.linalg.norm(edges - np.roll(edges, 1, 1), axis=-1)
        return self.faces[close & np.isfinite(apart).all(1) & (apart <= 3 * length + 1e-12).all(1)]

    def exp(self, v: Float[ndarray, "n 2"]) -> tuple[Float[ndarray, "n 3"], Float[ndarray, "n"]]:
        """The triangle in which each v lies, and the point of it; level -1 where there is none."""
        a, b, c = self.coordinates[self.near].swapaxes(0, 1)
        area = _cross(b - a, c - a)
        with np.errstate(divide="ignore", invalid="ignore"):
            s = _cross(v[:, None] - a, c - a) / area
            t = _cross(b - a, v[:, None] - a) / area
        weights = np.stack([1 - s - t, s, t], -1)
        inside = np.nan_to_num(weights.min(-1), nan=-np.inf)
        best = inside.argmax(1) if len(self.near) else np.zeros(len(v), dtype=np.int64)
        if not len(self.near):
            return np.zeros((len(v), 3)), -np.ones(len(v))
        rows = np.arange(len(v))
        chosen = np.nan_to_num(weights[rows, best])
        positions = np.einsum("nk,nkd->nd", chosen, self.vertices[self.near[best]])
        return positions, np.where(inside[rows, best] > -1e-9, 1.0, -1.0)

    def patch(self, radius: float) -> Patch:
        """The triangles about the point, made fine and cut off at the radius."""
        used, faces = np.unique(self.near, return_inverse=True)
        faces = faces.reshape(-1, 3)
        positions, coordinates = self.vertices[used], self.coordinates[used]
        while len(faces) and len(faces) < 3000:
            faces, positions, coordinates = split(faces, positions, coordinates)
        level = radius - np.linalg.norm(coordinates, axis=1)
        faces, positions, coordinates = clipped(faces, level, positions, coordinates)
        return Patch(positions, faces, coordinates)


def _by_charts(
    chart: Callable[[Tensor, Tensor, float], LogChart], points: Tensor, frames: Tensor, v: Sequence[ndarray]
) -> list[tuple[ndarray, ndarray]]:
    """`Drawable.exp` from a chart of every point; the same point and frame in a row share theirs."""
    found = []
    reach = max((float(np.linalg.norm(x, axis=1).max(initial=0.0)) for x in v), default=0.0)
    for k, (p, frame, x) in enumerate(zip(points, frames, v)):
        if not k or not (torch.equal(p, points[k - 1]) and torch.equal(frame, frames[k - 1])):
            here = chart(p, frame, reach)
        found.append(here.exp(x))
    return found


# --- helpers ----------------------------------------------------------------------------------------------------------


def _permuted(parts: tuple[ndarray, ...]) -> tuple[ndarray, ndarray, ndarray]:
    faces, positions, coordinates = parts
    return positions, faces, coordinates


def _cross(a: ndarray, b: ndarray) -> ndarray:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def _checked_frames(frames: Any, shape: tuple[int, ...]) -> Tensor:
    frames = torch.as_tensor(frames, dtype=torch.float64)
    if tuple(frames.shape) == shape[1:]:
        frames = frames.expand(shape)
    if tuple(frames.shape) != shape or not frames.isfinite().all():
        raise ValueError(
            f"Expected finite `frames` of shape {shape}, columns tangent, got shape {tuple(frames.shape)}."
        )
    return frames


def _merged(positions: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"]) -> tuple[ndarray, ndarray]:
    """Vertices that lie on each other become one, unless that makes the surface one-sided: then a seam stays."""
    size = float(np.ptp(positions, axis=0).max())
    _, first, index = np.unique(np.round(positions / size * 1e6), axis=0, return_index=True, return_inverse=True)
    joined = index.reshape(-1)[faces]
    joined = joined[(joined != np.roll(joined, 1, 1)).all(1)]
    return (positions, faces) if _one_sided(TriangleMesh(positions[first], joined)) else (positions[first], joined)


def _one_sided(mesh: TriangleMesh) -> bool:
    """Whether some edge is passed in the same direction by both of its triangles."""
    forward = np.where(mesh.halfedges[:, 0] < mesh.halfedges[:, 1], 1, -1)
    balance = np.bincount(mesh.halfedge_to_edge, weights=forward)
    return bool((np.abs(balance) == 2).any())


def _outward(vertices: ndarray, faces: ndarray) -> TriangleMesh:
    """With faces counter-clockwise seen from outside, or from above."""
    mesh = TriangleMesh(vertices, faces)
    a, b, c = (vertices - vertices.mean(0))[faces].swapaxes(0, 1)
    volume = float((a * np.cross(b, c)).sum())
    if abs(volume) < 1e-9 * mesh.area**1.5:
        volume = float((mesh.face_normals * mesh.face_areas[:, None]).sum(0)[2])
    return mesh if volume >= 0 else TriangleMesh(vertices, faces[:, ::-1])


def _inner(mesh: TriangleMesh, positions: ndarray, count: int) -> ndarray:
    """Which positions keep away from the edge of a surface, by half of what `count` even points are apart."""
    from scipy.spatial import cKDTree

    edge = mesh.vertices[mesh.boundary_vertices]
    if not len(edge):
        return np.ones(len(positions), dtype=bool)
    apart = math.sqrt(mesh.area / max(count, 1))
    distance = cKDTree(edge).query(positions)[0]
    for share in (0.5, 0.3, 0.0):
        kept = distance >= share * apart
        if kept.sum() >= count:
            return kept
    return np.ones(len(positions), dtype=bool)


def _farthest(positions: ndarray, count: int, allowed: ndarray) -> Int[ndarray, "count"]:
    """Rows chosen one after the other, each as far as may be from those before."""
    rows = np.flatnonzero(allowed)
    at = positions[rows]
    chosen = [int(np.linalg.norm(at - at.mean(0), axis=1).argmax())]
    distance = np.linalg.norm(at - at[chosen[0]], axis=1)
    while len(chosen) < min(count, len(rows)):
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, np.linalg.norm(at - at[chosen[-1]], axis=1))
    return rows[chosen]

"""MeshSurface: a triangle mesh on which pictures are drawn."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor

from gaugenet._typing import typed_array, typed_tensor
from gaugenet.geometry import CrossField, TriangleMesh
from gaugenet.viz.render.triangles import band_in_space, refined
from gaugenet.viz.surfaces.log_chart import LogChart, by_charts
from gaugenet.viz.surfaces.sampling import spread_out
from gaugenet.viz.surfaces.sheets import Camera
from gaugenet.viz.surfaces.surface import Drawable, FramesLike, Patch, checked_frames, one_sided


class MeshSurface(Drawable):
    """A triangle mesh; points are vertex indices, frames are two orthonormal vectors in space."""

    in_true_size = True

    def __init__(self, mesh: TriangleMesh) -> None:
        self.mesh = mesh
        self.camera = Camera("auto", "auto", 25.0, 15.0)

    @cached_property
    def _surface(self) -> Any:
        from gaugenet.geometry.mesh.graph import framed_surface
        from gaugenet.groups import O2

        return framed_surface(self.mesh, O2(), "first_edge", None)

    def checked(self, points: Any) -> Tensor:
        points = torch.atleast_1d(torch.as_tensor(points))
        if points.dim() != 1 or points.is_floating_point() or points.dtype == torch.bool:
            raise ValueError(
                f"Expected points of a mesh as vertex indices, integers (N,), got {points.dtype} of shape "
                f"{tuple(points.shape)}."
            )
        outside = (points < 0) | (points >= self.mesh.num_vertices)
        if outside.any():
            raise ValueError(
                f"Expected vertex indices from 0 to {self.mesh.num_vertices - 1}, got {int(points[outside][0])}."
            )
        lonely = ~np.isin(points.numpy(), self.mesh.faces)
        if lonely.any():
            raise ValueError(
                f"Expected vertices of triangles; vertex {int(points[int(lonely.argmax())])} belongs to no triangle."
            )
        return typed_tensor(points.long())

    def frames_at(self, points: Tensor, frames: FramesLike) -> Tensor:
        """Return frames at points; also from names (see `frame_field`), cross fields and arrays over all vertices."""
        from gaugenet.geometry.mesh.frame_field import frame_field

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
        return checked_frames(frames, (len(points), 3, 2))

    def immersion(self, points: Tensor) -> ndarray:
        return typed_array(self.mesh.vertices[points.numpy()])

    def _logs(self, point: Tensor, frame: Tensor, radius: float) -> tuple[ndarray, ndarray, ndarray]:
        """Return the vertices around a point, their logarithms, and transporters from their frames to `frame`."""
        from gaugenet.geometry.mesh.frame_field import relative_to
        from gaugenet.geometry.mesh.log_map import local_log_maps
        from gaugenet.geometry.mesh.transport import PlanarFrames, log_vectors, transporters

        framed, at = self._surface, int(point)
        maps = local_log_maps(framed.surface, radius, targets=np.array([at]), num_threads=1)
        own = relative_to(frame.numpy()[None], framed.frame[at : at + 1])
        angle, sign = framed.planar.angle.copy(), framed.planar.sign.copy()
        angle[at], sign[at] = own.angle[0], own.sign[0]
        planar, kind = PlanarFrames(angle, sign), np.dtype(np.float64)
        return maps.source, log_vectors(maps, planar, kind), transporters(maps, planar, kind)

    def _chart(self, point: Tensor, frame: Tensor, radius: float) -> LogChart:
        coordinates = np.full((self.mesh.num_vertices, 2), np.nan)
        source, logs, _ = self._logs(point, frame, radius + 1.5 * float(self.mesh.edge_lengths.max()))
        coordinates[source] = logs
        coordinates[int(point)] = 0.0
        return LogChart(self.mesh.vertices, self.mesh.faces, coordinates, radius)

    def exp(self, points: Tensor, frames: Tensor, v: Sequence[ndarray]) -> list[tuple[ndarray, ndarray]]:
        return by_charts(self._chart, points, frames, v)

    def patches(self, points: Tensor, frames: Tensor, radius: float) -> list[Patch]:
        return [self._chart(p, frame, radius).patch(radius) for p, frame in zip(points, frames)]

    def log(self, point: Tensor, frame: Tensor, other: Tensor) -> ndarray:
        return self._geodesic(point, frame, other)[0]

    def _geodesic(self, point: Tensor, frame: Tensor, other: Tensor) -> tuple[ndarray, ndarray]:
        """Return the logarithm of another vertex, and the transporter from its reference frame."""
        if int(point) == int(other):
            return np.zeros(2), frame.numpy().T @ self._surface.frame[int(other)]
        far = float(np.linalg.norm(np.diff(self.immersion(torch.stack([point, other])), axis=0)))
        for radius in far * np.array([1.1, 1.6, 3.0, 6.0, 15.0]):
            source, logs, transporters = self._logs(point, frame, float(radius))
            if (found := np.flatnonzero(source == int(other))).size:
                return logs[found[0]], transporters[found[0]]
        raise ValueError(f"No geodesic was found from vertex {int(point)} to vertex {int(other)}.")

    def transported(self, points: Tensor, frame: Tensor) -> Tensor:
        moved = [frame]
        for p, q in itertools.pairwise(points):
            at_p, at_q = (torch.from_numpy(self._surface.frame[int(k)]) for k in (p, q))
            transporter = torch.from_numpy(self._geodesic(q, at_q, p)[1])
            moved.append(at_q @ transporter @ (at_p.T @ moved[-1]))
        return torch.stack(moved)

    def bands(self, points: Tensor, half_width: float) -> list[tuple[ndarray, ndarray, ndarray]]:
        """Follow geodesics from triangle to triangle: logarithmic coordinates do not reach as far."""
        from potpourri3d import EdgeFlipGeodesicSolver

        if one_sided(self.mesh):  # the solver needs orientable surfaces
            return super().bands(points, half_width)
        solver = EdgeFlipGeodesicSolver(self.mesh.vertices, self.mesh.faces)
        found = []
        pieces = self.mesh.vertex_components
        for p, q in itertools.pairwise(points.tolist()):
            if pieces[p] != pieces[q]:
                raise ValueError(f"No geodesic goes from vertex {p} to vertex {q}: they lie on different components.")
            if p == q:
                continue
            line = refined(solver.find_geodesic_path(p, q), 4 * half_width)
            found.append(band_in_space(line, self.normals_near(line), half_width))
        return found

    def spread(self, count: int) -> Tensor:
        positions = self.mesh.vertices
        used = np.flatnonzero(self.mesh.vertex_areas > 0)
        chosen = spread_out(self.mesh, positions[used], count)
        return torch.from_numpy(used[chosen])

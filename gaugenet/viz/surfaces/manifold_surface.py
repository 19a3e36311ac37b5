"""ManifoldSurface: a manifold of dimension two on which pictures are drawn."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from gaugenet._typing import typed_array, typed_tensor
from gaugenet.geometry import GStructure, Manifold, TriangleMesh
from gaugenet.geometry.manifolds.manifold import has
from gaugenet.viz.render.triangles import clipped, polar_grid
from gaugenet.viz.surfaces.log_chart import LogChart, by_charts
from gaugenet.viz.surfaces.sampling import spread_out
from gaugenet.viz.surfaces.sheets import Sheet
from gaugenet.viz.surfaces.surface import Drawable, FramesLike, Patch, checked_frames, one_sided


class ManifoldSurface(Drawable):
    """A manifold of dimension two on its sheet; points are rows of its coordinates."""

    def __init__(self, manifold: Manifold, sheet: Sheet) -> None:
        self.manifold, self.sheet = manifold, sheet
        self.mesh = _outward(*_merged(sheet.immersion(sheet.points).detach().numpy(), sheet.faces))
        self.camera = sheet.camera

    def checked(self, points: Any) -> Tensor:
        points = torch.as_tensor(points, dtype=torch.float64)
        points = points[None] if points.dim() == 1 else points
        if points.dim() != 2 or points.shape[1] != self.manifold.ambient_dim or not points.isfinite().all():
            raise ValueError(
                f"Expected finite points of {self.manifold!r}, of shape (N, {self.manifold.ambient_dim}), got shape "
                f"{tuple(points.shape)}."
            )
        return typed_tensor(points)

    def frames_at(self, points: Tensor, frames: FramesLike) -> Tensor:
        if frames is None:
            return _oriented(self.manifold, points, self.manifold.frame_at(points))
        if isinstance(frames, GStructure):
            return frames.frames_at(self.manifold, points)
        return checked_frames(frames(points) if callable(frames) else frames, (*points.shape, 2))

    def immersion(self, points: Tensor) -> ndarray:
        return self.sheet.immersion(points).detach().numpy()

    def exp(self, points: Tensor, frames: Tensor, v: Sequence[ndarray]) -> list[tuple[ndarray, ndarray]]:
        if not has(self.manifold, "exp"):
            return by_charts(self._chart, points, frames, v)
        counts = [len(x) for x in v]
        index = torch.repeat_interleave(torch.arange(len(points)), torch.tensor(counts))
        vectors = frames[index] @ torch.from_numpy(np.concatenate(v)).unsqueeze(-1)
        with torch.no_grad():
            ends = self.manifold.exp(points[index], vectors.squeeze(-1))
            level = torch.ones(len(ends)) if self.sheet.level is None else self.sheet.level(ends)
        cuts = np.cumsum(counts)[:-1]
        return list(zip(np.split(self.immersion(ends), cuts), np.split(level.double().numpy(), cuts)))

    def patches(self, points: Tensor, frames: Tensor, radius: float) -> list[Patch]:
        if not has(self.manifold, "exp"):
            return [self._chart(p, frame, radius).patch(radius) for p, frame in zip(points, frames)]
        grid = polar_grid()
        flat = radius * grid.points
        patches = []
        for positions, level in self.exp(points, frames, [flat] * len(points)):
            faces, vertices, coordinates = clipped(grid.faces, level, positions, flat)
            patches.append(Patch(vertices, faces, coordinates))
        return patches

    def _chart(self, point: Tensor, frame: Tensor, radius: float) -> LogChart:
        """Return the chart of all vertices of the sheet by their logarithms; for manifolds without `exp`."""
        points = self.sheet.points
        logs = self._coordinates(point.expand_as(points), frame, self.manifold.log(point.expand_as(points), points))
        positions = self.sheet.immersion(points).detach().numpy()
        return LogChart(positions, self.sheet.faces, logs, radius)

    def _coordinates(self, point: Tensor, frame: Tensor, vectors: Tensor) -> ndarray:
        """Return the coefficients of vectors in a frame at a point, computed with the metric."""
        columns = [e.expand_as(vectors) for e in frame.unbind(-1)]
        flat = torch.stack([self.manifold.inner(point, vectors, e) for e in columns], -1)
        gram = torch.stack([self.manifold.inner(point, a, b)[0] for a in columns for b in columns]).reshape(2, 2)
        return typed_array(torch.linalg.solve(gram, flat.T).T.detach().numpy())

    def log(self, point: Tensor, frame: Tensor, other: Tensor) -> ndarray:
        return typed_array(self._coordinates(point[None], frame, self.manifold.log(point[None], other[None]))[0])

    def transported(self, points: Tensor, frame: Tensor) -> Tensor:
        moved = [frame]
        for p, q in itertools.pairwise(points):
            columns = [self.manifold.transport(q[None], p[None], e[None])[0] for e in moved[-1].unbind(-1)]
            moved.append(torch.stack(columns, -1))
        return torch.stack(moved)

    def spread(self, count: int) -> Tensor:
        positions = self.immersion(self.sheet.points)
        chosen = spread_out(self.mesh, positions, count)
        return self.sheet.points[torch.from_numpy(chosen)]


def _oriented(manifold: Manifold, points: Tensor, frames: Tensor) -> Tensor:
    """Flip the frames that are reflected, by the orientation of the manifold."""
    sign = manifold.orientation(points, frames)
    if sign is None:
        return frames
    return torch.stack([frames[..., 0], frames[..., 1] * sign.sign()[:, None]], -1)


def _merged(positions: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"]) -> tuple[ndarray, ndarray]:
    """Merge vertices that coincide, unless that makes the surface one-sided: then a seam stays."""
    size = float(np.ptp(positions, axis=0).max())
    _, first, index = np.unique(np.round(positions / size * 1e6), axis=0, return_index=True, return_inverse=True)
    joined = index.reshape(-1)[faces]
    joined = joined[(joined != np.roll(joined, 1, 1)).all(1)]
    return (positions, faces) if one_sided(TriangleMesh(positions[first], joined)) else (positions[first], joined)


def _outward(vertices: ndarray, faces: ndarray) -> TriangleMesh:
    """Orient the faces counter-clockwise seen from outside, or from above."""
    mesh = TriangleMesh(vertices, faces)
    a, b, c = (vertices - vertices.mean(0))[faces].swapaxes(0, 1)
    volume = float((a * np.cross(b, c)).sum())
    if abs(volume) < 1e-9 * mesh.area**1.5:
        volume = float((mesh.face_normals * mesh.face_areas[:, None]).sum(0)[2])
    return mesh if volume >= 0 else TriangleMesh(vertices, faces[:, ::-1])

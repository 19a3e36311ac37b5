"""LogChart: the neighbourhood of a point of a triangle mesh in logarithmic coordinates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from gaugenet._typing import typed_array
from gaugenet.viz.render.triangles import clipped, split
from gaugenet.viz.surfaces.surface import Patch


@dataclass(frozen=True)
class LogChart:
    """The neighbourhood of a point in logarithmic coordinates that are linear on triangles.

    Attributes:
        vertices: `(V, 3)`, in space.
        faces: `(F, 3)`.
        coordinates: `(V, 2)`, logarithms; NaN outside the neighbourhood.
        radius: of the neighbourhood.
    """

    vertices: Float[ndarray, "vertices 3"]
    faces: Int[ndarray, "faces 3"]
    coordinates: Float[ndarray, "vertices 2"]
    radius: float

    @cached_property
    def near(self) -> Int[ndarray, "near 3"]:
        """Triangles whose logarithms are all known, and not further from each other than their edges allow."""
        corners = self.coordinates[self.faces]
        with np.errstate(invalid="ignore"):
            apart = np.linalg.norm(corners - np.roll(corners, 1, 1), axis=-1)
            close = np.linalg.norm(corners, axis=-1).min(1) <= self.radius
        edges = self.vertices[self.faces]
        length = np.linalg.norm(edges - np.roll(edges, 1, 1), axis=-1)
        return typed_array(self.faces[close & np.isfinite(apart).all(1) & (apart <= 3 * length + 1e-12).all(1)])

    def exp(self, v: Float[ndarray, "n 2"]) -> tuple[Float[ndarray, "n 3"], Float[ndarray, "n"]]:
        """Return the point in space at each v, and its level: -1 where no triangle contains v."""
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
        """Return the triangles about the point, refined and cut off at the radius."""
        used, faces = np.unique(self.near, return_inverse=True)
        faces = faces.reshape(-1, 3)
        positions, coordinates = self.vertices[used], self.coordinates[used]
        while len(faces) and len(faces) < 3000:
            faces, positions, coordinates = split(faces, positions, coordinates)
        level = radius - np.linalg.norm(coordinates, axis=1)
        faces, positions, coordinates = clipped(faces, level, positions, coordinates)
        return Patch(positions, faces, coordinates)


def by_charts(
    chart: Callable[[Tensor, Tensor, float], LogChart], points: Tensor, frames: Tensor, v: Sequence[ndarray]
) -> list[tuple[ndarray, ndarray]]:
    """Compute `Drawable.exp` with a chart at every point; successive equal points and frames share a chart."""
    found = []
    furthest = max((float(np.linalg.norm(x, axis=1).max(initial=0.0)) for x in v), default=0.0)
    for k, (p, frame, x) in enumerate(zip(points, frames, v)):
        if not k or not (torch.equal(p, points[k - 1]) and torch.equal(frame, frames[k - 1])):
            here = chart(p, frame, furthest)
        found.append(here.exp(x))
    return found


def _cross(a: ndarray, b: ndarray) -> ndarray:
    return typed_array(a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0])

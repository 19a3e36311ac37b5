"""Pictures of rows of spheres, the icosahedron, meshes, the Möbius strip and the hyperbolic plane."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gaugenet.geometry import Icosphere
from gaugenet.taxonomy.curved import H2, SPHERE, STRIP, ball, uneven_ball
from gaugenet.taxonomy.entry import Row
from gaugenet.taxonomy.pictures.drawing import apart, at_latitude, collected, frames_of, layer_of, ring
from gaugenet.viz import SurfacePicture
from gaugenet.viz.render.picture import Picture
from gaugenet.viz.surfaces.sampling import farthest_point_sampling
from gaugenet.viz.surfaces.sheets import Camera


def surface(
    make: Callable[[], Any], radius: float, *, kernels: int = 14, frames: int = 60, gap: float = 1.35, seed: int = 0
) -> Callable[[Row], Picture]:
    """Return a function that draws a row of a manifold of dimension two, at points far from each other."""

    def draw(row: Row) -> Picture:
        picture = SurfacePicture(make())
        centres = picture.spread(kernels)
        others = apart(picture, centres, picture.spread(frames), gap * radius)
        return collected(picture, layer_of(row, seed), centres, others, lambda p: frames_of(row, p), radius, seed=seed)

    return draw


def strip(row: Row) -> Picture:
    """Draw kernels along the middle of the strip, and frames at its edges."""
    picture = SurfacePicture(STRIP)
    centres = torch.stack([torch.linspace(0.2, 3.8, 9), torch.zeros(9)], -1).double()
    others = torch.tensor([[x, y] for x in torch.linspace(0.05, 3.95, 14) for y in (-0.36, 0.36)], dtype=torch.float64)
    return collected(picture, layer_of(row, 2), centres, others, lambda p: frames_of(row, p), 0.19, length=0.09, seed=1)


def hyperbolic(row: Row) -> Picture:
    """Draw kernels and frames on rings about the centre of the hyperbolic plane."""
    origin = torch.tensor([[0.0, 1.0]], dtype=torch.float64)
    outer = [H2.from_ball(ring(math.tanh(r / 2), n, s)) for r, n, s in ((1.5, 7, 0.0), (2.75, 14, 0.5))]
    between = [H2.from_ball(ring(math.tanh(r / 2), n, s)) for r, n, s in ((0.8, 7, 0.5), (2.1, 14, 0.0))]
    picture = SurfacePicture(H2)
    return collected(
        picture, layer_of(row, 1), torch.cat([origin, *outer]), torch.cat(between), lambda p: frames_of(row, p), 0.38,
        length=0.21, seed=1,
    )  # fmt: skip


def horocyclic(row: Row) -> Picture:
    """Draw the half-plane, where frames and kernels grow with the height."""
    picture = SurfacePicture(H2, immersion=lambda p: p, domain=((-1.75, 1.75), (0.12, 2.62)))
    rows = [(1.9 / 2**k, 1.75 / 2**k, 0.5 * (k % 2)) for k in range(4)]
    centres = [[(k + s) * step, y] for y, step, s in rows for k in range(-8, 9) if abs((k + s) * step) < 1.75 - 0.3 * y]
    others = [[(k + s + 0.5) * step, y] for y, step, s in rows for k in range(-8, 8)]
    others = [p for p in others if abs(p[0] + 0.1 * p[1]) < 1.75 - 0.14 * p[1]]
    at, beside = (torch.tensor(p, dtype=torch.float64) for p in (centres, others))
    return collected(picture, layer_of(row, 1), at, beside, lambda p: frames_of(row, p), 0.27, length=0.16)


def polar_sphere(row: Row) -> Picture:
    """Draw kernels and frames on circles of latitude, away from the poles."""
    rows = [(50, 6, 0.0), (0, 9, 0.5), (-50, 6, 0.0)]
    between = [(74, 5, 0.5), (27, 9, 0.0), (-27, 9, 0.0), (-74, 5, 0.5)]
    centres, others = (
        torch.cat([at_latitude(lat, ring(1.0, n, s)) for lat, n, s in circles]) for circles in (rows, between)
    )
    return collected(SurfacePicture(SPHERE), layer_of(row, 1), centres, others, lambda p: frames_of(row, p), 0.29)


def icosahedron(row: Row) -> Picture:
    """Draw kernels and frames at vertices of the icosphere, without its twelve corners."""
    points, picture = Icosphere(2).pos[:-2], SurfacePicture(SPHERE)
    frames = frames_of(row, points)
    regular = torch.cdist(points, Icosphere(0).pos).amin(1) > 1e-6
    points, frames = points[regular], frames[regular]
    chosen = farthest_point_sampling(points.numpy(), 14, start=0)
    away = points[torch.cdist(points, points[chosen]).amin(1) > 0.36]
    others = away[farthest_point_sampling(away.numpy(), 50, start=0)]

    def at(p: Tensor) -> Tensor:
        return frames[torch.cdist(p, points).argmin(1)]

    return collected(picture, layer_of(row, 1), points[chosen], others, at, 0.26, length=0.14)


def uneven(field: Callable[[Any], Tensor] | None) -> Callable[[Row], Picture]:
    """Return a function that draws a row of meshes, on a finer mesh of the same shape.

    Args:
        field: frames of a mesh; `None` for frames by the first edge.
    """

    def draw(row: Row) -> Picture:
        mesh = ball(uneven_ball(4), 4)
        picture = SurfacePicture(mesh)
        picture.camera = Camera("z", "x", 25.0, 22.0)
        away = np.abs(mesh.vertex_normals[:, 2]) < 0.9  # combed frames are not defined where the normal is vertical
        centres, others = (p[torch.from_numpy(away)[p]] for p in (picture.spread(16), picture.spread(70)))
        others = apart(picture, centres, others, 0.44)
        everywhere = None if field is None else field(mesh)

        def frames(p: Tensor) -> Tensor:
            return picture.surface.frames_at(p, None) if everywhere is None else everywhere[p]

        return collected(picture, layer_of(row, 1), centres, others, frames, 0.32, length=0.15)

    return draw

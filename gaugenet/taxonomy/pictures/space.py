"""Pictures of rows of dimension three: flat, punctured, hyperbolic and Minkowski space."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet.geometry import Euclidean, Icosphere, Product, Sphere
from gaugenet.groups import Lorentz, PseudoOrthogonal
from gaugenet.taxonomy.curved import H3
from gaugenet.taxonomy.entry import Row
from gaugenet.taxonomy.pictures.drawing import LINES, at_latitude, frames_of, in_random_gauges, layer_of, ring
from gaugenet.viz import SpacePicture
from gaugenet.viz.render.palette import INK
from gaugenet.viz.render.picture import Picture
from gaugenet.viz.render.triangles import Triangles

BALLS = torch.tensor([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]], dtype=torch.float64)


def space(seed: int = 0) -> Callable[[Row], Picture]:
    """Return a function that draws a row of flat space: kernels and frames at alternate corners of a cube."""

    def draw(row: Row) -> Picture:
        picture, layer = SpacePicture(Euclidean(3)), layer_of(row, seed)
        points = torch.cat([BALLS, -BALLS])
        frames = in_random_gauges(frames_of(row, 0.4 * points), layer.in_type.group, seed)
        box(picture, points)
        picture.kernel(points[:4], layer, 0.8, frames[:4])
        return picture.frames(points[4:], frames[4:], length=0.62, width=0.1)

    return draw


def box(picture: SpacePicture, corners: Tensor) -> None:
    """Draw the edges of a cube."""
    for one in corners:
        for other in corners:
            if (one - other).norm() == 2 and (one < other).any():
                picture.line(np.linspace(one, other, 2), width=0.02, color=LINES)


def shells(row: Row) -> Picture:
    """Draw kernels and frames around the origin; both grow with the distance, since radii are logarithmic."""

    def immersion(p: Tensor) -> Tensor:
        return p[:, :3] * p[:, 3:].exp()

    picture, layer = SpacePicture(Product(Sphere(2), Euclidean(1)), immersion=immersion), layer_of(row, 0)
    near, north = 0.75 * at_latitude(0, ring(1.0, 4, 0.25)), 2.0 * at_latitude(42, ring(1.0, 4, 0.5))
    points = torch.cat(
        [near, north, 2.0 * at_latitude(-42, ring(1.0, 4, 0.5)), 1.8 * at_latitude(0, ring(1.0, 4, 0.0))]
    )
    frames = in_random_gauges(frames_of(row, points), layer.in_type.group, 0)
    length = points.norm(dim=1, keepdim=True)
    positions = torch.cat([points / length, length.log()], -1)
    picture.parts.append(origin())
    picture.kernel(positions[:8], layer, 0.4, frames[:8])
    return picture.frames(positions[8:], frames[8:], length=0.36, width=0.1)


def origin() -> Any:
    """Return a small dark ball at the origin."""
    sphere = Icosphere(3)
    return Triangles.of(0.05 * sphere.pos.numpy(), sphere.face.T.numpy(), INK)


def hyperbolic_space(row: Row) -> Picture:
    """Draw kernels and frames in the ball model, with three great circles on the surface of the ball."""
    picture, layer = SpacePicture(H3), layer_of(row, 0)
    unit = torch.nn.functional.normalize(BALLS, dim=-1)
    at = [
        torch.zeros(1, 3, dtype=torch.float64),
        math.tanh(0.75) * unit,
        -math.tanh(0.6) * unit,
        math.tanh(1.0) * axes(),
    ]
    points = H3.from_ball(torch.cat(at))
    frames = in_random_gauges(frames_of(row, points), layer.in_type.group, 0)
    circle = np.concatenate([ring(1.0, 90).numpy(), [[1.0, 0.0]]])
    for k in range(3):
        picture.line(np.insert(circle, k, 0.0, axis=1), width=0.012, color=LINES)
    picture.kernel(points[:5], layer, 0.7, frames[:5])
    return picture.frames(points[5:], frames[5:], length=0.75, width=0.11)


def axes() -> Float[Tensor, "6 3"]:
    """Return the six unit vectors along the axes."""
    return torch.cat([torch.eye(3, dtype=torch.float64), -torch.eye(3, dtype=torch.float64)])


def boosted_space(row: Row) -> Picture:
    """Draw frames and kernels of observers that move in different directions, with time upwards."""
    picture, layer = SpacePicture(Euclidean(3)), layer_of(row, 0)
    upright = torch.tensor([[0, 1, 0], [0, 0, 1], [1, 0, 0]], dtype=torch.float64)  # (t, x, y) as (x, y, t)
    points = torch.cat([BALLS, -BALLS])
    rotations = torch.eye(3, dtype=torch.float64).repeat(8, 1, 1)
    rotations[:, 1:, 1:] = torch.stack([rotation_of(0.8 * k) for k in range(8)])
    frames = torch.stack([upright @ r @ Lorentz(3).boost(0.5) @ r.T for r in rotations])
    frames[0] = frames[4] = upright
    box(picture, points)
    picture.kernel(points[:4], layer, 0.7, frames[:4])
    return picture.frames(points[4:], frames[4:], length=0.6, width=0.1)


def boosted_pixels(row: Row) -> Picture:
    """Draw frames and kernels on pixels of space-time, with time upwards: time is the third frame axis."""
    picture, layer = SpacePicture(Euclidean(3)), layer_of(row, 0)
    points = torch.cat([BALLS, -BALLS])
    rotations = torch.eye(3, dtype=torch.float64).repeat(8, 1, 1)
    rotations[:, :2, :2] = torch.stack([rotation_of(0.8 * k) for k in range(8)])
    boost = PseudoOrthogonal(2, 1).boost(0.5, (0, 2))
    frames = torch.stack([r @ boost @ r.T for r in rotations])
    frames[0] = frames[4] = torch.eye(3, dtype=torch.float64)
    box(picture, points)
    picture.kernel(points[:4], layer, 0.7, frames[:4])
    return picture.frames(points[4:], frames[4:], length=0.6, width=0.1)


def rotation_of(angle: float) -> Float[Tensor, "2 2"]:
    """Return the rotation of the plane by an angle in radians."""
    c, s = math.cos(angle), math.sin(angle)
    return torch.tensor([[c, -s], [s, c]], dtype=torch.float64)

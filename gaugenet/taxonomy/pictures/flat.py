"""Pictures of rows of the plane, of pixels, of the Minkowski plane and of the line."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from gaugenet.geometry import Euclidean, PuncturedPlane
from gaugenet.groups import Lorentz
from gaugenet.taxonomy.entry import Row
from gaugenet.taxonomy.pictures.drawing import LINES, collected, frames_of, layer_of, ring
from gaugenet.viz import SurfacePicture
from gaugenet.viz.kernel_entry import kernel_function
from gaugenet.viz.render.palette import FIRST, INK, SECOND, THIRD
from gaugenet.viz.render.picture import Picture

_DOMAIN = ((-1.75, 1.75), (-1.25, 1.25))
_CENTRES = torch.tensor([[x, y] for y in (-0.66, 0.66) for x in (-1.16, 0.0, 1.16)], dtype=torch.float64)
_BETWEEN = torch.tensor(
    [[x, y] for x in (-0.58, 0.58) for y in (-1.0, -0.33, 0.33, 1.0)] + [[x, 0.0] for x in (-1.16, 0.0, 1.16)],
    dtype=torch.float64,
)


def plane(seed: int = 0) -> Callable[[Row], Picture]:
    """Return a function that draws a row of the plane; noncompact groups have larger and smaller frames."""

    def draw(row: Row) -> Picture:
        picture = SurfacePicture(Euclidean(2), domain=_DOMAIN)
        return collected(
            picture, layer_of(row, seed), _CENTRES, _BETWEEN, lambda p: frames_of(row, p), 0.43, length=0.21, seed=seed
        )

    return draw


def pixels(seed: int = 0) -> Callable[[Row], Picture]:
    """Return a function that draws a row of pixels: kernels over 5 x 5 pixels."""

    def draw(row: Row) -> Picture:
        picture = SurfacePicture(Euclidean(2), domain=((-7.5, 7.5), (-5.5, 5.5)))
        for x in range(-7, 8):
            picture.curve([[x + 0.5, -5.5], [x + 0.5, 5.5]], width=0.05, color=LINES)
        for y in range(-5, 6):
            picture.curve([[-7.5, y + 0.5], [7.5, y + 0.5]], width=0.05, color=LINES)
        centres = torch.tensor([[x, y] for y in (-3, 3) for x in (-5, 0, 5)], dtype=torch.float64)
        others = torch.tensor([[x, 0] for x in (-6, -4, -2, 0, 2, 4, 6)], dtype=torch.float64)
        return collected(
            picture, layer_of(row, seed), centres, others, lambda p: frames_of(row, p), 2.0, length=0.85, seed=seed
        )

    return draw


def punctured(rings: list[tuple[float, int]], between: list[tuple[float, int]], radius: float, length: float) -> Any:
    """Return a function that draws a row of the punctured plane: rings of points about the origin."""

    def draw(row: Row) -> Picture:
        centres = torch.cat([ring(r, n) for r, n in rings])
        others = torch.cat([ring(r, n, 0.5) for r, n in between])
        picture = SurfacePicture(PuncturedPlane())
        return collected(picture, layer_of(row, 3), centres, others, lambda p: frames_of(row, p), radius, length=length)

    return draw


def scaled_frames(rotate: bool) -> Callable[[Row], Picture]:
    """Return a function that draws frames of different sizes, and kernels that grow with them."""

    def draw(row: Row) -> Picture:
        picture, layer = SurfacePicture(Euclidean(2), domain=_DOMAIN), layer_of(row, 0)
        size = torch.tensor([0.7, 1.3, 0.9, 1.15, 0.75, 1.0] + [0.7, 1.4, 1.0, 1.2, 1.5, 0.8, 1.2, 0.7, 1.0, 1.3, 0.8])
        angle = torch.rand(17, generator=torch.Generator().manual_seed(0)) * (2 * math.pi if rotate else 0.0)
        c, s = angle.cos(), angle.sin()
        frames = (size[:, None, None] * torch.stack([torch.stack([c, -s], -1), torch.stack([s, c], -1)], -2)).double()
        picture.kernel(_CENTRES, layer, 0.38, frames[:6])
        return picture.frames(_BETWEEN, frames[6:], length=0.18, width=0.1)

    return draw


def boosted(row: Row) -> Picture:
    """Draw boosted frames in the Minkowski plane, with time upwards and light along the diagonals."""
    picture, layer = SurfacePicture(Euclidean(2), domain=_DOMAIN), layer_of(row, 0)
    swap = torch.tensor([[0.0, 1.0], [1.0, 0.0]], dtype=torch.float64)  # coordinates (t, x) are drawn as (x, t)
    rapidity = [-0.5, 0.0, 0.5, 0.3, -0.3, 0.0, -0.6, 0.6, 0.6, -0.6, 0.3, 0.0, -0.3]
    frames = torch.stack([swap @ Lorentz(2).boost(r) for r in rapidity])
    for x in np.arange(-2.5, 3.0, 0.5):
        for way in (1, -1):
            height = [y for y in np.linspace(-1.25, 1.25, 101) if abs(x + way * y) <= 1.75]
            picture.curve([[x + way * y, y] for y in (height[0], height[-1])], width=0.01, color=LINES)
    others = torch.tensor([[x, y] for x in (-0.58, 0.58) for y in (-0.95, 0.95)] + [[x, 0.0] for x in (-0.8, 0.0, 0.8)])
    picture.kernel(_CENTRES, layer, 0.32, frames[:6])
    return picture.frames(others.double(), frames[6:], length=0.17, width=0.11)


def line(row: Row) -> Picture:
    """Draw the line and, above it, the graph of a kernel in frames of three sizes.

    Near zero the kernel oscillates without end, so the graph leaves out a small interval.
    """
    picture, kernel = SurfacePicture(Euclidean(2), domain=_DOMAIN), kernel_function(layer_of(row, 0), (2, 0))
    picture.curve([[-1.75, -0.85], [1.75, -0.85]], width=0.025, color=INK)
    steps = np.geomspace(0.03, 1, 160)
    sides = [kernel(side * steps[:, None]) for side in (1, -1)]
    tallest = max(np.abs(values).max() for values in sides)
    for x, size, color in ((-1.15, 0.5, FIRST), (-0.27, 0.3, THIRD), (0.85, 0.8, SECOND)):
        for side, values in zip((1, -1), sides):
            graph = np.stack([x + side * size * steps, 0.2 + 0.85 * values / tallest], -1)
            picture.curve(graph, width=0.022, color=color)
        frame = size * torch.eye(2, dtype=torch.float64)
        picture.arrow([[x, -0.85]], frame, (1.0, 0.0), width=0.05 / size, color=color)
    return picture

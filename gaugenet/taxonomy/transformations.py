"""Maps of flat space and of the sphere to themselves, and points to move."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet.geometry import Icosphere, Manifold, icosahedral_rotation
from gaugenet.taxonomy.entry import Transformation

POLES = torch.tensor([[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]], dtype=torch.float64)


def draw(manifold: Manifold, size: int) -> Callable[[], Tensor]:
    """Return a function that draws points of a manifold at random, always the same ones."""
    return lambda: manifold.random_points(size, generator=torch.Generator().manual_seed(0))


def rotation(degrees: float, *, d: int = 2, plane: tuple[int, int] = (0, 1)) -> Float[Tensor, "d d"]:
    """Return the rotation by an angle that takes the first axis of a plane towards the second one."""
    i, j = plane
    angle, matrix = math.radians(degrees), torch.eye(d, dtype=torch.float64)
    matrix[i, i] = matrix[j, j] = math.cos(angle)
    matrix[j, i], matrix[i, j] = math.sin(angle), -math.sin(angle)
    return matrix


def mirror(axis: int, d: int) -> Float[Tensor, "d d"]:
    """Return the reflection that flips one axis."""
    matrix = torch.eye(d, dtype=torch.float64)
    matrix[axis, axis] = -1
    return matrix


def affine(text: str, matrix: Tensor, shift: float = 0.0) -> Transformation:
    """Return the map p -> A p + (shift, ..., shift)."""
    return Transformation(text, lambda p: p @ matrix.T + shift)


def wrapped_shift(size: int, *pixels: float) -> Transformation:
    """Return a shift by whole pixels on a torus of `size` pixels a side, centred at the origin."""
    by, half = torch.tensor(pixels, dtype=torch.float64), size / 2
    return Transformation("shift by whole pixels", lambda p: (p + by + half).remainder(size) - half)


def icosahedral(text: str, tilt: float) -> Transformation:
    """Return a rotation of the icosahedron, not the identity, that takes the north pole to height `tilt`."""
    matrices = [icosahedral_rotation(Icosphere(0), k).matrix for k in range(1, 60)]
    return affine(text, next(m for m in matrices if abs(float(m[2, 2]) - tilt) < 1e-9))


__all__ = ["POLES", "affine", "draw", "icosahedral", "mirror", "rotation", "wrapped_shift"]

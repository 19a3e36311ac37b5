"""Smooth closed surfaces with their exact shape operator, as meshes of any density with noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from gaugenet._typing import typed_array
from gaugenet._validation import not_negative, positive, positive_number
from gaugenet.data.physics.implicit_surface import cluster_mesh, marching_tetrahedra
from gaugenet.geometry.mesh.mesh import TriangleMesh

ShapeFamily = Literal["ellipsoid", "superquadric", "torus", "bumps", "limbs"]
Level = Callable[[Float[Tensor, "n 3"]], Float[Tensor, "n"]]
"""A smooth function in double precision that is negative inside a surface and zero on it."""

_FINE = 16  # vertices of the fine mesh for each vertex of the result
_TRIES = 12
_NEWTON = 20
_REACHED = 1e-9  # largest distance from the surface after Newton's method, relative to the size
_FEWEST = 4


@dataclass(frozen=True, eq=False)
class SmoothShape:
    """A smooth closed surface, the zero set of a function whose derivatives are exact (automatic differentiation).

    Attributes:
        level: the function, negative inside.
        size: half the side of a cube around the origin that contains the surface.
        name: name of the shape.

    Raises:
        ValueError: If `size` is not positive, or `level` is not a function. In the methods, if its values are not a
            float64 tensor of shape `(n,)` with a gradient, or points do not have the shape `(n, 3)`.

    Example:
        >>> import torch
        >>> from gaugenet.data import SmoothShape
        >>> sphere = SmoothShape(lambda x: x.norm(dim=1) - 2.0, size=2.5)
        >>> top = sphere.closest([[0.0, 0.1, 1.9]])
        >>> sphere.shape_operator(top).trace(axis1=1, axis2=2).round(6)  # twice the curvature 1/2
        array([1.])
    """

    level: Level
    size: float
    name: str = "shape"

    def __post_init__(self) -> None:
        positive_number("size", self.size)
        if not callable(self.level):
            raise ValueError(f"Expected a function as `level`, got an object of type {type(self.level).__name__}.")

    def mesh(self, count: int, *, seed: int = 0, noise: float = 0.0) -> TriangleMesh:
        """Return a mesh with nearly equilateral triangles.

        Args:
            count: approximate number of vertices, at least 4.
            seed: seed of the triangulation and of the noise.
            noise: standard deviation of each coordinate, relative to the mean length of an edge.

        Raises:
            ValueError: If the surface has details that a mesh of this size cannot have, or is not inside the cube, the
                function is not negative inside, or an argument is invalid.
        """
        if positive("count", count) < _FEWEST:
            raise ValueError(f"Expected `count` of at least {_FEWEST}, the vertices of a tetrahedron, got {count}.")
        if noise != 0:
            positive_number("noise", noise)
        not_negative("seed", seed)
        fine = self._fine(_FINE * count)
        if fine.boundary_vertices.any():
            raise ValueError(f"Expected {self.name} inside a cube of half side {self.size}: use a larger `size`.")
        corners = self.size * (2.0 * np.indices((2, 2, 2)).reshape(3, 8).T - 1)
        if bool((_derivatives(self.level, _points(corners))[0] < 0).any()):
            raise ValueError(f"Expected the function of {self.name} to be negative inside, it is outside: negate it.")
        for attempt in range(_TRIES):
            try:
                coarse = cluster_mesh(fine, count, seed=seed + 7919 * attempt)
                break
            except ValueError:
                if attempt == _TRIES - 1:
                    raise
        exact = TriangleMesh(self.closest(coarse.vertices), coarse.faces)
        if not noise:
            return exact
        ends = exact.vertices[exact.edges]
        length = float(np.linalg.norm(ends[:, 0] - ends[:, 1], axis=1).mean())
        shift = np.random.default_rng(seed).standard_normal(exact.vertices.shape)
        return TriangleMesh(exact.vertices + noise * length * shift, exact.faces)

    def closest(self, points: Float[ndarray, "n 3"]) -> Float[ndarray, "n 3"]:
        """Return the closest points of the surface, for points near it.

        Newton's method for `f(x) = 0` and `x + t grad f(x) = p`, from a first step along the gradient.

        Raises:
            ValueError: If the method does not reach the surface from a point.
        """
        found = self._closest(_points(points))
        value, slope, _ = _derivatives(self.level, found)
        missed = ~(value.abs() <= _REACHED * self.size * slope.norm(dim=1))  # also NaN
        if bool(missed.any()):
            place = np.asarray(points)[int(missed.nonzero()[0, 0])].tolist()
            raise ValueError(f"Expected points near {self.name}: the surface is not found from {place}.")
        return typed_array(found.numpy())

    def _closest(self, p: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
        x, t = p, torch.zeros(len(p), dtype=torch.float64)
        for step in range(_NEWTON):
            value, slope, hessian = _derivatives(self.level, x)
            if step < 3:  # onto the surface first
                x = x - (value / (slope**2).sum(1).clamp_min(1e-12))[:, None] * slope
                t = ((p - x) * slope).sum(1) / (slope**2).sum(1).clamp_min(1e-12)
                continue
            residual = torch.cat([x + t[:, None] * slope - p, value[:, None]], dim=1)
            jacobian = torch.zeros(len(p), 4, 4, dtype=torch.float64)
            jacobian[:, :3, :3] = torch.eye(3, dtype=torch.float64) + t[:, None, None] * hessian
            jacobian[:, :3, 3], jacobian[:, 3, :3] = slope, slope
            change = torch.linalg.solve(jacobian + 1e-12 * torch.eye(4, dtype=torch.float64), residual)
            x, t = x - change[:, :3], t - change[:, 3]
            if bool((change.abs() < 1e-13 * self.size).all()):
                break
        return x

    def normal(self, points: Float[ndarray, "n 3"]) -> Float[ndarray, "n 3"]:
        """Return the outward unit normals at points of the surface."""
        slope = _derivatives(self.level, _points(points))[1]
        return typed_array((slope / slope.norm(dim=1, keepdim=True)).numpy())

    def shape_operator(self, points: Float[ndarray, "n 3"]) -> Float[ndarray, "n 3 3"]:
        r"""Return the shape operator at points of the surface, `P H P / |grad f|`, as symmetric tensors in space.

        `H` is the Hessian of the function and `P` the projection to the tangent plane. It is `1/R` times the
        projection on a sphere of radius `R`. Unit: one over length.
        """
        _, slope, hessian = _derivatives(self.level, _points(points))
        size = slope.norm(dim=1)
        n = slope / size[:, None]
        p = torch.eye(3, dtype=torch.float64) - n[:, :, None] * n[:, None]
        return typed_array((p @ hessian @ p / size[:, None, None]).numpy())

    def _fine(self, count: int) -> TriangleMesh:
        """Return a mesh of the surface with at least this number of vertices."""
        inside = np.random.default_rng(0).uniform(-self.size, self.size, (256, 3))
        slopes = _derivatives(self.level, self._closest(torch.from_numpy(inside)))[1].norm(dim=1)
        steepest = float(slopes.nan_to_num(0.0, 0.0).max())  # some of these points are far away

        def distance(points: ndarray) -> ndarray:
            found = []
            for part in torch.as_tensor(points, dtype=torch.float64).split(100_000):
                x = part.clone().requires_grad_()
                value = self.level(x)
                (slope,) = torch.autograd.grad(value.sum(), x)
                found.append((value / slope.norm(dim=1).clamp_min(steepest)).detach().numpy())
            return typed_array(np.concatenate(found))

        spacing = self.size / 12
        while True:
            mesh = marching_tetrahedra(distance, np.full(3, -self.size), np.full(3, self.size), spacing)
            if mesh.num_vertices >= count:
                return mesh
            spacing *= 0.95 * (mesh.num_vertices / count) ** 0.5


def random_shape(family: ShapeFamily, seed: int) -> SmoothShape:
    """Return a random surface of one family, rotated at random.

    - `ellipsoid`: three axes between 0.6 and 1.5.
    - `superquadric`: the same with exponents between 2.4 and 3.6, a rounded box.
    - `torus`: a torus, stretched along its three axes.
    - `bumps`: a sphere whose radius is modulated by waves.
    - `limbs`: the surface around a chain of points with a branch, blended smoothly.

    Raises:
        ValueError: If the family is unknown, or the seed is not an integer of at least zero.
    """
    if family not in get_args(ShapeFamily):
        raise ValueError(f"Expected `family` to be one of {', '.join(get_args(ShapeFamily))}, got {family!r}.")
    rng = np.random.default_rng([get_args(ShapeFamily).index(family), not_negative("seed", seed)])
    rotation, _ = np.linalg.qr(rng.standard_normal((3, 3)))
    turn = torch.from_numpy(rotation * np.sign(np.linalg.det(rotation)))
    level, size = {
        "ellipsoid": _box,
        "superquadric": lambda r: _box(r, r.uniform(2.4, 3.6)),
        "torus": _torus,
        "bumps": _bumps,
        "limbs": _limbs,
    }[family](rng)
    return SmoothShape(lambda x: level(x @ turn), size, f"{family}_{seed:03d}")


def _box(rng: np.random.Generator, power: float = 2.0) -> tuple[Level, float]:
    axes = rng.uniform(0.6, 1.5, 3)
    scale = torch.from_numpy(axes)
    return lambda x: (x / scale).abs().pow(power).sum(1).clamp_min(1e-12).pow(1 / power) - 1.0, 1.1 * 1.75 * axes.max()


def _torus(rng: np.random.Generator) -> tuple[Level, float]:
    stretch, radius = torch.from_numpy(rng.uniform(0.8, 1.3, 3)), rng.uniform(0.28, 0.5)

    def level(x: Tensor) -> Tensor:
        y = x / stretch
        ring = (y[:, 0] ** 2 + y[:, 1] ** 2 + 1e-12).sqrt() - 1.0
        return (ring**2 + y[:, 2] ** 2 + 1e-12).sqrt() - radius

    return level, 1.1 * float(stretch.max()) * (1 + radius)


def _bumps(rng: np.random.Generator) -> tuple[Level, float]:
    waves = torch.from_numpy(rng.standard_normal((6, 3)) * rng.uniform(1.0, 2.5, (6, 1)))
    phase, size = torch.from_numpy(rng.uniform(0, 2 * np.pi, 6)), torch.from_numpy(rng.uniform(0.03, 0.09, 6))

    def level(x: Tensor) -> Tensor:
        length = (x**2).sum(1).clamp_min(1e-12).sqrt()
        return length - 1.0 - torch.sin(x / length[:, None] @ waves.T + phase) @ size

    return level, 1.1 * (1 + float(size.sum()))


def _limbs(rng: np.random.Generator) -> tuple[Level, float]:
    steps = [_unit(rng.standard_normal(3))]
    for _ in range(5):  # a chain that bends but does not turn back
        steps.append(_unit(steps[-1] + 0.5 * rng.standard_normal(3)))
    points = 0.45 * np.cumsum(np.stack([np.zeros(3), *steps]), axis=0)
    side = _unit(np.cross(steps[3], rng.standard_normal(3)))
    centres = np.concatenate([points, points[3] + 0.45 * np.outer([1.0, 2.0], side)])
    centres -= centres.mean(axis=0)
    where, radius = torch.from_numpy(centres), torch.from_numpy(rng.uniform(0.3, 0.45, len(centres)))

    def level(x: Tensor) -> Tensor:
        away = ((x[:, None] - where) ** 2).sum(2).clamp_min(1e-12).sqrt() - radius
        return -torch.logsumexp(-6.0 * away, dim=1) / 6.0

    return level, 1.1 * float(np.linalg.norm(centres, axis=1).max() + 1.0)


def _unit(x: Float[ndarray, "3"]) -> Float[ndarray, "3"]:
    return typed_array(x / np.linalg.norm(x))


def _points(points: Float[ndarray, "n 3"]) -> Float[Tensor, "n 3"]:
    array = np.asarray(points)
    if array.ndim != 2 or array.shape[1] != 3 or array.dtype.kind not in "iuf" or not np.isfinite(array).all():
        raise ValueError(f"Expected finite points of shape (n, 3), got {array.dtype} of shape {array.shape}.")
    return torch.as_tensor(array, dtype=torch.float64)


def _derivatives(
    level: Level, x: Float[Tensor, "n 3"]
) -> tuple[Float[Tensor, "n"], Float[Tensor, "n 3"], Float[Tensor, "n 3 3"]]:
    """Return value, gradient and Hessian of a function at points that do not influence each other."""
    with torch.enable_grad():
        x = x.detach().clone().requires_grad_()
        value = level(x)
        if not isinstance(value, Tensor) or value.shape != x.shape[:1] or value.dtype != x.dtype:
            got = f"{value.dtype} of shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
            raise ValueError(f"Expected `level` to return float64 of shape ({len(x)},) for {len(x)} points, got {got}.")
        if not value.requires_grad:
            raise ValueError("Expected `level` to be differentiable by torch: its values do not depend on the points.")
        (slope,) = torch.autograd.grad(value.sum(), x, create_graph=True)
        if not slope.requires_grad:  # a linear function
            return value.detach(), slope.detach(), x.new_zeros(len(x), 3, 3)
        rows = [torch.autograd.grad(slope[:, k].sum(), x, retain_graph=True)[0] for k in range(3)]
    hessian = torch.stack(rows, dim=1)
    return value.detach(), slope.detach(), 0.5 * (hessian + hessian.mT)


__all__ = ["ShapeFamily", "SmoothShape", "random_shape"]

"""Geodesics of any metric by integration: exp, parallel transport, and log by Newton shooting, all batched."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet._typing import typed_tensor

Christoffel = Callable[[Tensor, Tensor], Tensor]
"""A function from points `p` and velocities `v` `(B, d)` to matrices: nabla_v w = dw/dt + connection(p, v) w."""


def _cooper_verner() -> tuple[list[list[float]], list[float]]:
    """Return the Runge-Kutta method of order 8 with 11 stages: coefficients of the stages, and weights.

    G. J. Cooper and J. H. Verner, *Some explicit Runge-Kutta methods of high order*, SIAM J. Numer. Anal. 9 (1972).
    """
    s = math.sqrt(21)
    stages = [
        [],
        [1 / 2],
        [1 / 4, 1 / 4],
        [1 / 7, (-7 - 3 * s) / 98, (21 + 5 * s) / 49],
        [(11 + s) / 84, 0, (18 + 4 * s) / 63, (21 - s) / 252],
        [(5 + s) / 48, 0, (9 + s) / 36, (-231 + 14 * s) / 360, (63 - 7 * s) / 80],
        [(10 - s) / 42, 0, (-432 + 92 * s) / 315, (633 - 145 * s) / 90, (-504 + 115 * s) / 70, (63 - 13 * s) / 35],
        [1 / 14, 0, 0, 0, (14 - 3 * s) / 126, (13 - 3 * s) / 63, 1 / 9],
        [1 / 32, 0, 0, 0, (91 - 21 * s) / 576, 11 / 72, (-385 - 75 * s) / 1152, (63 + 13 * s) / 128],
        [1 / 14, 0, 0, 0, 1 / 9, (-733 - 147 * s) / 2205, (515 + 111 * s) / 504, (-51 - 11 * s) / 56,
         (132 + 28 * s) / 245],
        [0, 0, 0, 0, (-42 + 7 * s) / 18, (-18 + 28 * s) / 45, (-273 - 53 * s) / 72, (301 + 53 * s) / 72,
         (28 - 28 * s) / 45, (49 - 7 * s) / 18],
    ]  # fmt: skip
    return stages, [1 / 20, 0, 0, 0, 0, 0, 0, 49 / 180, 16 / 45, 49 / 180, 1 / 20]


STAGES, WEIGHTS = _cooper_verner()


def integrate(f: Callable[[Tensor], Tensor], state: Float[Tensor, "batch n"], steps: int) -> Float[Tensor, "batch n"]:
    """Return the solution at time 1 of `dy/dt = f(y)`, `y(0) = state`, by `steps` steps of order 8."""
    h = 1.0 / steps
    for _ in range(steps):
        slopes: list[Tensor] = []
        for row in STAGES:
            slopes.append(f(_advanced(state, h, row, slopes)))
        state = _advanced(state, h, WEIGHTS, slopes)
    return state


def _advanced(state: Tensor, h: float, weights: list[float], slopes: list[Tensor]) -> Tensor:
    """Return `state + h * sum_i weights_i slopes_i`, see `scaled` for why by `alpha`."""
    for w, slope in zip(weights, slopes, strict=True):
        if w:
            state = torch.add(state, slope, alpha=h * w)
    return state


def scaled(x: Tensor, factor: float) -> Tensor:
    """Return `factor * x`.

    For `2 * x` in forward mode, PyTorch multiplies and adds a symbolic zero, the derivative of the number. It infers
    shapes of these in Python: 1.4 ms instead of 0.3 ms.
    """
    return typed_tensor(torch.ops.aten.mul.Scalar(x, factor))


def geodesic(
    connection: Christoffel, p: Float[Tensor, "batch d"], v: Float[Tensor, "batch d"], steps: int
) -> Float[Tensor, "batch d"]:
    """Return the point at time 1 of the geodesic from `p` with velocity `v`: x'' = -connection(x, x') x'."""
    d = p.shape[-1]

    def slope(y: Tensor) -> Tensor:
        x, velocity = y[:, :d], y[:, d:]
        return torch.cat([velocity, -apply(connection(x, velocity), velocity)], -1)

    return integrate(slope, torch.cat([p, v], -1), steps)[:, :d]


def geodesic_transport(
    connection: Christoffel, p: Float[Tensor, "batch d"], v: Float[Tensor, "batch d"], steps: int
) -> tuple[Float[Tensor, "batch d"], Float[Tensor, "batch d d"]]:
    """Return the end of a geodesic and the parallel transport along it, from coefficients at `p` to the end."""
    d = p.shape[-1]

    def slope(y: Tensor) -> Tensor:
        x, velocity, moved = y[:, :d], y[:, d : 2 * d], y[:, 2 * d :].unflatten(-1, (d, d))
        gamma = connection(x, velocity)
        return torch.cat([velocity, -apply(gamma, velocity), -(gamma @ moved).flatten(1)], -1)

    eye = torch.eye(d, dtype=p.dtype).expand(len(p), d, d)
    end = integrate(slope, torch.cat([p, v, eye.flatten(1)], -1), steps)
    return end[:, :d], end[:, 2 * d :].unflatten(-1, (d, d))


def differential(
    f: Callable[[Tensor, Tensor], Tensor], p: Float[Tensor, "batch d"], v: Float[Tensor, "batch d"]
) -> tuple[Float[Tensor, "batch D"], Float[Tensor, "batch D d"]]:
    """Return `f(p, v)` and its derivative with respect to `v`, by forward mode in all directions at once."""
    base = p.repeat(v.shape[-1], 1)
    return jacobian(lambda w: f(base, w), v)


def jacobian(f: Callable[[Tensor], Tensor], x: Float[Tensor, "batch d"]) -> tuple[Tensor, Tensor]:
    """Return f(x) `(B, *shape)` and df `(B, *shape, d)` by one call with d B rows; f must map rows independently."""
    count, d = x.shape
    rows = x.repeat(d, 1)
    # ones in zeros that have the derivatives of x, if any: see `scaled` for the cost of tensors that have none
    axes = (rows - rows).masked_fill(torch.eye(d, dtype=torch.bool).repeat_interleave(count, 0), 1.0)
    values, slopes = torch.func.jvp(f, (rows,), (axes,))
    return values[:count], slopes.unflatten(0, (d, count)).movedim(0, -1)


def apply(matrix: Float[Tensor, "batch m n"], v: Float[Tensor, "batch n"]) -> Float[Tensor, "batch m"]:
    return (matrix @ v.unsqueeze(-1)).squeeze(-1)


def solve(matrix: Float[Tensor, "batch d d"], right: Float[Tensor, "batch d k"]) -> Float[Tensor, "batch d k"]:
    """Return matrix^-1 right, in closed form up to d = 3, where calling LAPACK for each matrix would dominate."""
    d = matrix.shape[-1]
    if d > 3:
        return typed_tensor(torch.linalg.solve(matrix, right))
    if d == 1:
        return right / matrix
    if d == 2:
        (a, b), (c, e) = (row.unbind(-1) for row in matrix.unbind(-2))
        adjugate = torch.stack([torch.stack([e, -b], -1), torch.stack([-c, a], -1)], -2)
        return (adjugate @ right) / (a * e - b * c)[..., None, None]
    x, y, z = matrix.unbind(-2)
    cofactors = torch.stack([torch.linalg.cross(y, z), torch.linalg.cross(z, x), torch.linalg.cross(x, y)], -1)
    return (cofactors @ right) / (x * cofactors[..., 0]).sum(-1)[..., None, None]


def least_squares(a: Float[Tensor, "batch E d"], b: Float[Tensor, "batch E"]) -> Float[Tensor, "batch d"]:
    """Return the v that minimizes |a v - b|."""
    if a.shape[-1] == a.shape[-2]:
        return solve(a, b.unsqueeze(-1)).squeeze(-1)
    return solve(a.mT @ a, a.mT @ b.unsqueeze(-1)).squeeze(-1)


def flat_rows(dim: int, **rows: Tensor) -> tuple[Any, ...]:
    """Return the arguments, broadcast and flattened to `(B, dim)`, and their common shape."""
    shape = torch.broadcast_shapes(*(x.shape for x in rows.values()))
    if not shape or shape[-1] != dim:
        raise ValueError(
            f"Expected {', '.join(f'`{name}`' for name in rows)} of shape (..., {dim}), got {tuple(shape)}."
        )
    return *(x.expand(shape).reshape(-1, dim) for x in rows.values()), shape


__all__ = [
    "differential",
    "flat_rows",
    "geodesic",
    "geodesic_transport",
    "integrate",
    "jacobian",
    "least_squares",
    "scaled",
    "solve",
]

"""Finite differences on grids: central inside, one-sided at ends, with mirror images at reflecting borders."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet.geometry.grids.grid import Grid
from gaugenet.geometry.grids.stencil import mirror
from gaugenet.kernels.finite_differences import central_width, check_accuracy, difference_weights
from gaugenet.operators.matrix import Action


@dataclass(frozen=True)
class AxisDerivative:
    """A derivative along one axis: D f = inside f + mirrored (mirror f).

    Attributes:
        inside: weights of the pixels, `(n, n)`, float64.
        mirrored: weights of the pixels' mirror images; `None` without mirrors.
    """

    inside: Float[Tensor, "n n"]
    mirrored: Float[Tensor, "n n"] | None


def on_grid(
    f: Float[Tensor, "batch in_channels *spatial"],
    grid: Grid,
    terms: dict[tuple[int, ...], Float[Tensor, "out in"]],
    *,
    accuracy: int,
    action: Action | None,
) -> Float[Tensor, "batch out_channels *spatial"]:
    """Return sum_a C_a d^a f by finite differences, in the units of the spacing.

    Beyond the border, a `periodic` grid continues at the opposite side, and a `reflect` grid with its mirror image. At
    the border of a grid with boundary `zeros`, differences are one-sided and use no values from beyond it. The weights
    are exact on polynomials :cite:`fornberg1988generation`.

    Raises:
        ValueError: If features have another shape, an axis has too few pixels, or the accuracy is not 2, 4 or 6.
    """
    check_accuracy(accuracy)
    outputs, inputs = next(iter(terms.values())).shape
    if f.dim() != grid.d + 2 or f.shape[2:] != grid.shape or f.shape[1] % inputs:
        raise ValueError(
            f"Expected `f` of shape (batch, {inputs} C, {', '.join(map(str, grid.shape))}) for this grid, "
            f"got {tuple(f.shape)}."
        )
    fields = f.reshape(f.shape[0], inputs, f.shape[1] // inputs, *grid.shape)
    out = f.new_zeros(f.shape[0], outputs, *fields.shape[2:])
    for index, matrix in terms.items():
        derivative = fields
        for axis, order in enumerate(index):
            if order:
                derivative = _along(derivative, grid, axis, order, accuracy, action)
        out = out + torch.einsum("oi,bi...->bo...", matrix.to(f), derivative)
    return out.flatten(1, 2)


def _along(f: Tensor, grid: Grid, axis: int, order: int, accuracy: int, action: Action | None) -> Tensor:
    """Return the derivative of some order along one axis of the frames."""
    array_axis = grid.d - 1 - axis
    step = -grid.spacing[array_axis] if axis == 1 else grid.spacing[array_axis]  # y runs against the rows
    found = _axis_derivative(grid.shape[array_axis], order, accuracy, grid.boundary)
    moved = f.movedim(3 + array_axis, -1)
    out = moved @ (found.inside.T / step**order).to(f)
    if found.mirrored is not None:
        seen = moved if action is None else _in_mirror(moved, action, array_axis, grid.d)
        out = out + seen @ (found.mirrored.T / step**order).to(f)
    return out.movedim(-1, 3 + array_axis)


def _in_mirror(f: Tensor, action: Action, array_axis: int, d: int) -> Tensor:
    return torch.einsum("ij,bj...->bi...", action(mirror(array_axis, d)[None])[0].to(f), f)


@lru_cache(maxsize=256)
def _axis_derivative(n: int, order: int, accuracy: int, boundary: str) -> AxisDerivative:
    """Return the derivative along an axis of n pixels of spacing 1."""
    half = central_width(order, accuracy) // 2
    needed = {"zeros": order + accuracy, "periodic": half, "reflect": half + 1}[boundary]
    if n < max(needed, 2):
        raise ValueError(
            f"Expected at least {max(needed, 2)} pixels along every axis for derivatives of order {order} and accuracy "
            f"{accuracy} with boundary={boundary!r}, got {n}: use a lower `accuracy`."
        )
    inside, mirrored = torch.zeros(n, n, dtype=torch.float64), torch.zeros(n, n, dtype=torch.float64)
    for i in range(n):
        first, last = i - half, i + half
        if boundary == "zeros" and (first < 0 or last >= n):
            first = min(max(0, i - needed // 2), n - needed)
            last = first + needed - 1
        weights = difference_weights([j - i for j in range(first, last + 1)], order)
        for j, weight in zip(range(first, last + 1), weights, strict=True):
            if boundary == "reflect" and not 0 <= j < n:
                mirrored[i, -j if j < 0 else 2 * (n - 1) - j] += weight
            else:
                inside[i, j % n] += weight
    return AxisDerivative(inside, mirrored if boundary == "reflect" else None)


__all__ = ["AxisDerivative", "on_grid"]

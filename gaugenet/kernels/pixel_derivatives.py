"""Derivatives on the pixels of a stencil: finite differences, and derivatives of Gaussians."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from gaugenet._validation import positive_number
from gaugenet.kernels._symbols import indices_up_to, monomials, multi_indices
from gaugenet.kernels.finite_differences import central_width, check_accuracy, difference_weights

if TYPE_CHECKING:
    from gaugenet.kernels.space import PixelStencil

Discretization = Literal["gaussian", "differences"]
"""How derivatives on pixels are computed."""


def stencil_derivatives(
    stencil: PixelStencil,
    max_order: int,
    *,
    discretization: Discretization = "gaussian",
    accuracy: int | None = None,
    width: float | None = None,
) -> Float[Tensor, "cells monomials"]:
    r"""Return weights w with `d^a f = sum over cells s of w[s, a] f(s)` at the centre, lengths in units of the radius.

    - `gaussian`: the derivative of order n of the polynomial of degree n that is the least-squares fit to the
      neighbours with Gaussian weights. On a fine grid this is (-1)^n times the derivative of a Gaussian. On any grid it
      is exact for polynomials of degree n, unlike sampled derivatives of Gaussians.
    - `differences`: products of central differences along the axes, of the highest accuracy for which the window has
      room. They are exact for polynomials of a degree below order + accuracy in each variable.

    Stencils whose cells are not on orthogonal axes (hexagonal ones) always use `gaussian`.

    Args:
        stencil: the window of pixels.
        max_order: highest order of the derivatives.
        discretization: `gaussian` or `differences`.
        accuracy: order of the error of differences, 2, 4 or 6. Default: the highest for which the window has room.
        width: standard deviation of the Gaussian, in pixels. Default: 1 for windows of 3 pixels, 1.3 for 5, 1.6 for 7.

    Raises:
        ValueError: If the window is too small for derivatives of `max_order`, or an option is invalid.
    """
    check_options(discretization, accuracy, width)
    if discretization == "differences" and _on_axes(stencil):
        return _differences(stencil, max_order, accuracy)
    return _gaussian(stencil, max_order, width)


def check_options(discretization: str, accuracy: int | None, width: float | None) -> None:
    """Raise `ValueError` if options of `stencil_derivatives` are invalid or have no effect."""
    if discretization not in ("gaussian", "differences"):
        raise ValueError(f"Expected `discretization` 'gaussian' or 'differences', got {discretization!r}.")
    if accuracy is not None:
        check_accuracy(accuracy)
        if discretization != "differences":
            raise ValueError("`accuracy` is for discretization='differences': Gaussians have a `width`.")
    if width is not None:
        positive_number("width", width)
        if discretization != "gaussian":
            raise ValueError("`width` is for discretization='gaussian': differences have an `accuracy`.")


def default_width(stencil: PixelStencil) -> float:
    """Return the standard deviation of the Gaussian in pixels: 1, 1.3, 1.6, ... for windows of 3, 5, 7, ... pixels."""
    return 1 + 0.15 * (max(stencil.window) - 3)


def _gaussian(stencil: PixelStencil, max_order: int, width: float | None) -> Float[Tensor, "cells monomials"]:
    cells = _cells(stencil)
    v = stencil.offsets[cells]
    distance = torch.linalg.vector_norm(v, dim=1)
    step = distance[distance > 0].min() if len(v) > 1 else distance.new_ones(())
    root = torch.exp(-0.25 * (distance / (step * (width or default_width(stencil)))).square())
    full = torch.zeros(len(stencil.offsets), len(indices_up_to(v.shape[1], max_order)), dtype=torch.float64)
    start = 0
    for order in range(max_order + 1):
        columns = indices_up_to(v.shape[1], order)
        a = monomials(v, columns) * root[:, None]
        if len(v) < len(columns) or int(torch.linalg.matrix_rank(a, rtol=1e-6)) < len(columns):
            raise _too_small(stencil, order)
        here = multi_indices(v.shape[1], order)
        factorials = torch.tensor([float(math.prod(math.factorial(n) for n in index)) for index in here])
        rows = torch.linalg.pinv(a)[-len(here) :] * root
        full[cells, start : start + len(here)] = (rows * factorials.double()[:, None]).T
        start += len(here)
    return full


def _cells(stencil: PixelStencil) -> Bool[Tensor, "cells"]:
    """Return the mask of the neighbours and the point itself."""
    inside = stencil.weights > 0
    inside[stencil.centre] = True
    return inside


def _differences(stencil: PixelStencil, max_order: int, accuracy: int | None) -> Float[Tensor, "cells monomials"]:
    v = stencil.offsets
    tables = [_along(stencil, axis, max_order, accuracy) for axis in range(v.shape[1])]
    columns = []
    for index in indices_up_to(v.shape[1], max_order):
        factors = [tables[axis][:, order] for axis, order in enumerate(index)]
        columns.append(torch.stack(factors).prod(0))
    return torch.stack(columns, 1)


def _along(stencil: PixelStencil, axis: int, max_order: int, accuracy: int | None) -> Float[Tensor, "cells orders"]:
    """Return weights along one axis of the frames, at the positions of all cells."""
    position = stencil.offsets[:, axis]
    places = torch.unique(position, sorted=True)  # exactly equal if equal: integers times the spacing
    number = torch.searchsorted(places, position.contiguous()) - len(places) // 2
    half = len(places) // 2
    table = torch.zeros(len(position), max_order + 1, dtype=torch.float64)
    for order in range(max_order + 1):
        chosen = _accuracy(len(places), order) if accuracy is None else accuracy
        reach = central_width(order, chosen) // 2 if chosen else half + 1
        if reach > half:
            raise _too_small(stencil, order)
        weights = difference_weights(places[half - reach : half + reach + 1].tolist(), order)
        inside = number.abs() <= reach
        table[inside, order] = torch.tensor(weights, dtype=torch.float64)[number[inside] + reach]
    return table


def _accuracy(pixels: int, order: int) -> int:
    """Return the highest accuracy for which a window has room, 0 if there is none."""
    return next((n for n in (6, 4, 2) if central_width(order, n) <= pixels), 0)


def _on_axes(stencil: PixelStencil) -> bool:
    """Return whether the cells form a product of sets of positions along the axes of the frames."""
    count = math.prod(len(torch.unique(stencil.offsets[:, axis])) for axis in range(stencil.offsets.shape[1]))
    return count == len(stencil.offsets)


def _too_small(stencil: PixelStencil, order: int) -> ValueError:
    return ValueError(
        f"A window of {' x '.join(map(str, stencil.window))} pixels does not determine derivatives of order {order}: "
        "use a larger `kernel_size`, a lower `max_order` or a lower `accuracy`."
    )


__all__ = ["Discretization", "check_options", "default_width", "stencil_derivatives"]

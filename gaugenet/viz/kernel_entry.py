"""One entry of a kernel K(v) as a function of v, for pictures."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray

if TYPE_CHECKING:
    from gaugenet.kernels.pointwise import PointwiseSpace
    from gaugenet.nn import GaugeConv

Kernel = Any
"""A function of `v (n, 2)` to `(n,)`, with |v| <= 1; a `GaugeConv`."""


def kernel_function(
    kernel: Kernel, entry: tuple[int, int] | None = None
) -> Callable[[Float[ndarray, "n d"]], Float[ndarray, "n"]]:
    """Return one entry of a kernel as a function of v, |v| <= 1.

    Raises:
        ValueError: If `kernel` is neither a layer nor a function, or does not have the entry.
    """
    from gaugenet.nn import GaugeConv

    if isinstance(kernel, GaugeConv):
        space, weight = _pointwise(kernel), kernel.group_weights[0].detach().double().cpu()
        rows, columns = space.out_type.size, space.in_type.size
        row, column = _telling_entry(kernel) if entry is None else entry
        if not (0 <= row < rows and 0 <= column < columns):
            raise ValueError(f"Expected `entry` within the {rows} x {columns} matrix of this kernel, got {entry}.")
        return lambda v: space.evaluate(weight, torch.from_numpy(v))[:, row, column].numpy()
    if not callable(kernel):
        raise ValueError(f"Expected `kernel` to be a GaugeConv or a function of v (n, 2), got {type(kernel).__name__}.")
    if entry is not None:
        raise ValueError("Expected `entry` only with a GaugeConv: a function gives one number at every v.")

    def evaluate(v: ndarray) -> ndarray:
        values = np.asarray(torch.as_tensor(kernel(torch.from_numpy(v))).detach().double())
        if values.shape != (len(v),):
            raise ValueError(f"Expected `kernel` to map (n, {v.shape[1]}) to (n,), got shape {values.shape}.")
        return values

    return evaluate


def _pointwise(conv: GaugeConv) -> PointwiseSpace:
    from gaugenet.kernels.pointwise import PointwiseSpace

    if not isinstance(conv.kernels, PointwiseSpace):
        raise ValueError(f"Expected a layer whose kernel is a function of one vector, got {conv.kernels!r}.")
    return conv.kernels


def _telling_entry(conv: GaugeConv) -> tuple[int, int]:
    """Return the entry of the kernel that varies most with the direction."""
    space = _pointwise(conv)
    d = space.group.d
    generator = np.random.default_rng(0)
    directions = generator.normal(size=(400, d))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    weight = conv.group_weights[0].detach().double().cpu()
    radii = torch.tensor([0.25, 0.5, 0.75], dtype=torch.float64)[:, None, None]
    values = space.evaluate(weight, radii * torch.from_numpy(directions))
    spread = values.std(1, unbiased=False).sum(0)
    best = int(spread.argmax())
    return divmod(best, int(spread.shape[1]))

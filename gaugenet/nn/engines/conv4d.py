"""Convolutions of arrays with four axes, such as 3 + 1 dimensional space-time: PyTorch has none."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def conv4d(
    x: Float[Tensor, "batch in a b c d"],
    weight: Float[Tensor, "out in_of_group ka kb kc kd"],
    bias: Float[Tensor, "out"] | None,
    stride: Sequence[int],
    padding: int | Sequence[int],
    dilation: Sequence[int],
    groups: int = 1,
) -> Float[Tensor, "batch out a_out b_out c_out d_out"]:
    """Return the convolution as `torch.nn.functional.conv3d` defines it, with one more axis.

    It is a sum over the cells of the window along the first axis, with one `conv3d` of all steps for each cell.
    """
    margin = [padding] * 4 if isinstance(padding, int) else list(padding)
    x = F.pad(x, (0, 0, 0, 0, 0, 0, margin[0], margin[0]))
    cells, step, gap = weight.shape[2], stride[0], dilation[0]
    steps = (x.shape[2] - gap * (cells - 1) - 1) // step + 1
    out: Tensor | None = None
    for cell in range(cells):
        begin = cell * gap
        seen = x[:, :, begin : begin + step * (steps - 1) + 1 : step].transpose(1, 2)
        term = F.conv3d(
            seen.flatten(0, 1),
            weight[:, :, cell],
            bias if cell == 0 else None,
            list(stride[1:]),
            margin[1:],
            list(dilation[1:]),
            groups,
        )
        out = term if out is None else out + term
    if out is None:
        raise ValueError(f"Expected `weight` with a window of at least one cell, got shape {tuple(weight.shape)}.")
    result: Tensor = out.unflatten(0, (x.shape[0], steps)).transpose(1, 2)
    return result


def wrapped(x: Float[Tensor, "batch size *spatial"], padding: Sequence[int]) -> Tensor:
    """Return a periodic field, continued beyond its border by `padding` pixels along each axis."""
    for axis, n in enumerate(padding):
        if n:
            dim, size = axis + 2, x.shape[axis + 2]
            x = torch.cat([x.narrow(dim, size - n, n), x, x.narrow(dim, 0, n)], dim)
    return x


__all__ = ["conv4d", "wrapped"]

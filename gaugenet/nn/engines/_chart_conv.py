"""The operator of the `charts` engine: a convolution, corrected along groups of edges, and its adjoint.

It is one operator, so that neither a padded copy of the features nor a second gradient of their size is made.
`plain_chart_conv` computes the same by PyTorch's operations, for functional transforms, second derivatives and ONNX.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from gaugenet._typing import typed_tensor
from gaugenet.nn.compiled.eager import needs_plain, plain_gradients
from gaugenet.nn.compiled.operator import fake, flops, operator


@operator("chart_conv")
def chart_conv(
    x: Tensor,
    kernel: Tensor,
    bias: Tensor | None,
    sides: Tensor,
    large_groups: Tensor,
    small_groups: Tensor,
    counts: list[int],
    stride: int,
) -> Tensor:
    """Return conv2d(x, kernel, bias), plus sides[g] x[source] at `target` for each group g of edges.

    Args:
        x: `(B, C, rows, columns)`.
        kernel: `(out, C, window, window)`.
        sides: `(groups, out, C)`.
        large_groups: see `SideEdges`; cells in row-major order.
        small_groups: see `SideEdges`.
        counts: see `SideEdges`.
        bias: one number for each output channel.
        stride: 1, or 2 for the next coarser level.
    """
    x = x.contiguous(memory_format=torch.channels_last)
    out = F.conv2d(x, kernel, bias, stride, kernel.shape[-1] // 2).contiguous(memory_format=torch.channels_last)
    rows, into = _rows(x), _rows(out)
    for group, (read, written) in enumerate(_by_group(large_groups, counts, x, out)):
        into.index_add_(0, written, rows.index_select(0, read) @ sides[group].T)
    read, written, used = _padded_groups(small_groups, x, out)
    corrections = (rows[read] * used) @ sides[len(counts) :].mT
    into.index_add_(0, written.flatten(), corrections.flatten(0, 1))
    return out


@operator("chart_conv_backward")
def chart_conv_backward(
    grad: Tensor,
    x: Tensor,
    kernel: Tensor,
    sides: Tensor,
    large_groups: Tensor,
    small_groups: Tensor,
    counts: list[int],
    stride: int,
    needed: list[bool],
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return gradients with respect to x, kernel, bias and sides; empty where not `needed` (of x, of the weights)."""
    x = x.contiguous(memory_format=torch.channels_last)
    grad = grad.contiguous(memory_format=torch.channels_last)
    of_x, of_weights = needed
    padding, mask = [kernel.shape[-1] // 2] * 2, [of_x, of_weights, of_weights]
    made = torch.ops.aten.convolution_backward(
        grad, x, kernel, [len(kernel)], [stride] * 2, padding, [1, 1], False, [0, 0], 1, mask
    )
    empty = x.new_empty(0)
    grad_x, grad_kernel, grad_bias = (empty if t is None else t for t in made)
    grad_sides = torch.empty_like(sides) if of_weights else empty
    if of_x:
        grad_x = grad_x.contiguous(memory_format=torch.channels_last)
    rows, from_rows = _rows(x), _rows(grad)
    for group, (read, written) in enumerate(_by_group(large_groups, counts, x, grad)):
        arriving = from_rows.index_select(0, written)
        if of_weights:
            torch.mm(arriving.T, rows.index_select(0, read), out=grad_sides[group])
        if of_x:
            _rows(grad_x).index_add_(0, read, arriving @ sides[group])
    read, written, used = _padded_groups(small_groups, x, grad)
    arriving = from_rows[written] * used
    if of_weights:
        torch.bmm(arriving.mT, rows[read], out=grad_sides[len(counts) :])
    if of_x:
        _rows(grad_x).index_add_(0, read.flatten(), (arriving @ sides[len(counts) :]).flatten(0, 1))
    return grad_x, grad_kernel, grad_bias, grad_sides


def _by_group(large_groups: Tensor, counts: list[int], x: Tensor, out: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Return the rows of the sources in `x` and of the targets in `out` for each large group, over all samples.

    The rows that one group gathers fit in the cache, and do not raise the peak of memory.
    """
    sizes = [n * len(x) for n in counts]
    return zip(*(_in_every_sample(cell, t).split(sizes) for cell, t in zip(large_groups, (x, out))))


def _padded_groups(small_groups: Tensor, x: Tensor, out: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the same for the small groups, one group per row, and factors that remove the padding."""
    read, written = (_in_every_sample(cell, t) for cell, t in zip(small_groups, (x, out)))
    return read, written, small_groups[2].repeat_interleave(len(x), 1).unsqueeze(-1).to(x.dtype)


def _in_every_sample(cell: Int[Tensor, "*groups n"], x: Tensor) -> Int[Tensor, "*groups n_batch"]:
    offset = torch.arange(len(x), device=x.device) * (x.shape[2] * x.shape[3])
    return (cell[..., None] + offset).flatten(-2)


def _rows(x: Tensor) -> Float[Tensor, "batch_cells channels"]:
    return cells(x).flatten(0, 1)


def cells(x: Float[Tensor, "batch channels rows columns"]) -> Float[Tensor, "batch cells channels"]:
    """Return a view by cells of features that are channels last in memory."""
    return x.permute(0, 2, 3, 1).flatten(1, 2)


def plain_chart_conv(
    x: Tensor,
    kernel: Tensor,
    bias: Tensor | None,
    sides: Tensor,
    large_groups: Tensor,
    small_groups: Tensor,
    counts: list[int],
    stride: int,
) -> Tensor:
    """Return the same as `chart_conv`, with all additions of the groups in memory at once."""
    out = F.conv2d(x, kernel, bias, stride, kernel.shape[-1] // 2)
    rows, (source, target, used) = cells(x), small_groups
    by_group = zip(sides, large_groups[0].split(counts), strict=False)
    added = [rows[:, read] @ matrix.T for matrix, read in by_group]
    small = (rows[:, source] * used.unsqueeze(-1).to(x.dtype)) @ sides[len(counts) :].mT
    written = torch.cat([large_groups[1], target.flatten()])
    total = cells(out).index_add(1, written, torch.cat([*added, small.flatten(1, 2)], 1))
    return typed_tensor(total.transpose(1, 2).unflatten(2, out.shape[2:]))


@fake("chart_conv")
def _(
    x: Tensor,
    kernel: Tensor,
    bias: Tensor | None,
    sides: Tensor,
    large_groups: Tensor,
    small_groups: Tensor,
    counts: list[int],
    stride: int,
) -> Tensor:
    rows, columns = ((n - 1) // stride + 1 for n in x.shape[2:])
    out = x.new_empty(x.shape[0], kernel.shape[0], rows, columns)
    return out.contiguous(memory_format=torch.channels_last)


@fake("chart_conv_backward")
def _(
    grad: Tensor,
    x: Tensor,
    kernel: Tensor,
    sides: Tensor,
    large_groups: Tensor,
    small_groups: Tensor,
    counts: list[int],
    stride: int,
    needed: list[bool],
) -> tuple[Tensor, ...]:
    grad_x = torch.empty_like(x, memory_format=torch.channels_last) if needed[0] else x.new_empty(0)
    if not needed[1]:
        return grad_x, x.new_empty(0), x.new_empty(0), x.new_empty(0)
    return grad_x, torch.empty_like(kernel), kernel.new_empty(kernel.shape[0]), torch.empty_like(sides)


@flops("chart_conv")
def _count(
    x: torch.Size,
    kernel: torch.Size,
    bias: torch.Size | None,
    sides: torch.Size,
    large_groups: torch.Size,
    small_groups: torch.Size,
    counts: list[int],
    stride: int,
    out_shape: Any = None,
) -> int:
    """Count the convolution and the corrections along edges, with those that fill up small groups."""
    cells = math.prod((n - 1) // stride + 1 for n in x[2:])
    edges = sum(counts) + math.prod(small_groups[1:])
    return int(2 * x[0] * (cells * math.prod(kernel) + edges * kernel[0] * kernel[1]))


@flops("chart_conv_backward")
def _count_backward(grad: torch.Size, x: torch.Size, kernel: torch.Size, *rest: Any, out_shape: Any = None) -> int:
    *geometry, needed = rest
    return int(sum(needed) * _count(x, kernel, None, *geometry))


def _setup_context(ctx: Any, inputs: Any, output: Any) -> None:
    *tensors, ctx.counts, ctx.stride = inputs
    ctx.save_for_backward(*tensors)


def _plain(fixed: tuple[Any, ...], *tensors: Any) -> Tensor:
    return plain_chart_conv(*tensors, *fixed)


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    x, kernel, bias, sides, large_groups, small_groups = ctx.saved_tensors
    fixed, of_tables = (large_groups, small_groups, ctx.counts, ctx.stride), [None] * 4
    if not torch.compiler.is_compiling() and needs_plain(grad):
        return *plain_gradients(partial(_plain, fixed), [x, kernel, bias, sides], grad), *of_tables
    needs = ctx.needs_input_grad
    wanted = (needs[0], needs[1], bias is not None and needs[2], needs[3])
    grads = chart_conv_backward(grad, x, kernel, sides, *fixed, [needs[0], any(wanted[1:])])
    return *(g if w else None for g, w in zip(grads, wanted)), *of_tables


torch.library.register_autograd("gaugenet::chart_conv", _backward, setup_context=_setup_context)

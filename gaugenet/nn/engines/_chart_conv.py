"""The operator of the `charts` engine: a convolution, corrected along groups of edges, and its adjoint.

One operator, so that neither a padded copy of the features nor a second gradient of their size is ever made.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


@torch.library.custom_op("gaugenet::chart_conv", mutates_args=())
def chart_conv(
    x: Tensor,
    kernel: Tensor,
    bias: Tensor | None,
    sides: Tensor,
    source: Tensor,
    target: Tensor,
    counts: list[int],
    stride: int,
) -> Tensor:
    """conv2d(x, kernel, bias), plus sides[g] x[source] at `target` for each group g of edges.

    Args:
        x: `(B, C, rows, columns)`; kernel: `(out, C, window, window)`; sides: `(groups, out, C)`.
        source, target: cells in row-major order, sorted by group.
        counts: number of edges of each group.
    """
    x = x.contiguous(memory_format=torch.channels_last)
    out = F.conv2d(x, kernel, bias, stride, kernel.shape[-1] // 2).contiguous(memory_format=torch.channels_last)
    into = _rows(out)
    for read, written, matrix in zip(*_by_group(counts, x, source, out, target), sides):
        into.index_add_(0, written, _rows(x).index_select(0, read) @ matrix.T)
    return out


@torch.library.custom_op("gaugenet::chart_conv_backward", mutates_args=())
def chart_conv_backward(
    grad: Tensor,
    x: Tensor,
    kernel: Tensor,
    sides: Tensor,
    source: Tensor,
    target: Tensor,
    counts: list[int],
    stride: int,
    needed: list[bool],
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Gradients with respect to x, kernel, bias and sides; empty where not `needed` (of x, of the weights)."""
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
    for g, (read, written) in enumerate(zip(*_by_group(counts, x, source, grad, target))):
        arriving = _rows(grad).index_select(0, written)
        if of_weights:
            torch.mm(arriving.T, _rows(x).index_select(0, read), out=grad_sides[g])
        if of_x:
            _rows(grad_x).index_add_(0, read, arriving @ sides[g])
    return grad_x, grad_kernel, grad_bias, grad_sides


def _by_group(counts: list[int], x: Tensor, source: Tensor, out: Tensor, target: Tensor) -> list[tuple[Tensor, ...]]:
    """Rows of the sources in `x`, and of the targets in `out`, of each group: in every sample.

    Groups are small: what one of them gathers stays in the cache, and never counts for the peak of memory.
    """
    return [_batched(index, t).split([n * len(t) for n in counts]) for index, t in ((source, x), (target, out))]


def _batched(index: Tensor, x: Tensor) -> Tensor:
    offset = torch.arange(len(x), device=x.device) * (x.shape[2] * x.shape[3])
    return (index[:, None] + offset).flatten()


def _rows(x: Tensor) -> Float[Tensor, "batch_cells channels"]:
    return cells(x).flatten(0, 1)


def cells(x: Float[Tensor, "batch channels rows columns"]) -> Float[Tensor, "batch cells channels"]:
    """A view of features that are channels last in memory."""
    return x.permute(0, 2, 3, 1).flatten(1, 2)


@chart_conv.register_fake
def _(x, kernel, bias, sides, source, target, counts, stride):
    rows, columns = ((n - 1) // stride + 1 for n in x.shape[2:])
    out = x.new_empty(x.shape[0], kernel.shape[0], rows, columns)
    return out.contiguous(memory_format=torch.channels_last)


@chart_conv_backward.register_fake
def _(grad, x, kernel, sides, source, target, counts, stride, needed):
    grad_x = torch.empty_like(x, memory_format=torch.channels_last) if needed[0] else x.new_empty(0)
    if not needed[1]:
        return grad_x, x.new_empty(0), x.new_empty(0), x.new_empty(0)
    return grad_x, torch.empty_like(kernel), kernel.new_empty(kernel.shape[0]), torch.empty_like(sides)


def _setup_context(ctx, inputs, output):
    x, kernel, bias, sides, source, target, counts, stride = inputs
    ctx.save_for_backward(x, kernel, sides, source, target)
    ctx.counts, ctx.stride, ctx.has_bias = counts, stride, bias is not None


def _backward(ctx, grad):
    x, kernel, sides, source, target = ctx.saved_tensors
    needs = ctx.needs_input_grad
    weights = needs[1] or needs[2] or needs[3]
    grads = chart_conv_backward(grad, x, kernel, sides, source, target, ctx.counts, ctx.stride, [needs[0], weights])
    wanted = (needs[0], needs[1], ctx.has_bias and needs[2], needs[3])
    return *(g if w else None for g, w in zip(grads, wanted)), None, None, None, None, None


torch.library.register_autograd("gaugenet::chart_conv", _backward, setup_context=_setup_context)
